import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { TracerRegistry } from 'isotrace';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Dashboard } from '../../../src/dashboard.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { SILENT } from '../../support/tenant-receivers.ts';
import { logsJson, metricsJson, nanos, spanId, traceId, tracesJson } from '../otlp-requests.ts';
import { getJson, openDashboard, postOtlp } from './dashboard-kit.ts';

interface Description {
  readonly paths: Record<string, { get: { responses: Record<string, { content: Record<string, Content> }> } }>;
  readonly components: { readonly schemas: Record<string, object> };
}

interface Content {
  readonly schema: object;
  readonly 'x-events'?: Record<string, object>;
}

/** What the dashboard says of itself, and checks by it. */
async function readDescription(dashboard: Dashboard) {
  const { value } = await getJson<Description>(dashboard, '/api/v1/openapi.json');
  const compile = (schema: object): ValidateFunction =>
    new Ajv2020({ strict: false, allErrors: true }).compile({ ...schema, components: value.components });
  const contentOf = (path: string, status: number): Content => {
    const response = value.paths[`/api/v1/${path}`]?.get.responses[status];
    return Object.values(response?.content ?? {})[0] as Content;
  };
  const expectValid = (check: ValidateFunction, answer: unknown, what: string): void => {
    check(answer);
    expect(check.errors ?? [], `${what}: ${JSON.stringify(answer)}`).toEqual([]);
  };
  return { description: value, compile, contentOf, expectValid };
}

/** A dashboard with something of everything. */
async function openFull(): Promise<Dashboard> {
  const clock = new FakeClock();
  const dashboard = await openDashboard({
    clock,
    alertIntervalMillis: 1_000,
    slos: [{ name: 'up', indicator: 'availability', target: 0.9 }],
    alerts: [
      { name: 'failing', when: { figure: 'errorRate', above: 0.1 } },
      { name: 'by function', when: ({ tenant }) => tenant === 'acme', forMillis: 60_000 },
    ],
    alertHandlers: [() => undefined],
  });
  const exception = { type: 'TypeError', message: 'x is undefined', stack: 'TypeError\n    at pay (/app/pay.js:1:1)' };
  const spans = [
    { traceId: traceId(1), spanId: spanId(1), kind: 2, name: 'GET /x', attributes: { 'http.route': '/x', n: 1.5 } },
    { traceId: traceId(1), spanId: spanId(2), parentSpanId: spanId(1), at: 5, error: true, exception },
    { traceId: traceId(2), spanId: spanId(3), kind: 2, error: true },
  ];
  const resource = { service: 'api', tenant: 'acme' };
  await postOtlp(dashboard, 'traces', tracesJson(resource, spans));
  const odd = [
    { key: 'big', value: { intValue: '9007199254740993' } },
    { key: 'nan', value: { doubleValue: 'NaN' } },
    { key: 'list', value: { arrayValue: { values: [{ boolValue: true }, {}] } } },
  ];
  const link = { traceId: traceId(9), spanId: spanId(9), attributes: odd };
  const span = { traceId: traceId(3), spanId: spanId(4), startTimeUnixNano: nanos(0), attributes: odd, links: [link] };
  await postOtlp(dashboard, 'traces', { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  await postOtlp(dashboard, 'logs', logsJson(resource, [{ body: 'hello', severity: 17, traceId: traceId(1) }]));
  const exemplars = [{ timeUnixNano: nanos(0), asDouble: 2, traceId: traceId(1), spanId: spanId(1) }];
  const points = [
    { timeUnixNano: nanos(0), asDouble: 7, exemplars },
    { timeUnixNano: nanos(-100), asDouble: 9 },
  ];
  const sizes = {
    ...{ timeUnixNano: nanos(-200), count: '3', sum: 4, min: 0, max: 2, scale: -1, zeroCount: '1' },
    positive: { offset: -1, bucketCounts: ['2'] },
  };
  await postOtlp(
    dashboard,
    'metrics',
    metricsJson(resource, [
      { name: 'load', unit: '1', gauge: { dataPoints: points } },
      { name: 'sizes', exponentialHistogram: { dataPoints: [sizes], aggregationTemporality: 2 } },
    ]),
  );
  dashboard.registerView('load', 'line');
  const registry = new TracerRegistry({
    logger: SILENT,
    configure: (tenantId) => (tenantId === 'odd' ? ({ limits: { maxQueueSize: -1 } } as never) : { destination: [] }),
  });
  onTestFinished(async () => void (await registry.shutdown({ timeoutMillis: 10 })));
  dashboard.attach(registry);
  for (const tenant of ['acme', 'odd']) registry.get(tenant).startSpan('done').end();
  registry.get('acme').startSpan('open', { attributes: { list: ['a'] } });
  await clock.advanceAsync(1_000);
  return dashboard;
}

describe('the description of the API', () => {
  it.each([
    ['traces', 'traces?start=0', 'traces.0.name'],
    ['traces/{traceId}', `traces/${traceId(1)}`, 'spans.1.events.0.name'],
    ['traces/{traceId}', `traces/${traceId(3)}`, 'spans.0.links.0.traceId'],
    ['traces/{traceId}', `traces/${traceId(1)}?format=otlp`, 'resourceSpans.0'],
    ['traces/{traceId}', `traces/${traceId(1)}?format=compact`, 'compact.1.status.code'],
    ['traces/{traceId}', `traces/${traceId(3)}?format=compact`, 'compact.0.links.0.traceId'],
    ['logs', 'logs?start=0', 'logs.0.body'],
    ['logs', 'logs?start=0&format=otlp', 'resourceLogs.0'],
    ['metrics/points', 'metrics/points?start=0', 'points.0.exemplars.0.traceId'],
    ['metrics/points', 'metrics/points?start=0&query=name:sizes', 'points.0.exponential.positive.counts.0'],
    ['metrics/points', 'metrics/points?start=0&format=otlp', 'resourceMetrics.0'],
    ['metrics', 'metrics?start=0', 'metrics.0.unit'],
    ['metrics/query', 'metrics/query?name=load&start=0', 'series.0.exemplars.0.traceId'],
    ['metrics/query', 'metrics/query?name=load&start=0&aggregation=max', 'series.0.points.0.1'],
    ['metrics/query', 'metrics/query?name=missing', 'aggregation'],
    ['red', 'red?by=operation&start=0', 'groups.0.steps.0.count'],
    ['errors', 'errors?start=0', 'groups.0.tenants.0.count'],
    ['services', 'services?start=0', 'services.0.service'],
    ['tenants', 'tenants', 'tenants.0.stored.traces'],
    ['facets', 'facets?field=service', 'values.0.value'],
    ['stats', 'stats', 'maxBytes'],
    ['stats', 'stats?tenant=nobody', 'store'],
    ['health', 'health', 'tenants.1.signals.traces.created'],
    ['pending', 'pending', 'pending.0.attributes.list.0'],
    ['slos', 'slos', 'slos.0.budget.allowed'],
    ['alerts', 'alerts', 'alerts.1.rule'],
    ['views', 'views', 'views.0.chart'],
  ])('fits what %s answers to %s', async (path, address, present) => {
    const dashboard = await openFull();
    const { compile, contentOf, expectValid } = await readDescription(dashboard);
    const { status, value } = await getJson(dashboard, `/api/v1/${address}`);
    expect(status).toBe(200);
    const found = present.split('.').reduce<unknown>((part, key) => (part as Record<string, unknown>)?.[key], value);
    expect(found, `${present} in ${JSON.stringify(value)}`).toBeDefined();
    expectValid(compile(contentOf(path, 200).schema), value, address);
  });

  it('fits the answers that docs/dashboard.md shows', async () => {
    const { compile, contentOf, expectValid } = await readDescription(await openDashboard());
    const page = readFileSync(new URL('../../../docs/dashboard.md', import.meta.url), 'utf8');
    const examples = [...page.matchAll(/^```json\n(.*?)^```$/gms)].map(([, text = '']) => JSON.parse(text) as object);
    const paths = examples.map((example) => ('pending' in example ? 'pending' : 'health'));
    expect(paths).toEqual(['health', 'pending']);
    for (const [index, path] of paths.entries())
      expectValid(compile(contentOf(path, 200).schema), examples[index], path);
  });

  it('fits every problem', async () => {
    const dashboard = await openFull();
    const { compile, contentOf, expectValid } = await readDescription(dashboard);
    for (const address of ['traces?limit=0', 'traces?query=dur%3Efast', `traces/${traceId(7)}`]) {
      const { status, value } = await getJson(dashboard, `/api/v1/${address}`);
      expect(status).toBeGreaterThanOrEqual(400);
      expectValid(compile(contentOf('traces', status).schema), value, address);
    }
  });

  it('fits the events of live pages', async () => {
    const dashboard = await openFull();
    const { compile, contentOf, expectValid } = await readDescription(dashboard);
    const controller = new AbortController();
    onTestFinished(() => controller.abort());
    const { body } = await fetch(`${dashboard.url}/api/v1/live`, { signal: controller.signal });
    await dashboard.update();
    await postOtlp(dashboard, 'traces', tracesJson({ tenant: 'acme' }, [{ traceId: traceId(5), spanId: spanId(5) }]));
    await postOtlp(dashboard, 'logs', logsJson({ tenant: 'acme' }, [{ body: 'later' }]));
    await dashboard.update();
    const schemas = contentOf('live', 200)['x-events'] ?? {};
    expect(Object.keys(schemas)).toEqual(['update', 'health', 'alerts']);
    const seen = new Set<string>();
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    let text = '';
    while (!(seen.size === 3 && seen.has('update'))) {
      text += Buffer.from((await reader.read()).value ?? []).toString();
      for (const [, name = '', data = ''] of text.matchAll(/event: (\w+)\ndata: (.*)\n\n/g)) {
        expectValid(compile(schemas[name] ?? {}), JSON.parse(data), name);
        if (name !== 'update' || data.includes('later')) seen.add(name);
      }
    }
  });

  it('would notice a field that is missing, of another type, or not described', async () => {
    const dashboard = await openFull();
    const { compile, contentOf } = await readDescription(dashboard);
    const check = compile(contentOf('traces', 200).schema);
    const { value } = await getJson<{ traces: object[] }>(dashboard, '/api/v1/traces?start=0');
    expect(check(value)).toBe(true);
    expect(check({ ...value, more: 'no' })).toBe(false);
    expect(check({ ...value, extra: 1 })).toBe(false);
    expect(check({ ...value, traces: [{ ...value.traces[0], name: undefined }] })).toBe(false);
  });

  it('has a schema for every answer, and names each object once', async () => {
    const dashboard = await openDashboard();
    const { description } = await readDescription(dashboard);
    for (const [path, { get }] of Object.entries(description.paths)) {
      const [content] = Object.values(get.responses[200]?.content ?? {});
      expect(Object.keys(content?.schema ?? {}), path).not.toEqual([]);
    }
    const text = JSON.stringify(description);
    for (const [, name = ''] of text.matchAll(/#\/components\/schemas\/(\w+)/g)) {
      expect(Object.keys(description.components.schemas)).toContain(name);
    }
  });
});
