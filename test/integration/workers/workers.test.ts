import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { TracerRegistry } from '../../../src/index.ts';
import { captureScope, continueScope, createWorkerTracer, receiveSpans } from '../../../src/workers.ts';
import { decodeTraceRequest } from '../../support/otlp-decoder.ts';
import { startReceiver } from '../../support/otlp-receiver.ts';
import { SILENT } from '../../support/tenant-receivers.ts';
import { ERROR, only, startWorld } from '../messaging/messaging-kit.ts';
import { startChild, startWorker, type Task } from './worker-kit.ts';

const LIMIT = 60_000;
const TRACE = 'a'.repeat(32);

function taskFor(scope: Task['scope'], names = ['outer', 'inner']): Task {
  return { scope, names, ending: 'shutdown' };
}

describe('a worker thread', () => {
  it(
    'continues the trace and session of its tenant, and its spans leave through the parent, with two tenants at a time',
    async () => {
      const world = await startWorld();
      const { registry } = world;
      const run = async (tenant: string) => {
        const tracer = registry.get(tenant);
        return tracer.withSession(`visit of ${tenant}`, () =>
          tracer.withSpan('request', async () => {
            const { port, ended } = startWorker(taskFor(captureScope(tracer), ['outer', 'fails']));
            const received = receiveSpans(registry, tenant, port);
            await ended;
            return received.stats();
          }),
        );
      };
      const stats = await Promise.all([run('acme'), run('globex')]);
      for (const [index, tenant] of (['acme', 'globex'] as const).entries()) {
        expect(stats[index]).toEqual({ tenantId: tenant, state: 'closed', taken: 2, refused: 0, unsent: 0 });
        const spans = await world.spans(tenant);
        const outer = only(spans, 'outer');
        const fails = only(spans, 'fails');
        expect(outer.parentSpanId).toBe(only(spans, 'request').spanId);
        expect([fails.parentSpanId, fails.traceId]).toEqual([outer.spanId, only(spans, 'request').traceId]);
        expect(fails.status).toEqual({ code: ERROR, message: 'no stock' });
        expect(fails.events.map(({ name, attributes }) => [name, attributes])).toEqual([['worked', { part: 1 }]]);
        expect(outer.attributes).toMatchObject({ thread: 'worker', 'session.id': `visit of ${tenant}` });
        expect(spans).toHaveLength(3);
        expect(registry.get(tenant).stats().traces).toMatchObject({ created: 3, exported: 3, queued: 0 });
      }
    },
    LIMIT,
  );

  it(
    'exports by itself with a registry of its own, as the tenant that its scope names',
    async () => {
      const world = await startWorld();
      const own = await startReceiver();
      const tracer = world.registry.get('acme');
      const started = tracer.withSpan('request', () =>
        startWorker({ ...taskFor(captureScope(tracer)), endpoint: own.url }),
      );
      await started.ended;
      const request = only(await world.spans('acme'), 'request');
      expect(only(own.spans(), 'outer').parentSpanId).toBe(request.spanId);
      await own.close();
    },
    LIMIT,
  );

  it(
    'that dies loses what it had not sent, and the parent tells',
    async () => {
      const world = await startWorld();
      const { port, ended } = startWorker({ scope: undefined, names: ['kept'], ending: 'abandon' });
      const closed = once(port, 'close');
      const received = receiveSpans(world.registry, 'acme', port);
      await ended;
      await closed;
      const { state, taken } = received.stats();
      expect([state, taken]).toEqual(['lost', 4]);
      const names = (await world.spans('acme')).map(({ name }) => name);
      expect(names.sort()).toEqual(['kept', 'late 0', 'late 1', 'late 2']);
    },
    LIMIT,
  );
});

describe('a child process', () => {
  it(
    'hands its spans to the parent over IPC, and ends when it has nothing more to do',
    async () => {
      const world = await startWorld();
      const tracer = world.registry.get('globex');
      const { received, ended } = tracer.withSpan('request', () => {
        const { child, ended: end } = startChild(taskFor(captureScope(tracer)));
        return { received: receiveSpans(world.registry, 'globex', child), ended: end };
      });
      expect(await ended).toEqual([0, null]);
      const spans = await world.spans('globex');
      expect(only(spans, 'outer').parentSpanId).toBe(only(spans, 'request').spanId);
      expect(received.stats()).toMatchObject({ state: 'closed', taken: 2, refused: 0 });
      expect((await world.spans('acme')).length).toBe(0);
    },
    LIMIT,
  );

  it(
    'that is killed is told as lost',
    async () => {
      const world = await startWorld();
      const { child, ended } = startChild({ scope: undefined, names: ['kept'], ending: 'stay' });
      const received = receiveSpans(world.registry, 'acme', child);
      await world.until('acme', (found) => found.length === 1);
      child.kill('SIGKILL');
      await ended;
      expect(received.stats().state).toBe('lost');
    },
    LIMIT,
  );
});

describe('the channel between a worker and its parent', () => {
  const ports: { close(): void }[] = [];
  afterEach(() => {
    for (const port of ports.splice(0)) port.close();
  });

  const openChannel = (): MessageChannel => {
    const channel = new MessageChannel();
    ports.push(channel.port1, channel.port2);
    return channel;
  };
  const span = (change: object = {}): object => ({
    traceId: TRACE,
    spanId: 'b'.repeat(16),
    name: 'by hand',
    startTime: [1_700_000_000, 0],
    endTime: [1_700_000_000, 5_000_000],
    ...change,
  });

  it('takes what a program without this package writes, and nothing of it says whose span it is', async () => {
    const world = await startWorld();
    const { port1, port2 } = openChannel();
    const received = receiveSpans(world.registry, 'acme', port1);
    const scope = { name: 'plugin', version: '2' };
    const named = { tenantId: 'globex', tenant: 'globex', attributes: { tenantId: 'globex', size: 3 }, scope };
    const answered = once(port2, 'message');
    port2.postMessage({ isotrace: 'spans', version: 1, batch: 7, tenantId: 'globex', spans: [span(named)] });
    expect(await answered).toEqual([{ isotrace: 'taken', version: 1, batch: 7 }]);
    const [taken] = await world.spans('acme');
    expect(taken).toMatchObject({
      traceId: TRACE,
      name: 'by hand',
      kind: 1,
      startTimeUnixNano: 1_700_000_000_000_000_000n,
    });
    expect(Number((taken?.endTimeUnixNano ?? 0n) - (taken?.startTimeUnixNano ?? 0n))).toBe(5_000_000);
    expect(taken?.attributes).toEqual({ tenantId: 'globex', size: 3 });
    const [resource] = world.receivers.acme.requests.flatMap(({ body }) => decodeTraceRequest(body).resourceSpans);
    expect(resource?.scopeSpans[0]?.scope).toEqual(scope);
    expect(await world.spans('globex')).toEqual([]);
    expect(received.stats().taken).toBe(1);
  });

  it('refuses and counts what is no span, and survives whatever else comes', async () => {
    const world = await startWorld();
    const { port1, port2 } = openChannel();
    const received = receiveSpans(world.registry, 'acme', port1);
    const rubbish = [
      null,
      'spans',
      { isotrace: 'spans', version: 2, spans: [span()] },
      { isotrace: 'spans', version: 1 },
      { isotrace: 'taken', version: 1, batch: 1 },
    ];
    for (const message of rubbish) port2.postMessage(message);
    const bad = [
      null,
      span({ traceId: '0'.repeat(32) }),
      span({ spanId: 'x' }),
      span({ parentSpanId: 7 }),
      span({ name: 7 }),
      span({ startTime: 'now' }),
      span({ endTime: [-1, 0] }),
    ];
    const odd = span({
      kind: 99,
      attributes: [1],
      events: [null, {}],
      links: [{ context: 1 }],
      status: 'bad',
      scope: 4,
    });
    const answered = once(port2, 'message');
    port2.postMessage({ isotrace: 'spans', version: 1, batch: 1, ended: -1, dropped: 'x', spans: [...bad, odd] });
    await answered;
    expect(received.stats()).toEqual({ tenantId: 'acme', state: 'open', taken: 1, refused: bad.length, unsent: 0 });
    const { traces } = world.registry.get('acme').stats();
    expect([traces.created, traces.dropped]).toEqual([bad.length + 1, { unserializable: bad.length }]);
    expect((await world.spans('acme')).map(({ kind, events, links }) => [kind, events, links])).toEqual([[1, [], []]]);
  });

  it('looks at no more of a message than a worker sends, however long that says it is', async () => {
    const world = await startWorld();
    const { port1, port2 } = openChannel();
    const received = receiveSpans(world.registry, 'acme', port1);
    // A few bytes on the channel each.
    const many: unknown[] = new Array(2 ** 32 - 1);
    const spans: unknown[] = [span({ events: many, links: many })];
    spans.length = 2 ** 32 - 1;
    const answered = once(port2, 'message');
    port2.postMessage({ isotrace: 'spans', version: 1, batch: 1, spans });
    await answered;
    expect(received.stats()).toMatchObject({ taken: 1, refused: 2 ** 32 - 2 });
    expect(world.registry.get('acme').stats().traces.dropped).toEqual({ unserializable: 2 ** 32 - 2 });
    expect((await world.spans('acme')).map(({ name }) => name)).toEqual(['by hand']);
  });

  it('of a channel that is none throws at nobody, and is told', async () => {
    const world = await startWorld();
    for (const target of [null, {}, 5]) {
      const received = receiveSpans(world.registry, 'acme', target as never);
      expect(received.stats().state).toBe('closed');
      received.close();
      const tracer = createWorkerTracer(target as never, { logger: SILENT });
      tracer.startSpan('nowhere').end();
      await tracer.shutdown({ timeoutMillis: 0 });
      const { created, dropped, exported } = tracer.stats().traces;
      expect([created, exported, Object.values(dropped)]).toEqual([1, 0, [1]]);
    }
    expect(world.registry.health().errors).toMatchObject({ host: 3 });
  });

  it("meets the tenant's own sampling, processors and redaction", async () => {
    const receiver = await startReceiver();
    const ended: string[] = [];
    const spanProcessors = [
      {
        onStart: () => undefined,
        onEnd: ({ name }: { readonly name: string }) => void ended.push(name),
        forceFlush: async () => undefined,
        shutdown: async () => undefined,
      },
    ];
    const destination = { endpoint: receiver.url, protocol: 'http/json' as const };
    const redact = { keys: ['card'] };
    const registry = new TracerRegistry({
      configure: () => ({ destination, redact, spanProcessors }),
      platform: false,
    });
    const { port1, port2 } = openChannel();
    receiveSpans(registry, 'acme', port1);
    const spans = [span({ attributes: { card: '4111' } }), span({ name: 'unsampled', traceFlags: 0 })];
    const answered = once(port2, 'message');
    port2.postMessage({ isotrace: 'spans', version: 1, batch: 1, spans });
    await answered;
    expect(registry.get('acme').stats().traces.dropped).toEqual({ sampled: 1 });
    await registry.shutdown();
    expect(receiver.spans().map(({ name }) => name)).toEqual(['by hand']);
    expect(receiver.spans()[0]?.attributes['card']).not.toBe('4111');
    expect(ended).toEqual(['by hand']);
    await receiver.close();
  });

  it('that ends without a word leaves what the worker had told of and not sent', async () => {
    const contained: string[] = [];
    const warn = (fields: object): void => void contained.push(JSON.stringify(fields));
    const world = await startWorld({ logger: { ...SILENT, warn } });
    const { port1, port2 } = openChannel();
    const received = receiveSpans(world.registry, 'acme', port1);
    const closed = once(port1, 'close');
    const spans = [span(), span({ spanId: 'c'.repeat(16) })];
    port2.postMessage({ isotrace: 'spans', version: 1, ended: 7, dropped: 1, spans });
    port2.close();
    await closed;
    expect(received.stats()).toEqual({ tenantId: 'acme', state: 'lost', taken: 2, refused: 0, unsent: 4 });
    expect(contained.filter((line) => line.includes('a worker of acme left 4 spans'))).toHaveLength(1);
  });

  it('counts what comes for a tenant that takes no more', async () => {
    const world = await startWorld();
    const { port1, port2 } = openChannel();
    const received = receiveSpans(world.registry, 'nobody', port1);
    const answered = once(port2, 'message');
    port2.postMessage({ isotrace: 'spans', version: 1, batch: 1, spans: [span()] });
    await answered;
    expect(received.stats()).toMatchObject({ taken: 0, refused: 1 });
    const { created, dropped } = world.registry.stats().traces;
    expect([created, dropped]).toEqual([1, { tenant_unknown: 1 }]);
  });

  it('keeps both accounts: what the worker may not hold it drops and counts, the rest is exported on each side', async () => {
    const world = await startWorld();
    const { port1, port2 } = openChannel();
    const tracer = createWorkerTracer(port2, { limits: { maxQueueSize: 10 }, logger: SILENT });
    for (let turn = 0; turn < 100; turn += 1) tracer.withSpan(`work ${turn}`, () => undefined);
    // The queue, and two batches that nobody has taken yet.
    const held = tracer.stats().traces;
    expect(held).toMatchObject({ created: 100, exported: 0, queued: 30, dropped: { queue_full: 70 } });
    const received = receiveSpans(world.registry, 'acme', port1);
    await tracer.shutdown();
    expect(tracer.stats().traces).toMatchObject({ exported: 30, queued: 0, dropped: { queue_full: 70 } });
    await world.until('acme', (found) => found.length === 30);
    expect(received.stats()).toEqual({ tenantId: 'acme', state: 'closed', taken: 30, refused: 0, unsent: 0 });
    expect(world.registry.get('acme').stats().traces).toMatchObject({ created: 30, exported: 30 });
  });

  it('that the parent has closed leaves the spans with the worker, which counts them at its end', async () => {
    const world = await startWorld();
    const { port1, port2 } = openChannel();
    receiveSpans(world.registry, 'acme', port1).close();
    const tracer = createWorkerTracer(port2, { logger: SILENT });
    tracer.withSpan('work', () => undefined);
    port1.close();
    await tracer.shutdown({ timeoutMillis: 200 });
    const { created, dropped } = tracer.stats().traces;
    expect([created, dropped]).toEqual([1, { shutdown_deadline: 1 }]);
    expect(await world.spans('acme')).toEqual([]);
  });
});

describe('a captured scope', () => {
  it('is plain data that JSON keeps, with no baggage but what may leave the process', async () => {
    const world = await startWorld({}, { baggage: ['plan'] });
    const tracer = world.registry.get('acme');
    const scope = tracer.withBaggage({ plan: 'pro', token: 'secret' }, () =>
      tracer.withSession('visit', () => tracer.withSpan('request', () => captureScope(tracer))),
    );
    expect(JSON.parse(JSON.stringify(scope))).toEqual(scope);
    expect(JSON.stringify(scope)).not.toContain('secret');
    const { spanId, traceId } = only(await world.spans('acme'), 'request');
    const headers = { traceparent: `00-${traceId}-${spanId}-03`, baggage: 'plan=pro' };
    expect(scope).toEqual({ version: 1, tenantId: 'acme', headers, sessionId: 'visit' });
    const seen = continueScope(world.registry, scope, () => {
      const current = world.registry.current();
      return [current?.tenantId, current?.getBaggage('plan'), current?.sessionId()];
    });
    expect(seen).toEqual(['acme', 'pro', 'visit']);
  });

  it('that is none continues nothing, and the function runs all the same', async () => {
    const { registry } = await startWorld();
    for (const scope of [undefined, null, 'x', { version: 2, tenantId: 'acme' }, { version: 1, headers: 3 }]) {
      expect(continueScope(registry, scope, () => registry.current()?.tenantId)).not.toBe('acme');
    }
  });
});
