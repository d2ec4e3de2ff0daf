import { existsSync } from 'node:fs';
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

/** Installed as for the benchmarks: it is large, and wants another version of the API than others. */
const hasDatadog = existsSync(file('../../bench/peers/packages/dd-trace/node_modules/dd-trace-5'));

describe.skipIf(!hasDatadog)('beside Datadog', { timeout: 120_000 }, () => {
  const QUIET = { ...ENVIRONMENT, DD_TRACE_PROPAGATION_STYLE_INJECT: 'datadog' };
  const TWICE =
    "Datadog's tracer may send a second traceparent with the same requests, and receivers take two for none: " +
    'set DD_TRACE_PROPAGATION_STYLE_INJECT=datadog';
  const ISOLATED = 'the globals belong to datadog: only the instrumentations that were given here go to tenants';

  /** Each request and its parts are one trace of Datadog's, as if we were not there. */
  function expectDatadog({ host, noted }: AppResult, byHand: number): void {
    const requests = host.filter(({ name }) => name === 'express.request');
    expect(requests).toHaveLength(4);
    expect(new Set(requests.map(({ traceId }) => traceId)).size).toBe(4);
    for (const { traceId } of requests) {
      const trace = host.filter((span) => span.traceId === traceId);
      const ids = new Set(trace.map(({ spanId }) => spanId));
      expect(trace.filter(({ name }) => name === 'router.middleware').length).toBeGreaterThan(1);
      expect(trace.filter(({ name }) => name === 'by hand')).toHaveLength(byHand);
      expect(trace.filter(({ parentSpanId }) => !/^0+$/.test(parentSpanId) && !ids.has(parentSpanId))).toEqual([]);
    }
    expect(host.filter(({ name }) => name === 'by hand')).toHaveLength(4 * byHand);
    expect(noted).toEqual(['a', 'b', 'a', 'b'].map((tenant) => [tenant, []]));
  }

  function expectTenants(result: AppResult, byHand: number): void {
    expectTraces(result, ({ attributes }) => attributes['express.type'] === 'request_handler');
    for (const tenant of ['a', 'b']) {
      const own = result.spans[tenant] ?? [];
      expect(own.filter(({ name }) => name === 'by hand')).toHaveLength(2 * byHand);
      expect(own).toHaveLength(8 + 2 * byHand);
    }
  }

  it('takes the globals that nobody owns, and gives each tenant its requests', async () => {
    const result = await runApp('app.cjs', [file('./apps/datadog.mjs')], QUIET);
    expect(result.installation).toEqual({ strategy: 'own', found: 'none' });
    expectTenants(result, 1);
    expectDatadog(result, 0);
  });

  it('leaves the globals to its bridge, and gives each tenant what the given instrumentations see', async () => {
    const result = await runApp('app.cjs', [file('./apps/datadog.mjs')], { ...QUIET, BRIDGE: 'true' });
    expect(result.installation).toEqual({ strategy: 'isolated', found: 'datadog', advice: ISOLATED });
    expectTenants(result, 0);
    expectDatadog(result, 1);
  });

  it('takes the globals from its bridge when it is told to', async () => {
    const environment = { ...QUIET, BRIDGE: 'true', STRATEGY: 'own' };
    const result = await runApp('app.cjs', [file('./apps/datadog.mjs')], environment);
    const advice = 'the globals belonged to datadog, which gets no more spans';
    expect(result.installation).toEqual({ strategy: 'own', found: 'datadog', advice });
    expectTenants(result, 1);
    expectDatadog(result, 0);
  });

  it('tells who would join it that this leads nowhere', async () => {
    const environment = { ...QUIET, BRIDGE: 'true', STRATEGY: 'join' };
    const result = await runApp('app.cjs', [file('./apps/datadog.mjs')], environment);
    expect(result.installation).toMatchObject({ strategy: 'join', found: 'datadog' });
    expect(result.installation.advice).toContain("use the strategy 'isolated' or 'own'");
    expect(Object.values(result.spans).flat()).toEqual([]);
  });

  it('tells that two tracers would write the same header', async () => {
    const result = await runApp('app.cjs', [file('./apps/datadog.mjs')], { ...ENVIRONMENT, BRIDGE: 'true' });
    expect(result.installation.advice).toBe(`${ISOLATED}; ${TWICE}`);
    for (const [, traceparent] of result.parents) expect(traceparent.split(',')).toHaveLength(2);
  });
});
