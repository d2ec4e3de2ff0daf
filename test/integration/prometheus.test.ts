import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { prometheusName, unitName } from '../../src/processing/prometheus-names.ts';
import { prometheusText } from '../../src/processing/prometheus-text.ts';
import { prometheusHandler } from '../../src/prometheus.ts';
import { receiver, registryOf } from '../core/registry-kit.ts';
import { receivedPoints } from '../support/received-metrics.ts';

const OPEN_METRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';

function scrape(handler: ReturnType<typeof prometheusHandler>, accept = '*/*'): Promise<string> {
  return handler(new Request('http://host/metrics', { headers: { accept } })).then((response) => response.text());
}

/** A registry whose platform and tenants measured a bit of everything. */
function measured(options: Parameters<typeof registryOf>[0] = {}) {
  const registry = registryOf({ platform: { metrics: { exemplars: true } }, service: { name: 'shop' }, ...options });
  const { metrics } = registry.platform;
  metrics
    .counter('orders.placed', { unit: '{order}', description: 'Orders "placed"\nby\\all' })
    .add(3, { plan: 'fr"ee\n\\' });
  metrics.upDownCounter('queue.size', { description: 'Waiting' }).add(2);
  metrics.gauge('cpu.usage', { unit: '1', description: 'Share' }).record(0.5);
  registry.platform.withSpan('work', () => {
    metrics
      .histogram('request.duration', { unit: 's', description: 'Time', buckets: [0.5, 1] })
      .record(0.7, { le: 'mine' });
  });
  for (const id of ['acme', 'globex']) registry.get(id).metrics.counter('jobs', { description: 'Done' }).add(1);
  return registry;
}

describe('the page for Prometheus', () => {
  test("is in its text format, with the platform's metrics only", async () => {
    const page = await scrape(prometheusHandler(measured()));
    expect(page).toMatch(/^target_info\{.*service_name="shop".*\} 1$/m);
    expect(page.replace(/^target_info\{.*$/m, 'target_info 1')).toMatchInlineSnapshot(`
      "# HELP target_info Target metadata
      # TYPE target_info gauge
      target_info 1
      # HELP orders_placed_total Orders "placed"\\nby\\\\all
      # TYPE orders_placed_total counter
      orders_placed_total{plan="fr\\"ee\\n\\\\"} 3
      # HELP queue_size Waiting
      # TYPE queue_size gauge
      queue_size 2
      # HELP cpu_usage_ratio Share
      # TYPE cpu_usage_ratio gauge
      cpu_usage_ratio 0.5
      # HELP request_duration_seconds Time
      # TYPE request_duration_seconds histogram
      request_duration_seconds_bucket{exported_le="mine",le="0.5"} 0
      request_duration_seconds_bucket{exported_le="mine",le="1"} 1
      request_duration_seconds_bucket{exported_le="mine",le="+Inf"} 1
      request_duration_seconds_sum{exported_le="mine"} 0.7
      request_duration_seconds_count{exported_le="mine"} 1
      "
    `);
  });

  test('is in OpenMetrics where that is preferred, with units and exemplars', async () => {
    const page = await scrape(prometheusHandler(measured()), OPEN_METRICS);
    expect(page).toContain('# TYPE orders_placed counter\norders_placed_total{plan="fr\\"ee\\n\\\\"} 3\n');
    expect(page).toContain('# HELP orders_placed Orders \\"placed\\"\\nby\\\\all\n');
    expect(page).toContain('# TYPE request_duration_seconds histogram\n# UNIT request_duration_seconds seconds\n');
    expect(page).toMatch(/le="1\.0"\} 1 # \{trace_id="[0-9a-f]{32}",span_id="[0-9a-f]{16}"\} 0\.7 \d+\.\d{3}\n/);
    expect(page.endsWith('# EOF\n')).toBe(true);
  });

  test('is what promtool takes without a word', async ({ skip }) => {
    const page = await scrape(prometheusHandler(measured(), { tenants: 10 }));
    const { error, status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], {
      input: page,
      encoding: 'utf8',
    });
    if (error !== undefined) skip('promtool is not installed');
    expect([status, stdout, stderr]).toEqual([0, '', '']);
  });

  test('has as many tenants as it may, each under its label', async () => {
    const registry = measured();
    const one = await scrape(prometheusHandler(registry, { tenants: 1 }));
    expect(one.match(/^jobs_total.*$/gm)).toEqual(['jobs_total{tenant_id="globex"} 1']);
    const all = await scrape(prometheusHandler(registry, { tenants: 9, tenantLabel: 'customer' }));
    expect(all.match(/^jobs_total.*$/gm)?.sort()).toEqual([
      'jobs_total{customer="acme"} 1',
      'jobs_total{customer="globex"} 1',
    ]);
    expect(all.match(/^# TYPE jobs_total/gm)).toHaveLength(1);
    const few = await scrape(prometheusHandler(registry, { tenants: 9, maxSamples: 2 }));
    expect(few.split('\n').filter((line) => /^\w/.test(line) && !line.startsWith('target_info'))).toHaveLength(2);
  });

  test('takes nothing from what goes out as deltas', async () => {
    const to = await receiver();
    const registry = registryOf({ platform: { destination: { endpoint: to.url }, metrics: { temporality: 'delta' } } });
    const handler = prometheusHandler(registry);
    const counter = registry.platform.metrics.counter('c');
    counter.add(1);
    await scrape(handler);
    counter.add(2);
    expect(await scrape(handler)).toMatch(/^c_total 2$/m);
    await registry.flush();
    counter.add(4);
    expect(await scrape(handler)).toMatch(/^c_total 6$/m);
    await registry.flush();
    expect(receivedPoints(to, 'c').map(({ temporality, value }) => [temporality, value])).toEqual([
      ['delta', 1],
      ['delta', 2],
      ['delta', 4],
    ]);
  });

  test('answers node:http and the web alike, to GET and HEAD only', async () => {
    const registry = measured();
    const handler = prometheusHandler(registry);
    const server = createServer((request, response) => void handler(request, response)).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
    for (const ask of [
      (init: RequestInit) => fetch(url, init),
      (init: RequestInit) => handler(new Request(url, init)),
    ]) {
      const get = await ask({ headers: { accept: OPEN_METRICS } });
      expect(get.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
      expect(await get.text()).toContain('queue_size 2\n');
      const plain = await ask({
        headers: { accept: `text/plain;q=0.9,${OPEN_METRICS.replace(';version', ';q=0.2;version')}` },
      });
      expect(plain.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
      const head = await ask({ method: 'HEAD' });
      expect([head.status, await head.text()]).toEqual([200, '']);
      const post = await ask({ method: 'POST' });
      expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    }
  });

  test('tells of options that are not acceptable', () => {
    const registry = registryOf({});
    prometheusHandler(registry, { tenants: -1, tenantLabel: '__x', maxSamples: 0, more: 1 } as never);
    expect(
      registry
        .health()
        .issues.map(({ option }) => option)
        .sort(),
    ).toEqual(['prometheus.maxSamples', 'prometheus.more', 'prometheus.tenantLabel', 'prometheus.tenants']);
    expect(() => prometheusHandler(registryOf({ strict: true }), { tenants: -1 })).toThrow(/prometheus\.tenants/);
  });
});

describe('a name for Prometheus', () => {
  test.each([
    ['http.server.request.duration', 's', 'histogram', 'http_server_request_duration_seconds'],
    ['requests.total', '{request}', 'counter', 'requests'],
    ['disk-usage', '1', 'gauge', 'disk_usage_ratio'],
    ['io', 'By/s', 'gauge', 'io_bytes_per_second'],
    ['seconds', 's', 'gauge', 'seconds'],
    ['2xx', '', 'counter', '_2xx'],
    ['a..b/c', 'furlong', 'gauge', 'a_b_c_furlong'],
    ['rate', '1/min', 'gauge', 'rate_per_minute'],
  ] as const)('of %s in %s as a %s is %s', (name, unit, type, expected) => {
    expect(prometheusName(name, unit, type)).toBe(expected);
  });

  test('has no word for a unit that is only a note', () => {
    expect([unitName('{request}'), unitName('1'), unitName('')]).toEqual(['', '', '']);
  });
});

describe('prometheusText', () => {
  const point = (attributes: Record<string, unknown>, value: number) => ({
    attributes: { keys: Object.keys(attributes), values: Object.values(attributes) as never[] },
    startMillis: 0,
    atMillis: 0,
    exemplars: [],
    value,
  });
  const gauge = (name: string, ...points: ReturnType<typeof point>[]) =>
    ({ name, kind: 'gauge', unit: '', description: '', isInteger: false, shape: 'gauge', points }) as const;

  test('has no series twice and no label twice', () => {
    const text = prometheusText(
      [
        {
          labels: { tenant_id: 'a' },
          scopes: [
            {
              scope: { name: 'lib', version: '1' },
              metrics: [gauge('g', point({ 'a.b': 1, a_b: 2, tenant_id: 'b' }, 1), point({ '1x': true }, Number.NaN))],
            },
            { scope: { name: 'lib', version: '1' }, metrics: [gauge('g', point({ '1x': true }, 2))] },
          ],
        },
      ],
      { openMetrics: false, maxSamples: 100 },
    );
    const own = 'tenant_id="a",otel_scope_name="lib",otel_scope_version="1"';
    expect(text).toBe(`# TYPE g gauge\ng{${own},a_b="1;2",exported_tenant_id="b"} 1\ng{${own},key_1x="true"} NaN\n`);
  });

  test('leaves out what has another type under the same name', () => {
    const sum = { ...gauge('g', point({}, 5)), shape: 'sum', isMonotonic: false, temporality: 'cumulative' } as const;
    const counter = { ...sum, isMonotonic: true, name: 'h' } as const;
    const histogram = { ...gauge('h', point({}, 7)), shape: 'gauge' } as const;
    const text = prometheusText(
      [{ labels: {}, scopes: [{ scope: { name: 'isotrace' }, metrics: [counter, histogram] }] }],
      {
        openMetrics: false,
        maxSamples: 100,
      },
    );
    expect(text).toBe('# TYPE h_total counter\nh_total 5\n');
  });

  test('shows an exponential histogram by buckets', () => {
    const data = {
      ...gauge('h'),
      shape: 'exponential',
      temporality: 'cumulative',
      points: [
        { ...point({}, 0), count: 7, sum: 20, min: 0, max: 8, scale: 0, zeroCount: 1, offset: 0, buckets: [2, 4] },
      ],
    } as const;
    const text = prometheusText([{ labels: {}, scopes: [{ scope: { name: 'isotrace' }, metrics: [data] }] }], {
      openMetrics: false,
      maxSamples: 100,
    });
    expect(text.match(/^h_bucket.*$/gm)).toEqual([
      'h_bucket{le="0"} 1',
      'h_bucket{le="2"} 3',
      'h_bucket{le="4"} 7',
      'h_bucket{le="+Inf"} 7',
    ]);
  });
});
