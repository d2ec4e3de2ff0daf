import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Search, TelemetryStore } from '../../../src/dashboard/store/telemetry-store.ts';
import type { TenantScope } from '../../../src/dashboard/store/tenant-scope.ts';
import {
  ALWAYS,
  append,
  keyValues,
  logsJson,
  metricsJson,
  nanos,
  query,
  spanId,
  T0,
  traceId,
  tracesJson,
} from '../otlp-requests.ts';

const A: TenantScope = new Set(['a']);
const B: TenantScope = new Set(['b']);

/** What every store has to do. `create` gives an empty one each time. */
export function describeStore(name: string, create: () => Promise<TelemetryStore>): void {
  describe(`the store ${name}`, () => {
    let store: TelemetryStore;

    beforeEach(async () => {
      store = await create();
    });

    afterEach(() => store.close());

    const search = (text = '', scope: TenantScope = 'all', limit = 50): Search => {
      return { scope, query: query(text), range: ALWAYS, limit };
    };
    const tracesFor = async (text: string, scope: TenantScope = 'all'): Promise<string[]> => {
      const { traces } = await store.listTraces({ ...search(text, scope), order: 'newest' });
      return traces.map((trace) => trace.traceId);
    };

    async function addShop(): Promise<void> {
      await append(
        store,
        'traces',
        tracesJson({ service: 'api', tenant: 'a', attributes: { 'host.name': 'h1' } }, [
          {
            ...{ traceId: traceId(1), spanId: spanId(1), name: 'GET /x', kind: 2, at: 0, durationMillis: 300 },
            attributes: { 'http.route': '/x', 'http.response.status_code': 200, cached: true },
          },
          {
            ...{ traceId: traceId(1), spanId: spanId(2), parentSpanId: spanId(1), name: 'select', kind: 3, at: 10 },
            durationMillis: 50,
            attributes: { 'db.query.text': 'select "orders" where id = ?', note: 'time out soon' },
          },
        ]),
      );
      await append(
        store,
        'traces',
        tracesJson({ service: 'web', tenant: 'b', attributes: { 'host.name': 'h2' } }, [
          {
            ...{ traceId: traceId(2), spanId: spanId(3), name: 'GET /y', kind: 2, at: 1_000, durationMillis: 20 },
            error: true,
            attributes: { 'http.route': '/y', 'http.response.status_code': 503 },
            exception: {
              type: 'TimeoutError',
              message: 'upstream 17 timed out',
              stack:
                'TimeoutError: x\n    at read (/app/node_modules/pg/a.js:1:2)\n    at charge (/app/src/pay.js:10:5)',
            },
          },
        ]),
      );
    }

    it('gives a trace back as it came in', async () => {
      await addShop();
      const { spans, more } = await store.getTrace('all', traceId(1), 100);
      expect(more).toBe(false);
      expect(spans.map((span) => span.name)).toEqual(['GET /x', 'select']);
      expect(spans[0]).toMatchObject({
        tenant: 'a',
        service: 'api',
        traceId: traceId(1),
        spanId: spanId(1),
        parentSpanId: '',
        kind: 'server',
        startTimeUnixNano: BigInt(nanos(0)),
        endTimeUnixNano: BigInt(nanos(300)),
        status: { code: 'unset', message: '' },
        scope: { name: 'lib' },
      });
      expect(spans[0]?.attributes['http.route']).toBe('/x');
      expect(spans[0]?.resource['host.name']).toBe('h1');
      expect((await store.getTrace('all', traceId(1), 1)).more).toBe(true);
      expect((await store.getTrace('all', traceId(9), 100)).spans).toEqual([]);
    });

    it('lists traces, the newest first, with what their spans amount to', async () => {
      await addShop();
      const { traces, more } = await store.listTraces({ ...search(), order: 'newest' });
      expect(more).toBe(false);
      expect(traces).toEqual([
        {
          ...{ tenant: 'b', traceId: traceId(2), name: 'GET /y', service: 'web', rootMissing: false },
          ...{ startMillis: T0 + 1_000, durationNanos: 20e6, spans: 1, errors: 1, services: ['web'] },
        },
        {
          ...{ tenant: 'a', traceId: traceId(1), name: 'GET /x', service: 'api', rootMissing: false },
          ...{ startMillis: T0, durationNanos: 300e6, spans: 2, errors: 0, services: ['api'] },
        },
      ]);
      const longest = await store.listTraces({ ...search('', 'all', 1), order: 'longest' });
      expect(longest.traces.map((trace) => trace.traceId)).toEqual([traceId(1)]);
      expect(longest.more).toBe(true);
    });

    it('says that a root is missing', async () => {
      const spans = [{ traceId: traceId(5), spanId: spanId(2), parentSpanId: spanId(1), name: 'child' }];
      await append(store, 'traces', tracesJson({ service: 'api' }, spans));
      const { traces } = await store.listTraces({ ...search(), order: 'newest' });
      expect(traces).toMatchObject([{ tenant: 'default', rootMissing: true, name: 'child' }]);
    });

    it('keeps to the range of time', async () => {
      await addShop();
      const list = async (from: number, to: number) => {
        const range = { startMillis: T0 + from, endMillis: T0 + to };
        const { traces } = await store.listTraces({ ...search(), range, order: 'newest' });
        return traces.map((trace) => trace.traceId);
      };
      expect(await list(0, 1_000)).toEqual([traceId(1)]);
      expect(await list(1_000, 1_001)).toEqual([traceId(2)]);
      expect(await list(2_000, 3_000)).toEqual([]);
    });

    it.each<[string, number[]]>([
      ['', [2, 1]],
      ['service:api', [1]],
      ['service:api,web', [2, 1]],
      ['service:a*', [1]],
      ['-service:api', [2]],
      ['service!=api', [2]],
      ['name:"GET /y"', [2]],
      ['status:error', [2]],
      ['-status:error', [1]],
      ['kind:client', [1]],
      ['root:false', [1]],
      ['dur>200ms', [1]],
      ['dur<=20ms', [2]],
      ['tenant:b', [2]],
      [`trace:${traceId(1)}`, [1]],
      [`span:${spanId(3)}`, [2]],
      ['scope:lib', [2, 1]],
      ['scope:other', []],
      ['attr.http.route=/x', [1]],
      ['http.route=/x', [1]],
      ['attr.http.route=/*', [2, 1]],
      ['attr.http.route!=/x status:error', [2]],
      ['attr.http.response.status_code=503', [2]],
      ['attr.http.response.status_code>=500', [2]],
      ['attr.http.response.status_code<500', [1]],
      ['attr.cached=true', [1]],
      ['attr.cached:*', [1]],
      ['attr.missing=1', []],
      ['resource.host.name=h2', [2]],
      ['-resource.host.name=h2', [1]],
      ['"time out"', [1]],
      ['"upstream 17"', [2]],
      ['"\\"orders\\""', [1]],
      ['-"upstream 17" kind:server', [1]],
      ['attr.http.route="\' OR 1=1 --"', []],
    ])('finds by %s', async (text, expected) => {
      await addShop();
      expect(await tracesFor(text)).toEqual(expected.map(traceId));
    });

    it('keeps tenants apart in every answer', async () => {
      await addShop();
      await append(store, 'logs', logsJson({ service: 'web', tenant: 'b' }, [{ body: 'secret', traceId: traceId(2) }]));
      const point = { timeUnixNano: nanos(0), asDouble: 1, attributes: [] };
      await append(
        store,
        'metrics',
        metricsJson({ service: 'web', tenant: 'b' }, [{ name: 'secret.metric', gauge: { dataPoints: [point] } }]),
      );
      const seen = async (scope: TenantScope): Promise<string> => {
        const shared = search('', scope);
        const answers = await Promise.all([
          store.listTraces({ ...shared, order: 'newest' }),
          store.listTraces({ ...search('tenant:b', scope), order: 'longest' }),
          store.getTrace(scope, traceId(2), 10),
          store.getLogs({ ...shared, query: query('', 'logs') }),
          store.countLogs({ ...shared, query: query('', 'logs'), stepMillis: 60_000 }),
          store.getPoints({ ...shared, query: query('', 'metrics') }),
          store.listMetrics({ ...shared, query: query('', 'metrics') }),
          store.queryMetric({
            ...{ ...shared, query: query('', 'metrics') },
            ...{ name: 'secret.metric', stepMillis: 60_000, aggregation: undefined, groupBy: [] },
          }),
          store.red({ ...shared, groupBy: 'operation', spans: 'all', stepMillis: 60_000 }),
          store.errors(shared),
          store.services(scope, ALWAYS),
          store.tenants(scope),
          ...(['traces', 'logs', 'metrics'] as const).flatMap((signal) =>
            [undefined, 'tenant', 'service', 'attr.http.route', 'resource.host.name'].map((field) =>
              store.facets({ scope, signal, field, prefix: '', limit: 100 }),
            ),
          ),
        ]);
        return JSON.stringify(answers, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
      };
      for (const canary of ['secret', 'web', '/y', 'h2', '"b"', traceId(2)]) {
        expect(await seen(A)).not.toContain(canary);
        expect(await seen(B)).toContain(canary);
      }
      expect(await seen(new Set())).not.toMatch(/api|web|secret/);
    });

    it('gives two tenants with the same trace id each their own trace', async () => {
      const spans = [{ traceId: traceId(7), spanId: spanId(1) }];
      await append(store, 'traces', tracesJson({ service: 'one', tenant: 'a' }, spans));
      await append(store, 'traces', tracesJson({ service: 'two', tenant: 'b' }, spans));
      expect((await store.getTrace(A, traceId(7), 10)).spans.map(({ service }) => service)).toEqual(['one']);
      const { traces } = await store.listTraces({ ...search(), order: 'newest' });
      expect(traces.map(({ tenant, spans: count }) => [tenant, count]).sort()).toEqual([
        ['a', 1],
        ['b', 1],
      ]);
    });

    it('finds log records by severity, text and trace, the newest first', async () => {
      await append(
        store,
        'logs',
        logsJson({ service: 'api', tenant: 'a' }, [
          { body: 'started', severity: 9, at: 0, attributes: { job: 7 } },
          { body: 'disk almost full', severity: 13, at: 10 },
          { body: 'disk full', severity: 17, at: 20, traceId: traceId(1) },
        ]),
      );
      const bodies = async (text: string) => {
        const { logs } = await store.getLogs({ scope: 'all', query: query(text, 'logs'), range: ALWAYS, limit: 10 });
        return logs.map(({ body }) => body);
      };
      expect(await bodies('')).toEqual(['disk full', 'disk almost full', 'started']);
      expect(await bodies('severity:warn')).toEqual(['disk almost full']);
      expect(await bodies('severity>=warn')).toEqual(['disk full', 'disk almost full']);
      expect(await bodies('level:error,info')).toEqual(['disk full', 'started']);
      expect(await bodies('"disk" -"almost"')).toEqual(['disk full']);
      expect(await bodies(`trace:${traceId(1)}`)).toEqual(['disk full']);
      expect(await bodies('attr.job=7')).toEqual(['started']);
      await append(store, 'logs', logsJson({ tenant: 'b' }, [{ body: 'other', severity: 13, at: 60_001 }]));
      const counted = (text: string, scope: TenantScope = 'all', limit = 10) =>
        store.countLogs({ scope, query: query(text, 'logs'), range: ALWAYS, limit, stepMillis: 60_000 });
      expect(await counted('')).toEqual({
        groups: [
          { tenant: 'a', count: 3, steps: [{ timeMillis: T0, count: 3 }] },
          { tenant: 'b', count: 1, steps: [{ timeMillis: T0 + 60_000, count: 1 }] },
        ],
        ...{ more: false, partial: false },
      });
      expect((await counted('severity:warn "full"', A)).groups).toMatchObject([{ tenant: 'a', count: 1 }]);
      expect((await counted('', B)).groups).toMatchObject([{ tenant: 'b', count: 1 }]);
      expect(await counted('', 'all', 1)).toMatchObject({ groups: [{ tenant: 'a' }], more: true });
    });

    it('counts requests, errors and durations by service, operation and tenant', async () => {
      const spans = Array.from({ length: 100 }, (_, index) => ({
        ...{ traceId: traceId(index + 1), spanId: spanId(index + 1), name: index < 60 ? 'list' : 'buy', kind: 2 },
        ...{ at: index * 100, durationMillis: index + 1, error: index % 10 === 0 },
      }));
      await append(store, 'traces', tracesJson({ service: 'api', tenant: 'a' }, spans));
      const inner = { traceId: traceId(1), spanId: spanId(999), parentSpanId: spanId(1), name: 'inner' };
      await append(store, 'traces', tracesJson({ service: 'api', tenant: 'a' }, [inner]));

      const red = { ...search(), spans: 'entry', stepMillis: 5_000 } as const;
      const { groups, more } = await store.red({ ...red, groupBy: 'service' });
      expect(more).toBe(false);
      expect(groups).toMatchObject([{ tenant: 'a', service: 'api', operation: '', count: 100, errors: 10 }]);
      const [group] = groups;
      expect((group?.p50Nanos ?? 0) / 50e6).toBeCloseTo(1, 1);
      expect((group?.p95Nanos ?? 0) / 95e6).toBeCloseTo(1, 1);
      expect((group?.p99Nanos ?? 0) / 99e6).toBeCloseTo(1, 1);
      expect(group?.maxNanos).toBe(100e6);
      expect(group?.steps.map(({ timeMillis, count, errors }) => [timeMillis - T0, count, errors])).toEqual([
        [0, 50, 5],
        [5_000, 50, 5],
      ]);

      const operations = await store.red({ ...red, groupBy: 'operation' });
      expect(operations.groups.map(({ operation, count }) => [operation, count])).toEqual([
        ['list', 60],
        ['buy', 40],
      ]);
      const all = await store.red({ ...red, groupBy: 'tenant', spans: 'all' });
      expect(all.groups).toMatchObject([{ tenant: 'a', service: '', count: 101 }]);
    });

    it('groups errors by service, type and the place in the application', async () => {
      await addShop();
      const stack = 'Error\n    at charge (/app/src/pay.js:99:1)';
      const failure = { type: 'TimeoutError', message: 'upstream 18 timed out', stack };
      await append(
        store,
        'traces',
        tracesJson({ service: 'web', tenant: 'a' }, [
          { traceId: traceId(3), spanId: spanId(9), name: 'POST /y', at: 2_000, error: true, exception: failure },
          { traceId: traceId(4), spanId: spanId(8), name: 'other', at: 2_000, error: true },
        ]),
      );
      const { groups } = await store.errors(search());
      expect(groups).toHaveLength(2);
      expect(groups[0]).toMatchObject({
        ...{ service: 'web', type: 'TimeoutError', message: 'upstream 18 timed out', count: 2 },
        ...{ frame: 'charge (/app/src/pay.js)', firstMillis: T0 + 1_000, lastMillis: T0 + 2_000 },
        example: { tenant: 'a', traceId: traceId(3), spanId: spanId(9) },
      });
      expect(groups[0]?.tenants.map(({ tenant }) => tenant).sort()).toEqual(['a', 'b']);
      expect([...(groups[0]?.operations ?? [])].sort()).toEqual(['GET /y', 'POST /y']);
    });

    it('answers what metrics there are and their values by step', async () => {
      const at = (seconds: number, rest: object) => ({ timeUnixNano: nanos(seconds * 1_000), ...rest });
      const counter = (seconds: number, value: number, route: string) =>
        at(seconds, { startTimeUnixNano: nanos(0), asInt: String(value), attributes: keyValues({ route }) });
      await append(
        store,
        'metrics',
        metricsJson({ service: 'api', tenant: 'a' }, [
          {
            name: 'temperature',
            unit: 'Cel',
            gauge: { dataPoints: [at(1, { asDouble: 20 }), at(2, { asDouble: 30 })] },
          },
          {
            name: 'requests',
            sum: {
              dataPoints: [counter(10, 5, '/x'), counter(70, 65, '/x'), counter(130, 10, '/x'), counter(10, 6, '/y')],
              aggregationTemporality: 2,
              isMonotonic: true,
            },
          },
          {
            name: 'latency',
            histogram: {
              dataPoints: [
                at(5, { count: '10', sum: 50, bucketCounts: ['0', '10', '0'], explicitBounds: [1, 9], attributes: [] }),
              ],
              aggregationTemporality: 1,
            },
          },
        ]),
      );
      const points = async (text: string, limit = 10) => {
        const page = await store.getPoints({ ...search(), query: query(text, 'metrics'), limit });
        return [page.points.map(({ metric, value }) => [metric.name, value]), page.more];
      };
      expect(await points('name:temperature')).toEqual([
        [
          ['temperature', 30],
          ['temperature', 20],
        ],
        false,
      ]);
      expect(await points('', 1)).toEqual([[['requests', 10]], true]);
      expect((await points('attr.route=/y'))[0]).toEqual([['requests', 6]]);
      const list = await store.listMetrics({ ...search(), query: query('', 'metrics') });
      expect(list.map(({ name, type, unit, points }) => [name, type, unit, points])).toEqual([
        ['latency', 'histogram', '', 1],
        ['requests', 'sum', '', 4],
        ['temperature', 'gauge', 'Cel', 2],
      ]);
      const range = { startMillis: T0, endMillis: T0 + 600_000 };
      const ask = async (metric: string, groupBy: string[] = [], aggregation?: 'rate' | 'p50' | 'avg' | 'count') => {
        const answer = await store.queryMetric({
          ...{ scope: 'all', query: query('', 'metrics'), range, limit: 10, name: metric, groupBy },
          ...{ stepMillis: 60_000, aggregation },
        });
        return answer.series.map(({ labels, points }) => [
          { ...labels },
          points.map(([time, value]) => [time - T0, value]),
        ]);
      };
      expect(await ask('temperature')).toEqual([[{ tenant: 'a', service: 'api' }, [[0, 25]]]]);
      // Cumulative with a reset: 5, then 60 more, then 10 again.
      expect(await ask('requests', ['attr.route'])).toEqual([
        [
          { 'attr.route': '/x' },
          [
            [0, 5 / 60],
            [60_000, 1],
            [120_000, 10 / 60],
          ],
        ],
        [{ 'attr.route': '/y' }, [[0, 6 / 60]]],
      ]);
      expect(await ask('latency', ['service'], 'p50')).toEqual([[{ service: 'api' }, [[0, 5]]]]);
      expect(await ask('latency', [], 'count')).toEqual([[{ tenant: 'a', service: 'api' }, [[0, 10]]]]);
      expect(await ask('latency', [], 'avg')).toEqual([[{ tenant: 'a', service: 'api' }, [[0, 5]]]]);
      expect(await ask('nothing')).toEqual([]);
    });

    it('tells fields and values for completion', async () => {
      await addShop();
      const values = async (field: string | undefined, prefix = '') => {
        const answer = await store.facets({ scope: 'all', signal: 'traces', field, prefix, limit: 100 });
        return answer.values.map(({ value }) => value).sort();
      };
      expect(await values(undefined, 'attr.http')).toEqual(['attr.http.response.status_code', 'attr.http.route']);
      expect(await values(undefined, 'resource.host')).toEqual(['resource.host.name']);
      expect(await values(undefined, 'ser')).toEqual(['service']);
      expect(await values('service')).toEqual(['api', 'web']);
      expect(await values('service', 'W')).toEqual(['web']);
      expect(await values('status')).toEqual(['error', 'unset']);
      expect(await values('attr.http.route')).toEqual(['/x', '/y']);
    });

    it('tells services and tenants', async () => {
      await addShop();
      const services = await store.services('all', ALWAYS);
      expect(services.map(({ tenant, service, spans, errors }) => [tenant, service, spans, errors])).toEqual([
        ['a', 'api', 2, 0],
        ['b', 'web', 1, 1],
      ]);
      const tenants = await store.tenants('all');
      expect(tenants.map(({ tenant, stored }) => [tenant, stored.traces]).sort()).toEqual([
        ['a', 2],
        ['b', 1],
      ]);
      expect((await store.stats('all')).stored.traces).toBe(3);
      expect((await store.stats(A)).stored.traces).toBe(2);
    });

    it('tells what came in after a cursor, within the scope', async () => {
      const ask = { scope: A, limit: 10, traceQuery: query(''), logQuery: query('', 'logs') } as const;
      const begin = await store.tail({ ...ask, cursor: undefined });
      expect(begin).toMatchObject({ arrived: [], traces: [], logs: [], skipped: 0 });
      await addShop();
      const next = await store.tail({ ...ask, cursor: begin.cursor });
      expect(next.traces).toMatchObject([{ tenant: 'a', traceId: traceId(1), spans: 2 }]);
      expect(next.arrived).toEqual([{ tenant: 'a', traces: 2, logs: 0, metrics: 0, errors: 0 }]);
      expect(await store.tail({ ...ask, cursor: next.cursor })).toMatchObject({ arrived: [], traces: [] });
      const errors = await store.tail({
        ...ask,
        scope: 'all',
        traceQuery: query('status:error'),
        cursor: begin.cursor,
      });
      expect(errors.traces.map((trace) => trace.traceId)).toEqual([traceId(2)]);
    });

    it('refuses what is malformed, as a whole', async () => {
      const good = tracesJson({ service: 'api' }, [{ traceId: traceId(1), spanId: spanId(1) }]);
      const { bytes, ...rest } = {
        bytes: Buffer.from(JSON.stringify(good)),
        signal: 'traces',
        format: 'json',
        tenantOf: () => 'a',
      } as const;
      expect(await store.append({ ...rest, bytes: bytes.subarray(0, -3) })).toMatchObject({ outcome: 'malformed' });
      expect(await store.append({ ...rest, format: 'protobuf', bytes: Buffer.from([10, 200]) })).toMatchObject({
        outcome: 'malformed',
      });
      expect(await tracesFor('')).toEqual([]);
      expect(await store.append({ ...rest, bytes })).toMatchObject({ outcome: 'stored', accepted: 1, rejected: 0 });
      expect(await tracesFor('')).toEqual([traceId(1)]);
    });

    it('takes the good spans of a request, and says how many it refused', async () => {
      const spans = [
        { traceId: traceId(1), spanId: spanId(1) },
        { traceId: '00'.repeat(16), spanId: spanId(2) },
      ];
      expect(await append(store, 'traces', tracesJson({ tenant: 'a' }, spans))).toEqual({
        ...{ outcome: 'stored', accepted: 1, rejected: 1 },
        message: 'a span has no valid trace id',
      });
      const refused = await store.append({
        ...{ signal: 'traces', format: 'json', tenantOf: () => undefined },
        bytes: Buffer.from(JSON.stringify(tracesJson({ tenant: 'a' }, [{ traceId: traceId(2), spanId: spanId(1) }]))),
      });
      expect(refused).toMatchObject({ outcome: 'stored', accepted: 0, rejected: 1 });
      expect(await tracesFor('')).toEqual([traceId(1)]);
    });

    it('keeps a key such as __proto__ as a key', async () => {
      const attributes = JSON.parse('{ "__proto__": "x", "constructor": "y" }') as Record<string, string>;
      await append(
        store,
        'traces',
        tracesJson({ service: 'api' }, [{ traceId: traceId(1), spanId: spanId(1), attributes }]),
      );
      const [span] = (await store.getTrace('all', traceId(1), 1)).spans;
      expect(Object.entries(span?.attributes ?? {})).toEqual([
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ]);
      expect(({} as Record<string, unknown>)['x']).toBeUndefined();
      expect(await tracesFor('attr.__proto__=x')).toEqual([traceId(1)]);
    });
  });
}
