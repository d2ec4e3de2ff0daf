import { registry, withTelemetry } from './telemetry.ts';

const quoteOf = registry.trace('load quote', async (symbol: string) => ({ symbol, price: symbol.length * 100 }));

export const handler = withTelemetry(async ({ pathParameters }) => {
  const quote = await quoteOf(pathParameters['symbol'] ?? '');
  return { statusCode: 200, body: JSON.stringify(quote) };
});
