import { beforeEach, describe, expect, it } from 'vitest';
import type { TelemetryStore } from '../../../src/dashboard.ts';
import { createQueryBus, type QueryBus, type QueryResult, type QueryTarget } from '../../../src/queries.ts';
import { append, logsJson, metricsJson, nanos, spanId, T0, traceId, tracesJson } from '../otlp-requests.ts';

export interface QueriedStore {
  /** Where telemetry is put. */
  readonly store: TelemetryStore;
  /** Who is asked about it. */
  readonly target: QueryTarget;
}

const RANGE = { startMillis: T0 - 60_000, endMillis: T0 + 60_000 };
const A = { service: 'api', tenant: 'a' };
const B = { service: 'web', tenant: 'b' };

export function answerOf<T>(result: QueryResult<T>): T {
  if (!result.ok) throw new Error(`${result.reason}: ${result.message}`);
  return result.value;
}

/** What a query bus has to answer, whatever it asks. `create` gives an empty store each time, closed with the test. */
export function describeQueries(name: string, create: () => Promise<QueriedStore>): void {
  describe(`queries answered by ${name}`, () => {
    let store: TelemetryStore;
    let a: QueryBus;
    let all: QueryBus;

    beforeEach(async () => {
      const queried = await create();
      store = queried.store;
      a = createQueryBus(queried.target, { tenants: ['a'] });
      all = createQueryBus(queried.target, { tenants: 'all' });
      expect([a.issues, all.issues]).toEqual([[], []]);
    });

    async function addTraces(): Promise<void> {
      const spans = [
        { traceId: traceId(1), spanId: spanId(1), name: 'GET /x', kind: 2, durationMillis: 300 },
        {
          ...{ traceId: traceId(1), spanId: spanId(2), parentSpanId: spanId(1), name: 'select', at: 10 },
          attributes: { big: 1.5, cached: true },
        },
        { traceId: traceId(3), spanId: spanId(3), name: 'GET /y', at: 500, durationMillis: 5, error: true },
      ];
      await append(store, 'traces', tracesJson(A, spans));
      await append(
        store,
        'traces',
        tracesJson(B, [{ traceId: traceId(2), spanId: spanId(4), name: 'GET /x', at: 900 }]),
      );
    }

    it('finds the traces of its own tenants, by query, order, time and limit', async () => {
      await addTraces();
      const find = async (bus: QueryBus, question: object = {}) => {
        const found = answerOf(await bus.ask({ type: 'searchTraces', ...RANGE, ...question }));
        return [...found.traces.map((trace) => trace.traceId), ...(found.more ? ['more'] : [])];
      };
      expect(await find(all)).toEqual([traceId(2), traceId(3), traceId(1)]);
      expect(await find(a)).toEqual([traceId(3), traceId(1)]);
      expect(await find(a, { order: 'longest' })).toEqual([traceId(1), traceId(3)]);
      expect(await find(a, { query: 'status:error' })).toEqual([traceId(3)]);
      expect(await find(a, { query: 'tenant:b' })).toEqual([]);
      expect(await find(a, { limit: 1 })).toEqual([traceId(3), 'more']);
      expect(await find(a, { endMillis: T0 + 400 })).toEqual([traceId(1)]);
      // An hour before now, when nothing is said.
      expect(await find(a, { startMillis: undefined, endMillis: undefined })).toEqual([]);
      expect(await find(a, { startMillis: undefined })).toEqual([traceId(3), traceId(1)]);
      const { traces } = answerOf(await a.ask({ type: 'searchTraces', ...RANGE, query: 'select' }));
      expect(traces).toEqual([
        {
          ...{ tenant: 'a', traceId: traceId(1), name: 'GET /x', service: 'api', rootMissing: false },
          ...{ startMillis: T0, durationNanos: 300e6, spans: 2, errors: 0, services: ['api'] },
        },
      ]);
    });

    it('answers a trace as plain data, and none of another tenant', async () => {
      await addTraces();
      const { spans, more } = answerOf(await a.ask({ type: 'getTrace', traceId: traceId(1).toUpperCase() }));
      expect([spans.map(({ name: of }) => of), more]).toEqual([['GET /x', 'select'], false]);
      expect(spans[1]).toMatchObject({
        ...{ tenant: 'a', service: 'api', parentSpanId: spanId(1), kind: 'internal' },
        ...{ startTimeUnixNano: nanos(10), endTimeUnixNano: nanos(11) },
      });
      // The Collector's tables keep all values as texts.
      const { big, cached } = spans[1]?.attributes ?? {};
      expect([String(big), String(cached)]).toEqual(['1.5', 'true']);
      expect(JSON.parse(JSON.stringify(spans))).toEqual(spans);
      const first = answerOf(await a.ask({ type: 'getTrace', traceId: traceId(1), limit: 1 }));
      expect([first.spans.length, first.more]).toEqual([1, true]);
      for (const id of [traceId(2), traceId(9)])
        expect(answerOf(await a.ask({ type: 'getTrace', traceId: id }))).toEqual({ spans: [], more: false });
      expect(answerOf(await all.ask({ type: 'getTrace', traceId: traceId(2) })).spans).toHaveLength(1);
    });

    it('answers log records that match, the newest first, a hundred unless it is told', async () => {
      const many = Array.from({ length: 101 }, (_, index) => ({ body: `line ${index}`, at: index }));
      await append(store, 'logs', logsJson(A, [...many, { body: 'bad', severity: 17, at: 200, traceId: traceId(1) }]));
      await append(store, 'logs', logsJson(B, [{ body: 'of b', severity: 17, at: 300 }]));
      const { logs, more } = answerOf(await a.ask({ type: 'getLogs', ...RANGE }));
      expect([logs.length, more, logs[0]?.body, logs[1]?.body]).toEqual([100, true, 'bad', 'line 100']);
      const bodies = async (bus: QueryBus, question: object) =>
        answerOf(await bus.ask({ type: 'getLogs', ...RANGE, ...question })).logs.map(({ body }) => body);
      expect(await bodies(all, { query: 'severity>=error' })).toEqual(['of b', 'bad']);
      expect(await bodies(a, { query: 'severity>=error' })).toEqual(['bad']);
      expect(await bodies(a, { query: `trace:${traceId(1)}` })).toEqual(['bad']);
      expect(await bodies(a, { endMillis: T0 + 1.5 })).toEqual(['line 1', 'line 0']);
      expect(await bodies(a, { limit: 102 })).toHaveLength(102);
      expect(logs[0]).toMatchObject({ severityNumber: 17, timeUnixNano: nanos(200), traceId: traceId(1), tenant: 'a' });
    });

    it('answers a metric series by series, and put together', async () => {
      const point = (value: number, at: number, route: string) => ({
        ...{ timeUnixNano: nanos(at), asDouble: value },
        attributes: [{ key: 'route', value: { stringValue: route } }],
      });
      const heat = (...dataPoints: object[]) => [{ name: 'heat', unit: 'Cel', gauge: { dataPoints } }];
      await append(
        store,
        'metrics',
        metricsJson(A, heat(point(1, 0, '/x'), point(3, 1_000, '/x'), point(10, 0, '/y'))),
      );
      await append(store, 'metrics', metricsJson(B, heat(point(100, 0, '/x'))));
      const question = { name: 'heat', ...RANGE, stepMillis: 10_000 };
      const single = answerOf(await a.ask({ type: 'getMetric', ...question }));
      expect(single).toMatchObject({
        metric: { name: 'heat', type: 'gauge', unit: 'Cel' },
        ...{ aggregation: 'avg', stepMillis: 10_000, omittedSeries: 0 },
      });
      const values = ({ series }: typeof single): unknown[] =>
        series.map(({ labels, points }) => [labels['route'] ?? labels['tenant'], points]).sort();
      expect(values(single)).toEqual([
        ['/x', [[T0, 2]]],
        ['/y', [[T0, 10]]],
      ]);
      const together = async (bus: QueryBus, more: object = {}) => {
        const aggregation = 'max' as const;
        return answerOf(await bus.ask({ type: 'aggregateMetrics', ...question, aggregation, ...more }));
      };
      expect(values(await together(all))).toEqual([
        ['a', [[T0, 10]]],
        ['b', [[T0, 100]]],
      ]);
      expect(values(await together(a, { groupBy: ['route'], query: 'attr.route:/x', aggregation: 'sum' }))).toEqual([
        ['/x', [[T0, expect.any(Number)]]],
      ]);
      const limited = await together(a, { groupBy: ['route'], limit: 1 });
      expect([limited.series.length, limited.omittedSeries]).toEqual([1, 1]);
      expect((await together(a, { stepMillis: undefined })).stepMillis).toBe(5_000);
      const none = answerOf(await a.ask({ type: 'getMetric', name: 'none', ...RANGE }));
      expect([none.metric, none.series]).toEqual([undefined, []]);
    });

    it('answers values that JSON does not have as texts', async () => {
      const value = (key: string, given: object) => ({ key, value: given });
      const attributes = [value('long', { intValue: '9007199254740993' }), value('bytes', { bytesValue: 'AQID' })];
      const span = { traceId: traceId(7), spanId: spanId(7), name: 'odd', startTimeUnixNano: nanos(0), attributes };
      const resource = { attributes: [value('tenant.id', { stringValue: 'a' })] };
      const spans = [{ ...span, endTimeUnixNano: nanos(1), kind: 1 }];
      await append(store, 'traces', { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'lib' }, spans }] }] });
      const [odd] = answerOf(await a.ask({ type: 'getTrace', traceId: traceId(7) })).spans;
      expect(odd?.attributes['long']).toBe('9007199254740993');
      expect(odd?.attributes['bytes']).toBe('AQID');
    });

    it('tells that it is well, and what it keeps for its tenants', async () => {
      await addTraces();
      const health = answerOf(await a.ask({ type: 'getHealth' }));
      expect(health).toMatchObject({ ok: true, problem: '', tenants: [], more: 0 });
      const status = answerOf(await a.ask({ type: 'getStatus' }));
      expect(status).toMatchObject({ tenants: ['a'], tracers: [], store: { stored: { traces: 3, logs: 0 } } });
      expect(status.version).toMatch(/^\d+\.\d+\.\d+/);
      expect(answerOf(await all.ask({ type: 'getStatus' }))).toMatchObject({
        tenants: 'all',
        store: { stored: { traces: 4 } },
      });
    });
  });
}
