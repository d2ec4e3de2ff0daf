import { describe, expect, it } from 'vitest';
import { expandTrace, type WireCompactTrace, type WireTrace } from '../../../src/dashboard/page/model/wire.ts';
import { logsJson, metricsJson, nanos, spanId, traceId, tracesJson } from '../otlp-requests.ts';
import { getJson, openDashboard, postOtlp, send } from './dashboard-kit.ts';

const at = Date.now() - Date.UTC(2025, 0, 1) - 1_000;

describe('the API of the dashboard', () => {
  it.each<[string, string, string]>([
    ['traces?limit=0', 'limit', 'an integer from 1 to 1000'],
    ['traces?limit=1&limit=2', 'limit', 'more than once'],
    ['traces?order=best', 'order', 'newest, longest'],
    ['traces?nonsense=1', 'nonsense', 'no such parameter'],
    ['traces?start=yesterday', 'start', 'ISO 8601'],
    ['traces?start=5&end=5', 'end', 'not after'],
    ['traces?tenant=a,,b', 'tenant', 'separated by commas'],
    ['traces/xyz', 'traceId', 'expected'],
    ['metrics/query', 'name', 'missing'],
    ['metrics/query?name=x&step=fast', 'step', 'duration'],
    ['logs?severity=loud', 'severity', 'fatal'],
    ['live?logs=dur%3E1s', 'logs', "no field 'dur'"],
  ])('says what is wrong with %s', async (path, parameter, message) => {
    const dashboard = await openDashboard();
    const { status, value } = await getJson<{ error: { parameter: string; message: string } }>(
      dashboard,
      `/api/v1/${path}`,
    );
    expect(status).toBe(400);
    expect(value.error.parameter).toBe(parameter);
    expect(value.error.message).toContain(message);
  });

  it('says where a query is wrong', async () => {
    const dashboard = await openDashboard();
    const query = encodeURIComponent('service:api dur>fast');
    const { value } = await getJson(dashboard, `/api/v1/traces?query=${query}`);
    expect(value).toMatchObject({ error: { parameter: 'query', position: { start: 12, end: 20 } } });
  });

  it('answers logs by severity and metrics by step, as the specification names them', async () => {
    const dashboard = await openDashboard();
    await postOtlp(
      dashboard,
      'logs',
      logsJson(
        {},
        [17, 21, 9].map((severity) => ({ severity, at, body: `s${severity}` })),
      ),
    );
    const { value } = await getJson<{ logs: { body: string }[] }>(dashboard, '/api/v1/logs?severity=ERROR,FATAL');
    expect(value.logs.map(({ body }) => body).sort()).toEqual(['s17', 's21']);
    const point = { timeUnixNano: nanos(at), asDouble: 7 };
    await postOtlp(dashboard, 'metrics', metricsJson({}, [{ name: 'm', gauge: { dataPoints: [point] } }]));
    const metric = await getJson(dashboard, '/api/v1/metrics/query?name=m&start=-5m&step=1m');
    expect(metric.value).toMatchObject({
      stepMillis: 60_000,
      aggregation: 'avg',
      series: [{ points: [[expect.any(Number), 7]] }],
    });
  });

  it('gives a trace as OTLP that it takes back', async () => {
    const [first, second] = [await openDashboard(), await openDashboard()];
    const attributes = { text: 'x', number: 1.5, whole: 3, yes: true };
    const spans = [{ traceId: traceId(1), spanId: spanId(1), at, attributes, error: true }];
    await postOtlp(first, 'traces', tracesJson({ service: 'api', tenant: 't' }, spans));
    const path = `/api/v1/traces/${traceId(1)}`;
    const exported = await getJson(first, `${path}?format=otlp`);
    expect((await postOtlp(second, 'traces', exported.value)).status).toBe(200);
    expect((await getJson(second, path)).value).toEqual((await getJson(first, path)).value);
    expect((await send(first, 'GET', `/api/v1/traces/${traceId(2)}`)).status).toBe(404);
  });

  it('gives a trace in fewer bytes, of which the page makes the same spans', async () => {
    const dashboard = await openDashboard();
    for (const [service, first] of [
      ['api', 1],
      ['web', 50],
    ] as const) {
      const exception = { type: 'E', message: 'm', stack: 's' };
      const spans = Array.from({ length: 40 }, (_, index) => ({
        ...{ traceId: traceId(1), spanId: spanId(first + index), at: at + index, error: index % 7 === 0 },
        ...(index > 0 && { parentSpanId: spanId(first) }),
        ...(index % 9 === 0 && { exception, attributes: { n: index } }),
      }));
      await postOtlp(dashboard, 'traces', tracesJson({ service, tenant: 't' }, spans));
    }
    const path = `/api/v1/traces/${traceId(1)}`;
    const plain = await getJson<WireTrace>(dashboard, path);
    const compact = await getJson<WireCompactTrace>(dashboard, `${path}?format=compact`);
    expect(plain.value.spans).toHaveLength(80);
    expect(compact.value.origins).toHaveLength(2);
    expect(expandTrace(traceId(1), compact.value)).toEqual(plain.value);
    expect(JSON.stringify(compact.value).length).toBeLessThan(JSON.stringify(plain.value).length / 2);
  });

  it('gives log records as OTLP that it takes back', async () => {
    const [first, second] = [await openDashboard(), await openDashboard()];
    const common = { timeUnixNano: nanos(at), observedTimeUnixNano: nanos(at + 1), traceId: traceId(1) };
    const body = { kvlistValue: { values: [{ key: 'list', value: { arrayValue: { values: [{ intValue: '7' }] } } }] } };
    const attributes = [
      { key: 'big', value: { intValue: '9007199254740993' } },
      { key: 'raw', value: { bytesValue: 'AAEC' } },
      { key: 'nan', value: { doubleValue: 'NaN' } },
      { key: 'nothing', value: {} },
    ];
    const records = [
      { ...common, severityNumber: 17, severityText: 'BAD', eventName: 'it.broke', body, attributes, flags: 1 },
      { ...common, spanId: spanId(1), droppedAttributesCount: 3, body: { stringValue: 'plain' } },
      common,
    ];
    const ofService = (name: string, logRecords: object[]) => ({
      resource: { attributes: [{ key: 'service.name', value: { stringValue: name } }] },
      scopeLogs: [{ scope: { name: 'lib', version: '1', attributes: [] }, logRecords }],
    });
    const given = { resourceLogs: [ofService('api', records), ofService('web', records)] };
    await postOtlp(first, 'logs', given);
    const { value } = await getJson<{ resourceLogs: object[] }>(first, '/api/v1/logs?format=otlp');
    expect(value.resourceLogs).toHaveLength(2);
    expect((await postOtlp(second, 'logs', value)).status).toBe(200);
    const [before, after] = await Promise.all(
      [first, second].map(async (dashboard) => (await getJson<{ logs: object[] }>(dashboard, '/api/v1/logs')).value),
    );
    expect(before?.logs).toHaveLength(6);
    expect(after).toEqual(before);
  });

  it('gives the points of all kinds of metrics as OTLP that it takes back', async () => {
    const [first, second] = [await openDashboard(), await openDashboard()];
    const common = {
      ...{ startTimeUnixNano: nanos(at - 5), timeUnixNano: nanos(at), flags: 1 },
      attributes: [{ key: 'route', value: { stringValue: '/x' } }],
      exemplars: [{ timeUnixNano: nanos(at), asDouble: 2.5, traceId: traceId(1), spanId: spanId(1) }],
    };
    const { exemplars: _, ...plain } = common;
    const buckets = { count: '6', sum: 9.5, min: -1, max: 7 };
    const metrics = [
      { name: 'g', unit: 'Cel', description: 'd', gauge: { dataPoints: [{ ...common, asDouble: 'NaN' }] } },
      { name: 's', sum: { dataPoints: [{ ...common, asInt: '3' }], aggregationTemporality: 1, isMonotonic: true } },
      { name: 'u', sum: { dataPoints: [{ ...common, asDouble: 3.5 }], aggregationTemporality: 2 } },
      {
        name: 'h',
        histogram: {
          dataPoints: [{ ...common, ...buckets, explicitBounds: [1, 2.5], bucketCounts: ['1', '2', '3'] }],
          aggregationTemporality: 2,
        },
      },
      {
        name: 'e',
        exponentialHistogram: {
          dataPoints: [
            {
              ...{ ...common, ...buckets, scale: 3, zeroCount: '1', zeroThreshold: 0.5 },
              positive: { offset: -2, bucketCounts: ['1', '0', '2'] },
              negative: { offset: 4, bucketCounts: ['2'] },
            },
          ],
          aggregationTemporality: 1,
        },
      },
      {
        name: 'q',
        summary: { dataPoints: [{ ...plain, count: '2', sum: 3, quantileValues: [{ quantile: 0.5, value: 1.5 }] }] },
      },
    ];
    await postOtlp(first, 'metrics', metricsJson({ service: 'api', tenant: 't' }, metrics));
    const { value } = await getJson(first, '/api/v1/metrics/points?format=otlp');
    expect((await postOtlp(second, 'metrics', value)).status).toBe(200);
    const [before, after] = await Promise.all(
      [first, second].map(async (dashboard) => {
        const page = await getJson<{ points: { metric: { name: string } }[] }>(dashboard, '/api/v1/metrics/points');
        return page.value.points.sort((left, right) => (left.metric.name < right.metric.name ? -1 : 1));
      }),
    );
    expect(before).toHaveLength(metrics.length);
    expect(after).toEqual(before);
    expect(before?.find(({ metric }) => metric.name === 'e')).toMatchObject({
      metric: { type: 'exponentialHistogram', temporality: 'delta' },
      exponential: { scale: 3, zeroCount: 1, positive: { offset: -2, counts: [1, 0, 2] } },
    });
    const some = await getJson<{ points: object[]; more: boolean }>(
      first,
      '/api/v1/metrics/points?query=name:h,e&limit=1',
    );
    expect(some.value).toMatchObject({ points: [{}], more: true });
  });

  it('describes every address and parameter, and each of them is there', async () => {
    const dashboard = await openDashboard();
    const { value } = await getJson<{
      openapi: string;
      paths: Record<string, { get: { parameters: { name: string; in: string; required: boolean; schema: object }[] } }>;
    }>(dashboard, '/api/v1/openapi.json');
    expect(value.openapi).toBe('3.1.0');
    expect(Object.keys(value.paths).sort()).toEqual(
      [
        ...[
          'alerts',
          'errors',
          'facets',
          'health',
          'live',
          'logs',
          'metrics',
          'metrics/points',
          'metrics/query',
          'pending',
          'red',
          'services',
          'slos',
        ],
        ...['stats', 'tenants', 'traces', 'traces/{traceId}', 'views'],
      ].map((path) => `/api/v1/${path}`),
    );
    for (const [path, { get }] of Object.entries(value.paths)) {
      if (path.endsWith('/live')) continue;
      const needed = get.parameters.filter((parameter) => parameter.required && parameter.in === 'query');
      const query = needed.map(({ name }) => `${name}=x`).join('&');
      const { status } = await send(dashboard, 'GET', `${path.replace('{traceId}', traceId(1))}?${query}`);
      expect([200, 404], path).toContain(status);
    }
  });

  it('keeps the views that were registered', async () => {
    const dashboard = await openDashboard();
    dashboard.registerView('requests', 'bar');
    dashboard.registerView('requests', 'line');
    expect((await getJson(dashboard, '/api/v1/views')).value).toEqual({
      views: [{ metric: 'requests', chart: 'line' }],
    });
    expect(() => dashboard.registerView('requests', 'pie' as never)).toThrow(/line, bar/);
    expect(() => dashboard.registerView('', 'line')).toThrow(/name of a metric/);
  });

  it('writes integers beyond the safe range, bytes and numbers that JSON lacks as text', async () => {
    const dashboard = await openDashboard();
    const attributes = [
      { key: 'big', value: { intValue: '9007199254740993' } },
      { key: 'bytes', value: { bytesValue: 'AQID' } },
      { key: 'nan', value: { doubleValue: 'NaN' } },
    ];
    const span = { traceId: traceId(1), spanId: spanId(1), startTimeUnixNano: nanos(at), attributes };
    await postOtlp(dashboard, 'traces', { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
    const { value } = await getJson<{ spans: { attributes: object }[] }>(dashboard, `/api/v1/traces/${traceId(1)}`);
    expect(value.spans[0]?.attributes).toEqual({ big: '9007199254740993', bytes: 'AQID', nan: 'NaN' });
  });

  it('can be closed twice, and ends live pages', async () => {
    const dashboard = await openDashboard();
    const live = send(dashboard, 'GET', '/api/v1/live').catch(() => 'ended');
    await send(dashboard, 'GET', '/api/v1/stats');
    await Promise.all([dashboard.close(), dashboard.close()]);
    await live;
    await expect(send(dashboard, 'GET', '/api/v1/stats')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
