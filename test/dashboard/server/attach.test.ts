import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TracerRegistry } from 'isotrace';
import { describe, expect, it, onTestFinished } from 'vitest';
import type {
  Dashboard,
  HealthPage,
  LogRecord,
  MetricAnswer,
  MetricSummary,
  PendingPage,
  TenantHealth,
  TraceSummary,
} from '../../../src/dashboard.ts';
import { SILENT } from '../../support/tenant-receivers.ts';
import { getJson, openDashboard } from './dashboard-kit.ts';

type Options = NonNullable<ConstructorParameters<typeof TracerRegistry>[0]>;

function openRegistry(options: Options = {}): TracerRegistry {
  const registry = new TracerRegistry({ logger: SILENT, configure: () => ({ destination: [] }), ...options } as never);
  onTestFinished(async () => void (await registry.shutdown({ timeoutMillis: 10 })));
  return registry as TracerRegistry;
}

/** A receiver that answers one status to everything. */
async function openReceiver(status: number): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => response.writeHead(status).end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function tracesOf(dashboard: Dashboard, headers = {}): Promise<string[]> {
  const { value } = await getJson<{ traces: TraceSummary[] }>(dashboard, '/api/v1/traces?limit=1000', headers);
  return value.traces.map(({ tenant, name }) => `${tenant}: ${name}`).sort();
}

async function healthOf(dashboard: Dashboard, tenant: string, headers = {}): Promise<TenantHealth | undefined> {
  const { value } = await getJson<HealthPage>(dashboard, '/api/v1/health', headers);
  return value.tenants.find((health) => health.tenant === tenant);
}

async function pendingOf(dashboard: Dashboard, query = '', headers = {}): Promise<PendingPage> {
  return (await getJson<PendingPage>(dashboard, `/api/v1/pending${query}`, headers)).value;
}

describe('an attached registry', () => {
  it('is shown tenant by tenant, with and without destinations, JSON or an exporter of its own', async () => {
    const dashboard = await openDashboard();
    const endpoint = await openReceiver(200);
    const registry = openRegistry({
      configure: (tenantId) => {
        if (tenantId === 'nowhere') return { destination: [] };
        if (tenantId === 'json') return { destination: { endpoint, protocol: 'http/json' } };
        if (tenantId === 'exporter') {
          return { destination: [], exporter: { export: (_, done) => done({ code: 0 }), shutdown: async () => {} } };
        }
        return { destination: { endpoint } };
      },
    });
    registry.get('before').startSpan('too early').end();
    dashboard.attach(registry);
    for (const tenant of ['nowhere', 'json', 'exporter', 'plain']) registry.get(tenant).startSpan('work').end();
    registry.platform.startSpan('own').end();
    expect(await tracesOf(dashboard)).toEqual([
      '(platform): own',
      ...['exporter: work', 'json: work', 'nowhere: work', 'plain: work'],
    ]);
  });

  it('loses nothing of the spans on their way to the store', async () => {
    const dashboard = await openDashboard();
    const registry = openRegistry({ configure: () => ({ destination: [], resource: { 'service.name': 'shop' } }) });
    dashboard.attach(registry);
    const tracer = registry.get('acme');
    const error = new Error('boom');
    tracer.withSpan('root', (span) => {
      span.setAttributes({ count: 3, ratio: 0.5, list: ['a', 'b'] });
      span.addEvent('halfway', { at: 1 });
      tracer.startSpan('child', { kind: 2 }).end();
      span.recordException(error);
      span.setStatus({ code: 2, message: 'boom' });
    });
    const { value: page } = await getJson<{ traces: TraceSummary[] }>(dashboard, '/api/v1/traces');
    const [trace] = page.traces;
    expect(trace).toMatchObject({ tenant: 'acme', name: 'root', spans: 2, errors: 1 });
    const { value } = await getJson<{ spans: object[] }>(dashboard, `/api/v1/traces/${trace?.traceId}`);
    const root = value.spans.find((span) => (span as { name: string }).name === 'root');
    expect(root).toMatchObject({
      attributes: { count: 3, ratio: 0.5, list: ['a', 'b'] },
      events: [{ name: 'halfway', attributes: { at: 1 } }, { name: 'exception' }],
      status: { code: 'error', message: 'boom' },
    });
  });

  it('shows a token only the tenants that it may see', async () => {
    const token = [{ token: 'all-of-them-please' }, { token: 'nobody-but-acme-0', tenants: ['acme'] }];
    const dashboard = await openDashboard({ token });
    const limited = { authorization: 'Bearer nobody-but-acme-0' };
    const registry = openRegistry();
    dashboard.attach(registry);
    const open = ['acme', 'globex'].map((tenant) => registry.get(tenant).startSpan(`open in ${tenant}`));
    for (const tenant of ['acme', 'globex']) registry.get(tenant).startSpan('done').end();
    registry.platform.startSpan('own').end();
    expect(await tracesOf(dashboard, limited)).toEqual(['acme: done']);
    const { value } = await getJson<HealthPage>(dashboard, '/api/v1/health', limited);
    expect(value.tenants.map(({ tenant }) => tenant)).toEqual(['acme']);
    expect((await pendingOf(dashboard, '', limited)).pending.map(({ name }) => name)).toEqual(['open in acme']);
    expect((await getJson(dashboard, '/api/v1/health?tenant=globex', limited)).status).toBe(403);
    expect((await getJson(dashboard, '/api/v1/pending?tenant=globex', limited)).status).toBe(403);
    const everything = { authorization: 'Bearer all-of-them-please' };
    expect((await pendingOf(dashboard, '', everything)).pending).toHaveLength(2);
    for (const span of open) span.end();
  });

  it('shows open spans until they end, redacted, and none of a tenant whose configuration has not come by name', async () => {
    const dashboard = await openDashboard();
    let configured: (() => void) | undefined;
    const registry = openRegistry({
      configure: (tenantId) =>
        tenantId === 'slow'
          ? new Promise((resolve) => {
              configured = () => resolve({ destination: [] });
            })
          : { destination: [], redact: { keys: ['card'] } },
    });
    dashboard.attach(registry);
    const span = registry.get('acme').startSpan('pay', { kind: 1, attributes: { card: 'secret', amount: 3 } });
    const waiting = registry.get('slow').startSpan('secret name');
    const { pending } = await pendingOf(dashboard);
    const ofAcme = pending.find(({ tenant }) => tenant === 'acme');
    expect(ofAcme).toEqual({
      ...{ tenant: 'acme', registry: 1, name: 'pay', kind: 'server', parentSpanId: '' },
      traceId: span.spanContext().traceId,
      spanId: span.spanContext().spanId,
      startMillis: expect.any(Number),
      attributes: { card: '[REDACTED]', amount: 3 },
    });
    expect(pending.find(({ tenant }) => tenant === 'slow')).toMatchObject({ name: '', attributes: {} });
    expect((await healthOf(dashboard, 'acme'))?.open).toBe(1);
    const child = registry.get('acme').startSpan('later');
    const page = await pendingOf(dashboard, '?tenant=acme&limit=1');
    expect(page).toMatchObject({ pending: [{ name: 'later' }], more: 1 });
    configured?.();
    for (const open of [span, waiting, child]) open.end();
    expect((await pendingOf(dashboard)).pending).toEqual([]);
    expect((await healthOf(dashboard, 'acme'))?.open).toBe(0);
  });

  it('tells accounts, drops by reason, breakers and refused credentials, those in trouble first', async () => {
    const dashboard = await openDashboard();
    const [well, refusing] = [await openReceiver(200), await openReceiver(401)];
    const registry = openRegistry({
      configure: (tenantId) => {
        if (tenantId === 'lossy') return { destination: { endpoint: well }, limits: { spansPerSecond: 1 } };
        return { destination: { endpoint: tenantId === 'refused' ? refusing : well } };
      },
    });
    dashboard.attach(registry);
    for (const tenant of ['a-well', 'lossy', 'refused']) {
      for (let count = 0; count < 3; count += 1) registry.get(tenant).startSpan('work').end();
    }
    await registry.flush({ timeoutMillis: 2_000 });
    const { value } = await getJson<HealthPage>(dashboard, '/api/v1/health');
    expect(value).toMatchObject({ attached: 1, more: 0 });
    expect(value.tenants.map(({ tenant }) => tenant)).toEqual(['lossy', 'refused', 'a-well']);
    const [lossy, refused, fine] = value.tenants;
    expect(lossy?.signals.traces).toMatchObject({ created: 3, dropped: { rate_limited: 2 } });
    expect(refused).toMatchObject({
      ok: false,
      destinations: [{ breaker: 'open', credentials: 'refused', condition: 'unauthorized', queued: 3 }],
      signals: { traces: { created: 3, exported: 0, queued: 3 } },
    });
    expect(fine).toMatchObject({
      ok: true,
      lost: 0,
      destinations: [{ breaker: 'closed', credentials: 'ok', queued: 0 }],
      signals: { traces: { created: 3, exported: 3, queued: 0, dropped: {} } },
    });
    expect((await getJson<HealthPage>(dashboard, '/api/v1/health?limit=1')).value).toMatchObject({
      tenants: [{ tenant: 'lossy' }],
      more: 2,
    });
  });

  it('is told to live pages, and again when something changes', async () => {
    const dashboard = await openDashboard();
    const registry = openRegistry();
    dashboard.attach(registry);
    const span = registry.get('acme').startSpan('long');
    const controller = new AbortController();
    onTestFinished(() => controller.abort());
    const { body } = await fetch(`${dashboard.url}/api/v1/live?tenant=acme`, { signal: controller.signal });
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    let text = '';
    const next = async (): Promise<{ health: HealthPage; pending: PendingPage }> => {
      for (;;) {
        const event = /^event: health\ndata: (.*)\n\n/m.exec(text);
        if (event !== null) {
          text = text.slice(event.index + event[0].length);
          return JSON.parse(event[1] ?? '') as never;
        }
        const { value } = await reader.read();
        text += Buffer.from(value ?? []).toString();
      }
    };
    const first = await next();
    expect(first.health.tenants).toMatchObject([{ tenant: 'acme', open: 1 }]);
    expect(first.pending.pending).toMatchObject([{ name: 'long' }]);
    span.end();
    await dashboard.update();
    const second = await next();
    expect(second.health.tenants).toMatchObject([{ tenant: 'acme', open: 0 }]);
    expect(second.pending.pending).toEqual([]);
    expect(text.includes('"name":"long"') || (await tracesOf(dashboard)).includes('acme: long')).toBe(true);
  });

  it('keeps a bounded amount between two flushes, fairly, and counts what it could not keep', async () => {
    const dashboard = await openDashboard({ flushMillis: 60_000 });
    const limits = { attributeValueLengthLimit: 200_000 };
    const registry = openRegistry({ configure: () => ({ destination: [], limits }) });
    dashboard.attach(registry);
    const payload = 'x'.repeat(100_000);
    const started = 300;
    for (let count = 0; count < started; count += 1) {
      registry.get('noisy').startSpan('big', { attributes: { payload } }).end();
    }
    registry.get('quiet').startSpan('small').end();
    const { value } = await getJson<{ tenants: { tenant: string; stored: { traces: number } }[] }>(
      dashboard,
      '/api/v1/tenants',
    );
    const stored = Object.fromEntries(value.tenants.map(({ tenant, stored: { traces } }) => [tenant, traces]));
    const lost = (await healthOf(dashboard, 'noisy'))?.lost ?? 0;
    expect(lost).toBeGreaterThan(100);
    expect(Number(stored['noisy']) + lost).toBe(started);
    expect(stored['quiet']).toBe(1);
    expect((await healthOf(dashboard, 'quiet'))?.lost).toBe(0);
  });

  it('is not shown any more once it is detached', async () => {
    const dashboard = await openDashboard();
    const registry = openRegistry();
    const attachment = dashboard.attach(registry);
    expect(dashboard.attach(registry)).toBe(attachment);
    registry.get('acme').startSpan('before').end();
    const open = registry.get('acme').startSpan('open');
    attachment.detach();
    attachment.detach();
    open.end();
    registry.get('acme').startSpan('after').end();
    expect(await tracesOf(dashboard)).toEqual(['acme: before']);
    expect((await getJson<HealthPage>(dashboard, '/api/v1/health')).value).toEqual({
      attached: 0,
      tenants: [],
      more: 0,
    });
    expect((await pendingOf(dashboard)).pending).toEqual([]);
    const again = dashboard.attach(registry);
    registry.get('acme').startSpan('again').end();
    expect(await tracesOf(dashboard)).toEqual(['acme: again', 'acme: before']);
    again[Symbol.dispose]();
  });

  it('is shown by one dashboard at a time, and has to be a registry', async () => {
    const [first, second] = [await openDashboard(), await openDashboard()];
    const registry = openRegistry();
    first.attach(registry);
    expect(() => second.attach(registry)).toThrow(/no other dashboard/);
    await first.close();
    second.attach(registry);
    registry.get('acme').startSpan('work').end();
    expect(await tracesOf(second)).toEqual(['acme: work']);
    expect(() => second.attach({} as never)).toThrow(/attach needs/);
    expect(() => first.attach(openRegistry())).toThrow(/while the dashboard is open/);
  });

  it('never shows a tenant what is of the platform, when both have one name', async () => {
    const dashboard = await openDashboard();
    const registry = openRegistry();
    dashboard.attach(registry, { platform: 'ops' });
    registry.get('ops').startSpan('of a tenant').end();
    registry.platform.startSpan('of the platform').end();
    expect(await tracesOf(dashboard)).toEqual(['ops: of the platform']);
    const { value } = await getJson<HealthPage>(dashboard, '/api/v1/health');
    expect(value.tenants.map(({ platform, lost }) => [platform, lost])).toEqual([
      [false, 1],
      [true, 0],
    ]);
  });
});

describe('logs and metrics of an attached registry', () => {
  const resource = { service: { name: 'shop' }, attributes: { 'host.name': 'h1' } };

  async function logsOf(dashboard: Dashboard): Promise<LogRecord[]> {
    const { value } = await getJson<{ logs: LogRecord[] }>(dashboard, '/api/v1/logs?limit=1000');
    return value.logs;
  }

  async function seriesOf(dashboard: Dashboard, name: string, by = 'tenant'): Promise<Record<string, number>> {
    const path = `/api/v1/metrics/query?name=${name}&aggregation=last&by=${by}`;
    const { value } = await getJson<MetricAnswer>(dashboard, path);
    return Object.fromEntries(value.series.map(({ labels, points }) => [labels[by], points.at(-1)?.[1] ?? Number.NaN]));
  }

  it('come with tenant, resource, scope and trace, whether the tenant has destinations or not', async () => {
    const dashboard = await openDashboard();
    const endpoint = await openReceiver(200);
    const registry = openRegistry({
      configure: (tenantId) => {
        if (tenantId === 'nowhere') return { destination: [], ...resource };
        const protocol = tenantId === 'json' ? 'http/json' : 'http/protobuf';
        return { destination: { endpoint, protocol }, ...resource };
      },
    });
    registry.get('before').log.info('too early');
    dashboard.attach(registry);
    const tenants = ['nowhere', 'json', 'plain'];
    const traceIds = new Map<string, string>();
    for (const [index, tenant] of tenants.entries()) {
      const tracer = registry.get(tenant);
      tracer.withSpan('work', (span) => {
        traceIds.set(tenant, span.spanContext().traceId);
        tracer.log.warn('stock is low', { sku: `of ${tenant}` });
      });
      tracer.metrics.counter('orders', { unit: '{order}' }).add(index + 1, { plan: tenant });
      tracer.metrics.histogram('cart.value').record(10 * (index + 1));
      tracer.meterProvider.getMeter('library', '1.2').createGauge('depth').record(index);
    }
    registry.platform.log.error('of the platform');
    await registry.flush({ timeoutMillis: 2_000 });
    const logs = await logsOf(dashboard);
    expect(logs).toHaveLength(4);
    for (const tenant of tenants) {
      expect(logs.find((log) => log.tenant === tenant)).toMatchObject({
        body: 'stock is low',
        severityText: 'WARN',
        attributes: { sku: `of ${tenant}` },
        resource: { 'service.name': 'shop', 'host.name': 'h1' },
        scope: { name: 'isotrace' },
        traceId: traceIds.get(tenant),
      });
    }
    expect(logs.find((log) => log.tenant === '(platform)')).toMatchObject({ body: 'of the platform' });
    expect(await seriesOf(dashboard, 'orders')).toEqual({ nowhere: 1, json: 2, plain: 3 });
    expect(await seriesOf(dashboard, 'orders', 'plan')).toEqual({ nowhere: 1, json: 2, plain: 3 });
    expect(await seriesOf(dashboard, 'depth', 'service')).toHaveProperty('shop');
    const { value } = await getJson<{ metrics: MetricSummary[] }>(dashboard, '/api/v1/metrics?query=scope:library');
    expect(value.metrics).toMatchObject([{ name: 'depth', tenants: tenants.toSorted(), services: ['shop'] }]);
    const account = registry.get('plain').stats();
    expect(account.metrics).toMatchObject({ created: 3, exported: 3 });
    expect(registry.get('nowhere').stats().metrics.created).toBe(0);
    expect((await healthOf(dashboard, 'plain'))?.lost).toBe(0);
  });

  it('show what destinations may not see, but nothing that the tenant itself hides', async () => {
    const dashboard = await openDashboard();
    const endpoint = await openReceiver(200);
    const registry = openRegistry({
      configure: () => ({ destination: { endpoint, redact: { keys: ['plan'] } }, redact: { keys: ['card'] } }),
    });
    dashboard.attach(registry);
    const tracer = registry.get('acme');
    tracer.log.info('paid', { card: '4111', plan: 'free' });
    tracer.metrics.counter('paid').add(1, { card: '4111', plan: 'free' });
    await registry.flush({ timeoutMillis: 2_000 });
    expect((await logsOf(dashboard))[0]?.attributes).toEqual({ card: '[REDACTED]', plan: 'free' });
    expect(await seriesOf(dashboard, 'paid', 'card')).toEqual({ '[REDACTED]': 1 });
    expect(await seriesOf(dashboard, 'paid', 'plan')).toEqual({ free: 1 });
  });

  it('are told to live pages', async () => {
    const dashboard = await openDashboard();
    const registry = openRegistry();
    dashboard.attach(registry);
    const controller = new AbortController();
    onTestFinished(() => controller.abort());
    const { body } = await fetch(`${dashboard.url}/api/v1/live`, { signal: controller.signal });
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    let text = '';
    const read = async (until: RegExp): Promise<void> => {
      while (!until.test(text)) text += Buffer.from((await reader.read()).value ?? []).toString();
    };
    await read(/event: update/);
    registry.get('acme').log.info('as it happens');
    registry.get('acme').metrics.counter('orders').add(1);
    await registry.flush({ timeoutMillis: 2_000 });
    await dashboard.update();
    await read(/"metrics":1[\s\S]*as it happens|as it happens[\s\S]*"metrics":1/);
    expect(text).toContain('"tenant":"acme"');
  });

  it('are seen by a token of their tenant only', async () => {
    const token = [{ token: 'all-of-them-please' }, { token: 'nobody-but-acme-0', tenants: ['acme'] }];
    const dashboard = await openDashboard({ token });
    const registry = openRegistry();
    dashboard.attach(registry);
    for (const tenant of ['acme', 'globex']) {
      registry.get(tenant).log.info(`of ${tenant}`);
      registry.get(tenant).metrics.counter(`orders.${tenant}`).add(1);
    }
    await registry.flush({ timeoutMillis: 2_000 });
    const limited = { authorization: 'Bearer nobody-but-acme-0' };
    const { value: page } = await getJson<{ logs: LogRecord[] }>(dashboard, '/api/v1/logs', limited);
    expect(page.logs.map(({ body }) => body)).toEqual(['of acme']);
    const { value } = await getJson<{ metrics: MetricSummary[] }>(dashboard, '/api/v1/metrics', limited);
    expect(value.metrics.map(({ name }) => name)).toEqual(['orders.acme']);
  });

  it('are bounded together with spans, and what is too much is counted', async () => {
    const dashboard = await openDashboard({ flushMillis: 60_000 });
    const registry = openRegistry({ configure: () => ({ destination: [] }) });
    dashboard.attach(registry);
    const payload = 'x'.repeat(100_000);
    const sent = 300;
    for (let count = 0; count < sent; count += 1) registry.get('noisy').log.info(payload);
    const counter = registry.get('noisy').metrics.counter('many');
    for (let count = 0; count < 100; count += 1) counter.add(1, { number: count, long: 'y'.repeat(900) });
    registry.get('quiet').log.info('small');
    registry.get('quiet').metrics.counter('few').add(1);
    await registry.flush({ timeoutMillis: 2_000 });
    const noisy = (await healthOf(dashboard, 'noisy'))?.lost ?? 0;
    const { value } = await getJson<{ tenants: { tenant: string; stored: { logs: number; metrics: number } }[] }>(
      dashboard,
      '/api/v1/tenants',
    );
    const stored = Object.fromEntries(value.tenants.map((tenant) => [tenant.tenant, tenant.stored]));
    expect(noisy).toBeGreaterThan(100);
    expect((stored['noisy']?.logs ?? 0) + (stored['noisy']?.metrics ?? 0) + noisy).toBe(sent + 100);
    expect(stored['quiet']).toMatchObject({ logs: 1, metrics: 1 });
  });

  it('end with the attachment, and cost nothing where nobody is attached', async () => {
    const dashboard = await openDashboard();
    const registry = openRegistry();
    const attachment = dashboard.attach(registry);
    const tracer = registry.get('acme');
    tracer.log.info('before');
    tracer.metrics.counter('orders').add(1);
    await registry.flush({ timeoutMillis: 2_000 });
    attachment.detach();
    tracer.log.info('after');
    tracer.metrics.counter('orders').add(1);
    await registry.flush({ timeoutMillis: 2_000 });
    expect((await logsOf(dashboard)).map(({ body }) => body)).toEqual(['before']);
    expect(await seriesOf(dashboard, 'orders')).toEqual({ acme: 1 });
    dashboard.attach(registry);
    await registry.flush({ timeoutMillis: 2_000 });
    expect(await seriesOf(dashboard, 'orders')).toEqual({ acme: 2 });
  });

  it('of delta counters are each shown once, beside a destination that reads cumulative ones', async () => {
    const dashboard = await openDashboard();
    const endpoint = await openReceiver(200);
    const registry = openRegistry({
      configure: () => ({
        destination: [
          { endpoint, temporality: 'delta' as const },
          { endpoint, temporality: 'cumulative' as const },
        ],
      }),
    });
    dashboard.attach(registry);
    for (const count of [1, 2]) {
      registry.get('acme').metrics.counter('orders').add(count);
      await registry.flush({ timeoutMillis: 2_000 });
    }
    const { value } = await getJson<MetricAnswer>(dashboard, '/api/v1/metrics/query?name=orders&aggregation=sum');
    expect(value.metric).toMatchObject({ temporality: 'delta' });
    expect(value.series.flatMap(({ points }) => points).reduce((sum, [, point]) => sum + point, 0)).toBe(3);
  });
});
