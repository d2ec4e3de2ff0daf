import createFastify from 'fastify';
import { registry, telemetry } from './telemetry.ts';
import { tenantOfToken } from './tenants.ts';

const app = createFastify();

app.addHook('onRequest', async (request, reply) => {
  const tenantId = tenantOfToken(request.headers.authorization);
  if (tenantId === undefined) return reply.code(401).send({ error: 'not signed in' });
  request.tenantId = tenantId;
});
await app.register(telemetry);

const forecast = registry.trace('forecast', async (city: string) => ({ city, degrees: city.length }));

app.get<{ Params: { city: string } }>('/weather/:city', async ({ params }) =>
  registry.withSpan('load weather', async (span) => {
    span.setAttribute('weather.city', params.city);
    return forecast(params.city);
  }),
);

app.addHook('onClose', async () => void (await registry.shutdown()));
process.once('SIGTERM', () => void app.close());

const address = await app.listen({ port: Number(process.env['PORT'] ?? 3000) });
console.log(`listening on ${address}`);
