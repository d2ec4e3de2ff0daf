import { SpanStatusCode } from '@opentelemetry/api';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { RegistryOptions, Tracer } from '../../src/index.ts';
import { PROTOBUF } from '../../src/processing/wire-format.ts';
import { settle } from '../support/fake-clock.ts';
import { startGrpcReceiver } from '../support/grpc-receiver.ts';
import { decodeTraceRequest } from '../support/otlp-decoder.ts';
import { decodeJsonTraceRequest } from '../support/otlp-json-decoder.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';
import { copyingWorld, endSpans, eventually, missing, receiverWith, registryWith } from './delivery-kit.ts';

interface Copy {
  readonly tenant: unknown;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

/** What a receiver got, with whose it is. */
function copiesIn(bodies: readonly Uint8Array[], isJson = false): Copy[] {
  return bodies.flatMap((body) =>
    (isJson ? decodeJsonTraceRequest(body) : decodeTraceRequest(body)).resourceSpans.flatMap(
      ({ resource: { attributes: resource }, scopeSpans }) =>
        scopeSpans.flatMap(({ scope, spans }) => {
          expect(scope.name).toBe('isotrace');
          return spans.map(({ name, attributes }) => ({ tenant: resource['tenant.id'], name, attributes, resource }));
        }),
    ),
  );
}

const copiesAt = ({ requests }: OtlpReceiver): Copy[] =>
  copiesIn(requests.filter(({ accepted }) => accepted).map(({ body }) => body));
const namesAt = (receiver: OtlpReceiver): string[] =>
  copiesAt(receiver)
    .map(({ tenant, name }) => `${String(tenant)}/${name}`)
    .sort();

describe('copies for the platform', () => {
  it('are of all tenants in one request, each with its resource and id; tenants see nothing of it', async () => {
    const { own, platform, registry } = await copyingWorld({});
    registry.platform.startSpan('own').end();
    for (const id of ['a', 'b', 'a'])
      registry
        .get(id)
        .startSpan(`of ${id}`, { attributes: { of: id } })
        .end();
    expect(await registry.flush()).toMatchObject({ ok: true, delivered: 7 });
    expect(namesAt(platform)).toEqual(['a/of a', 'a/of a', 'b/of b', 'undefined/own']);
    // The copies share one request; what is the platform's own has another.
    expect(platform.requests).toHaveLength(2);
    for (const { headers } of platform.requests) expect(headers['x-key']).toBe('of the platform');
    for (const { tenant, attributes, resource } of copiesAt(platform)) {
      if (tenant === undefined) continue;
      expect(resource).toMatchObject({ 'service.name': `service of ${String(tenant)}` });
      expect(attributes).toEqual({ of: tenant });
    }
    for (const id of ['a', 'b'] as const) {
      expect(own[id].spans().every(({ name }) => name === `of ${id}`)).toBe(true);
      expect(own[id].requests).toHaveLength(1);
      for (const { body, headers } of own[id].requests) {
        expect(Buffer.from(body).includes('tenant.id')).toBe(false);
        expect(headers['x-key']).toBe(`of ${id}`);
      }
    }
    expect(registry.get('a').stats().traces).toMatchObject({ created: 2, exported: 2 });
    expect(registry.platform.stats().traces).toMatchObject({ created: 4, exported: 4 });
  });

  it.each(['http/json', 'grpc'] as const)('go over %s as well', async (protocol) => {
    const http = await receiverWith();
    const grpc = await startGrpcReceiver();
    onTestFinished(() => grpc.close());
    const destination = { endpoint: protocol === 'grpc' ? grpc.url : http.url, protocol };
    const { registry } = await copyingWorld({ platform: { destination } });
    for (const id of ['a', 'b', 'a']) registry.get(id).startSpan(`of ${id}`).end();
    await registry.flush();
    const bodies = protocol === 'grpc' ? grpc.calls.map(({ body }) => body) : http.requests.map(({ body }) => body);
    expect(bodies).toHaveLength(1);
    const seen = copiesIn(bodies, protocol === 'http/json').map(({ tenant, name }) => `${String(tenant)}/${name}`);
    expect(seen.sort()).toEqual(['a/of a', 'a/of a', 'b/of b']);
  });

  it('are only of errors, or of a share of the traces, where that is asked for', async () => {
    const errors = await copyingWorld({ platformCopy: 'errors' });
    const failed = errors.registry.get('a').startSpan('failed');
    failed.setStatus({ code: SpanStatusCode.ERROR });
    failed.end();
    errors.registry.get('a').startSpan('fine').end();
    await errors.registry.flush();
    expect(namesAt(errors.platform)).toEqual(['a/failed']);
    expect(errors.own.a.spans()).toHaveLength(2);

    const share = await copyingWorld({ platformCopy: 0.5 });
    const traces = new Map<string, string>();
    for (let index = 0; index < 200; index += 1) {
      share.registry.get('a').withSpan(`root ${index}`, (span) => {
        traces.set(`root ${index}`, span.spanContext().traceId);
        share.registry.get('a').startSpan(`child of root ${index}`).end();
      });
    }
    await share.registry.flush();
    const names = new Set(copiesAt(share.platform).map(({ name }) => name));
    const roots = [...names].filter((name) => name.startsWith('root'));
    expect(roots.length).toBeGreaterThan(50);
    expect(roots.length).toBeLessThan(150);
    // Whole traces.
    for (const root of traces.keys()) expect(names.has(`child of ${root}`)).toBe(names.has(root));
  });

  it("show what the tenant's, then the platform's, then the destination's redaction leave", async () => {
    const second = await receiverWith();
    const first = await receiverWith();
    const order: string[] = [];
    const { own, registry } = await copyingWorld({
      tenant: () => ({ redact: { keys: ['a'], values: false } }),
      platform: {
        redact: {
          keys: ['b'],
          values: false,
          custom: (key, value) => {
            order.push(`${key}=${String(value)}`);
            return value;
          },
        },
        destination: [{ endpoint: first.url }, { endpoint: second.url, redact: { keys: ['c'], values: false } }],
      },
    });
    registry
      .get('a')
      .startSpan('work', { attributes: { a: '1', b: '2', c: '3', d: '4' } })
      .end();
    await registry.flush();
    const hidden = '[REDACTED]';
    expect(own.a.spans()[0]?.attributes).toEqual({ a: hidden, b: '2', c: '3', d: '4' });
    expect(copiesAt(first)[0]?.attributes).toEqual({ a: hidden, b: hidden, c: '3', d: '4' });
    expect(copiesAt(second)[0]?.attributes).toEqual({ a: hidden, b: hidden, c: hidden, d: '4' });
    expect(order).not.toContain('a=1');
  });

  it('are not encoded again where the same bytes are there', async () => {
    const encode = vi.spyOn(PROTOBUF, 'encode');
    onTestFinished(() => encode.mockRestore());
    const same = await copyingWorld({});
    same.registry.get('a').startSpan('work').end();
    expect(encode).toHaveBeenCalledTimes(1);
    const redacted = await copyingWorld({
      tenant: () => ({ redact: { keys: ['a'] } }),
      platform: { redact: { keys: ['b'] }, destination: { endpoint: same.platform.url } },
    });
    redacted.registry
      .get('a')
      .startSpan('work', { attributes: { a: 1 } })
      .end();
    expect(encode).toHaveBeenCalledTimes(2);
    redacted.registry
      .get('a')
      .startSpan('work', { attributes: { a: 1, b: 2 } })
      .end();
    expect(encode).toHaveBeenCalledTimes(4);
  });

  it('are made of what a tenant without destination has to tell, too, but not of what it may not send', async () => {
    const { platform, registry } = await copyingWorld({
      tenant: (id) => (id === 'a' ? { destination: [] } : { limits: { spansPerSecond: 1 } }),
    });
    endSpans(registry.get('a'), 1);
    endSpans(registry.get('b'), 5);
    await registry.flush();
    expect(namesAt(platform)).toEqual(['a/0', 'b/0']);
    expect(registry.get('a').stats().traces.dropped).toEqual({ no_destination: 1 });
    expect(registry.get('b').stats().traces.dropped).toEqual({ rate_limited: 4 });
  });

  it('carry the resource that was in force, also when several are in one request', async () => {
    let version = '1';
    const { platform, registry } = await copyingWorld({ tenant: () => ({ service: { name: 'a', version } }) });
    registry.get('a').startSpan('old').end();
    version = '2';
    expect(await registry.reconfigure('a')).toBe('changed');
    registry.get('a').startSpan('new').end();
    await registry.flush();
    expect(platform.requests).toHaveLength(1);
    const seen = copiesAt(platform).map(({ name, resource }) => `${name} ${String(resource['service.version'])}`);
    expect(seen.sort()).toEqual(['new 2', 'old 1']);
  });

  it('come with what waited for its configuration, and with the last spans before a shutdown', async () => {
    const platform = await receiverWith();
    const registry = registryWith({
      platformCopy: 'all',
      platform: { destination: { endpoint: platform.url } },
      configure: async () => ({ destination: [] }),
    });
    registry.get('a').startSpan('early').end();
    await registry.flush();
    registry.get('a').startSpan('late').end();
    const report = await registry.shutdown();
    expect(namesAt(platform)).toEqual(['a/early', 'a/late']);
    expect(report.tenants.find(({ tenantId }) => tenantId === 'platform')).toMatchObject({ delivered: 2, pending: 0 });
  });

  it('are delivered when tenants bring them in the middle of a shutdown', async () => {
    const { own, platform, registry } = await copyingWorld({});
    own.b.setFault({ mode: 'hang' });
    const open = registry.get('b').startSpan('late');
    registry.get('b').startSpan('early').end();
    const closing = registry.shutdown({ timeoutMillis: 3_000 });
    // By then the platform has nothing else to deliver.
    await eventually(
      () => own.b.requests.length > 0 && registry.platform.stats().traces.exported === 1,
      () => `${own.b.requests.length} requests, ${namesAt(platform).join(', ')}`,
    );
    await settle(10);
    open.end();
    const report = await closing;
    expect(namesAt(platform)).toEqual(['b/early', 'b/late']);
    expect(report.tenants).toMatchObject([
      { tenantId: 'b', delivered: 0, dropped: { shutdown_deadline: 2 } },
      { tenantId: 'platform', delivered: 2, pending: 0, dropped: {} },
    ]);
  });

  it.each(['hang', 'refused', 'status'] as const)('that go nowhere (%s) cost tenants nothing', async (kind) => {
    const { own, platform, registry } = await copyingWorld({
      platform: { destination: { endpoint: 'http://127.0.0.1:9' }, limits: { maxQueueSize: 100 } },
      maxTotalBytes: 64 * 1_024,
    });
    if (kind === 'hang') platform.setFault({ mode: 'hang' });
    if (kind === 'status') platform.setFault({ mode: 'status', status: 503 });
    const dead = kind === 'refused' ? registry : (await deadWorld(platform, own)).registry;
    for (let round = 0; round < 20; round += 1) {
      for (const id of ['a', 'b']) endSpans(dead.get(id), 50, round * 50);
      for (const id of ['a', 'b']) expect(await dead.get(id).flush()).toMatchObject({ ok: true, delivered: 50 });
    }
    for (const id of ['a', 'b']) {
      expect(dead.get(id).stats().traces).toMatchObject({ created: 1_000, exported: 1_000, dropped: {} });
      expect(dead.get(id).health().ok).toBe(true);
    }
    const { traces } = dead.platform.stats();
    expect(traces).toMatchObject({ created: 2_000, exported: 0 });
    expect(traces.dropped.queue_full).toBeGreaterThan(1_500);
    expect(missing(traces)).toBe(0);
  });

  /** A registry of the same tenants with a platform destination at `platform`. */
  async function deadWorld(platform: OtlpReceiver, own: Record<'a' | 'b', OtlpReceiver>) {
    const registry = registryWith({
      platformCopy: 'all',
      maxTotalBytes: 64 * 1_024,
      platform: { destination: { endpoint: platform.url }, limits: { maxQueueSize: 100 } },
      configure: (id) => ({ destination: { endpoint: own[id as 'a' | 'b'].url } }),
    });
    return { registry };
  }

  it('give way when the memory of the process is full, whoever holds more', async () => {
    const { own, platform, registry } = await copyingWorld({ maxTotalBytes: 40 * 1_024 });
    for (const receiver of [own.a, own.b, platform]) receiver.setFault({ mode: 'hang' });
    const note = { note: 'x'.repeat(900) };
    const end = (id: string, count: number) => {
      for (let index = 0; index < count; index += 1) registry.get(id).startSpan(`${index}`, { attributes: note }).end();
    };
    end('a', 15);
    expect(registry.platform.stats().traces.queued).toBe(15);
    end('b', 20);
    // Room for about 40 spans: the 35 of the tenants and five copies.
    for (const [id, count] of [
      ['a', 15],
      ['b', 20],
    ] as const) {
      expect(registry.get(id).stats().traces).toMatchObject({ created: count, queued: count, dropped: {} });
    }
    const { traces } = registry.platform.stats();
    expect(traces.dropped.queue_full).toBeGreaterThan(20);
    expect(missing(traces)).toBe(0);
  });

  it('of one tenant that floods leave room for the others', async () => {
    const platform = await receiverWith({ fault: { mode: 'status', status: 503 } });
    const own = registryWith({
      platformCopy: 'all',
      platform: { destination: { endpoint: platform.url }, limits: { maxQueueSize: 1_000 }, batch: { maxSize: 10 } },
      configure: () => ({ destination: [] }),
    });
    endSpans(own.get('noisy'), 5_000);
    for (const id of ['q1', 'q2', 'q3']) endSpans(own.get(id), 50);
    const { traces } = own.platform.stats();
    expect(traces).toMatchObject({ created: 5_150 });
    expect(missing(traces)).toBe(0);
    platform.setFault({ mode: 'ok' });
    expect(await own.shutdown({ timeoutMillis: 25_000 })).toMatchObject({ pending: 0 });
    const all = copiesAt(platform);
    const of = (id: string) => all.filter(({ tenant }) => tenant === id).length;
    for (const id of ['q1', 'q2', 'q3']) expect(of(id)).toBe(50);
    expect(of('noisy')).toBeGreaterThan(400);
    expect(of('noisy')).toBeLessThan(600);
  });

  it('that the platform cannot redact are dropped, in its own account', async () => {
    const { own, platform, registry } = await copyingWorld({});
    const failing = registryWith({
      platformCopy: 'all',
      platform: {
        destination: { endpoint: platform.url },
        redact: {
          custom: () => {
            throw new Error('of the platform');
          },
        },
      },
      configure: () => ({ destination: { endpoint: own.a.url } }),
    });
    failing
      .get('a')
      .startSpan('work', { attributes: { secret: 'CANARY' } })
      .end();
    await failing.flush();
    expect(own.a.spans()).toHaveLength(1);
    expect(failing.get('a').health()).toMatchObject({ ok: true, errors: {} });
    for (const { body } of platform.requests) expect(Buffer.from(body).includes('CANARY')).toBe(false);
    expect(missing(failing.platform.stats().traces)).toBe(0);
    await registry.shutdown({ timeoutMillis: 0 });
  });

  it('are told apart in health', async () => {
    const { platform, registry } = await copyingWorld({});
    registry.platform.startSpan('own').end();
    registry.get('a').startSpan('work').end();
    expect(registry.platform.health().destinations.map(({ destination }) => destination)).toEqual([
      `${platform.url}/v1/traces`,
      `${platform.url}/v1/traces (copies)`,
    ]);
    await registry.flush();
  });

  it.each<[RegistryOptions<Tracer>, string[]]>([
    [{ platformCopy: 'all', platform: false }, ['platformCopy']],
    [{ platformCopy: 'errors', platform: {} }, ['platformCopy']],
    [{ platformCopy: 'none' as never, platform: {} }, ['platformCopy']],
    [{ platformCopy: 1.1, platform: {} }, ['platformCopy']],
    [{ platformCopy: true as never, platform: {} }, ['platformCopy']],
    [{ platformCopy: 0, platform: false }, []],
    [{ platformCopy: false, platform: false }, []],
    [{ platformCopy: 0.5, destination: { endpoint: 'http://host' }, platform: {} }, []],
  ])('need a platform tracer with a destination, and one of the accepted values (%j)', (options, expected) => {
    const registry = registryWith(options);
    expect(registry.health().issues.map(({ option }) => option)).toEqual(expected);
  });

  it('are not made unless they are asked for', async () => {
    const { platform, registry } = await copyingWorld({ platformCopy: undefined });
    registry.get('a').startSpan('work').end();
    await registry.flush();
    expect(platform.requests).toHaveLength(0);
    await eventually(
      () => registry.get('a').stats().traces.exported === 1,
      () => 'delivered',
    );
  });
});
