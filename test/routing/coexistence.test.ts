import { describe, expect, it } from 'vitest';
import { MEETS_SENTRY } from '../support/host-sdk.ts';
import { type AppResult, expectTraces, file, runApp } from './app-process.ts';

const ENVIRONMENT = { OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none' };

/** The host's own traces are as if we were not there: each of the four requests is one, with all that it set off. */
function expectHostTraces({ host, spans }: AppResult, spansOfTrace: number): void {
  const traceIds = new Set(host.map(({ traceId }) => traceId));
  expect(traceIds.size).toBe(4);
  for (const id of traceIds) {
    const trace = host.filter(({ traceId }) => traceId === id);
    expect(trace).toHaveLength(spansOfTrace);
    const ids = new Set(trace.map(({ spanId }) => spanId));
    expect(trace.filter(({ parentSpanId }) => parentSpanId !== '' && !ids.has(parentSpanId))).toEqual([]);
  }
  const routed = Object.values(spans).flat();
  expect(routed.map(({ spanId }) => spanId).sort()).toEqual(host.map(({ spanId }) => spanId).sort());
}

describe('beside another SDK that owns the globals', { timeout: 120_000 }, () => {
  it('NodeSDK keeps its traces, and each tenant has those of its requests', async () => {
    const result = await runApp('app.cjs', [file('./apps/node-sdk.mjs')], ENVIRONMENT);
    expect(result.installation).toEqual({ strategy: 'join', found: 'opentelemetry' });
    expectTraces(result, ({ attributes }) => attributes['express.type'] === 'request_handler');
    expectHostTraces(result, 6);
  });

  it.runIf(MEETS_SENTRY)('Sentry keeps its traces, and each tenant has those of its requests', async () => {
    const result = await runApp('app.cjs', [file('./apps/sentry.mjs')], ENVIRONMENT);
    expect(result.installation).toEqual({ strategy: 'join', found: 'sentry' });
    expectTraces(result, ({ name }) => name === '/orders/:id');
    expectHostTraces(result, 5);
  });

  it('takes the globals over when it is told to, and says who had them', async () => {
    const result = await runApp('app.cjs', [file('./apps/node-sdk.mjs')], { ...ENVIRONMENT, STRATEGY: 'own' });
    expect(result.installation).toEqual({
      strategy: 'own',
      found: 'opentelemetry',
      advice: 'the globals belonged to opentelemetry, which gets no more spans',
    });
  });
});
