import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TracerRegistry } from 'isotrace';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Dashboard, HealthPage, PendingPage, TenantHealth, TraceSummary } from '../../../src/dashboard.ts';
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
