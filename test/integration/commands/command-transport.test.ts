import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type CommandReceiver, type CommandResult, receiveCommands } from '../../../src/commands.ts';
import { createCommandClient } from '../../../src/commands-client.ts';
import { ChannelClient } from '../../../src/integration/command-client.ts';
import { createWorkerTracer, receiveSpans } from '../../../src/workers.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { logsOf } from '../../support/otlp-log-decoder.ts';
import { receivedPoints } from '../../support/received-metrics.ts';
import { startTenants } from '../../support/tenant-receivers.ts';
import { startChild, startWorker } from './command-kit.ts';

const LIMIT = 60_000;
const TENANTS = ['acme', 'globex'] as const;
const TRACE = 'a'.repeat(32);

function openChannel(): MessageChannel {
  const channel = new MessageChannel();
  onTestFinished(() => {
    channel.port1.close();
    channel.port2.close();
  });
  return channel;
}

/** A message, and the answer that came to it. */
async function ask(port: MessagePort, message: object): Promise<{ readonly answers: { result: object }[] }> {
  const answered = once(port, 'message');
  port.postMessage({ isotrace: 'commands', version: 1, ...message });
  return ((await answered) as [{ answers: { result: object }[] }])[0];
}

/** A child process with a channel to this one. */
function spawnProgram(source: string): ChildProcess {
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

function raise(): never {
  throw new Error('it cannot be read');
}

describe('commands of workers', () => {
  it(
    'that work at the same time are executed in order, each for the tenant that the parent has named',
    async () => {
      const { registry, receivers } = await startTenants(TENANTS);
      const traceparent = `00-${TRACE}-${'b'.repeat(16)}-01`;
      const runs = TENANTS.map(async (tenant) => {
        const { port, ended } = startWorker({ label: `for ${tenant}`, turns: 20, traceparent, ending: 'close' });
        const received = receiveCommands(registry, tenant, port);
        await ended;
        return received.stats();
      });
      const stats = await Promise.all(runs);
      await registry.flush();
      for (const [index, tenant] of TENANTS.entries()) {
        expect(stats[index]).toMatchObject({
          ...{ tenantId: tenant, state: 'closed', malformed: 0, refused: 0, droppedByWorker: 0 },
          ...{ dispatched: 81, succeeded: 81, openSpans: 0, abandoned: { bus_closed: 1 } },
        });
        const labels = Array.from({ length: 20 }, (_, turn) => `for ${tenant} ${turn}`);
        const spans = receivers[tenant].spans();
        expect(spans.map(({ name }) => name)).toEqual([...labels, `for ${tenant} left open`]);
        expect(new Set(spans.slice(0, 20).map(({ traceId }) => traceId))).toEqual(new Set([TRACE]));
        expect(new Set(spans.slice(0, 20).map(({ attributes }) => attributes['label']))).toEqual(
          new Set([`for ${tenant}`]),
        );
        expect(receivedPoints(receivers[tenant], 'turns')).toMatchObject([
          { value: 20, attributes: { label: `for ${tenant}` } },
        ]);
        const logs = logsOf(receivers[tenant]);
        expect(logs.map(({ body }) => body)).toEqual(labels);
        expect(logs.map(({ spanId }) => spanId)).toEqual(spans.slice(0, 20).map(({ spanId }) => spanId));
      }
    },
    LIMIT,
  );

  it(
    'come from a forked child over IPC',
    async () => {
      const { registry, receivers } = await startTenants(TENANTS);
      const { child, ended } = startChild({ label: 'of the child', turns: 3, ending: 'close' });
      const received = receiveCommands(registry, 'globex', child);
      expect(await ended).toMatchObject([[0, null], []]);
      await registry.flush();
      expect(received.stats()).toMatchObject({ state: 'closed', dispatched: 13, succeeded: 13 });
      expect(receivers.globex.spans()).toHaveLength(4);
      expect(logsOf(receivers.globex)).toHaveLength(3);
      expect(receivers.acme.requests).toEqual([]);
    },
    LIMIT,
  );

  it.each(['die', 'stay'] as const)(
    'that end without a word (%s) leave their open spans to be ended as abandoned',
    async (ending) => {
      const { registry, receivers } = await startTenants(TENANTS);
      const { child, ended } = startChild({ label: 'lost', turns: 1, ending });
      const received = receiveCommands(registry, 'acme', child);
      if (ending === 'stay') {
        await vi.waitUntil(() => received.stats().openSpans === 1 && received.stats().dispatched === 5, LIMIT);
        child.kill('SIGKILL');
      }
      await ended;
      expect(received.stats()).toMatchObject({ state: 'lost', openSpans: 0, abandoned: { worker_lost: 1 } });
      await registry.flush();
      const [, open] = receivers.acme.spans();
      expect([open?.name, open?.attributes]).toEqual(['lost left open', { 'isotrace.abandoned': 'worker_lost' }]);
    },
    LIMIT,
  );
});

describe('a child process', () => {
  it(
    'that reads no answers gets none, and fills no memory of its parent',
    async () => {
      const { registry } = await startTenants(TENANTS);
      // Its loop never turns, so it never reads.
      const child = spawnProgram(`
        const commands = Array(500).fill({ type: 'endSpan', id: 'unknown' });
        const line = Buffer.from(JSON.stringify({ isotrace: 'commands', version: 1, first: 1, commands }) + '\\n');
        for (let at = 0; ; at = at === line.length ? 0 : at) {
          try {
            at += require('node:fs').writeSync(Number(process.env.NODE_CHANNEL_FD ?? 3), line, at);
          } catch {}
        }`);
      const received = receiveCommands(registry, 'acme', child);
      await vi.waitUntil(() => received.stats().unanswered > 5_000, { timeout: LIMIT });
      child.kill('SIGKILL');
      await once(child, 'disconnect');
      const { failed, unanswered } = received.stats();
      // What the pipe held, and what waited for it.
      expect((failed.unknown_span ?? 0) - unanswered).toBeLessThan(30_000);
    },
    LIMIT,
  );

  it(
    'or worker that ended before counts as lost',
    async () => {
      const { registry } = await startTenants(TENANTS);
      const child = spawnProgram('0');
      const worker = new Worker('0', { eval: true });
      await Promise.all([once(child, 'exit'), once(child, 'disconnect'), once(worker, 'exit')]);
      for (const target of [child, worker]) {
        const received = receiveCommands(registry, 'acme', target);
        await setImmediate();
        expect(received.stats().state).toBe('lost');
        const closed = receiveCommands(registry, 'acme', target);
        closed.close();
        await setImmediate();
        expect(closed.stats().state).toBe('closed');
      }
    },
    LIMIT,
  );
});

describe('the channel of commands', () => {
  it('takes what a program without this package writes, and nothing of it says whose telemetry it is', async () => {
    const { registry, receivers } = await startTenants(TENANTS);
    const { port1, port2 } = openChannel();
    const received = receiveCommands(registry, 'acme', port1);
    const commands = [
      { type: 'startSpan', name: 'by hand', id: 'x', attributes: { tenantId: 'globex' } },
      { type: 'startSpan', name: 'not mine', tenantId: 'globex' },
      { type: 'endSpan', id: 'x' },
    ];
    const { answers } = await ask(port2, { first: 7, tenantId: 'globex', commands });
    expect(answers).toMatchObject([
      { id: 7, result: { ok: true, value: { id: 'x' } } },
      { id: 8, result: { ok: false, reason: 'invalid', issues: [{ option: 'tenantId' }] } },
      { id: 9, result: { ok: true } },
    ]);
    await registry.flush();
    expect(receivers.acme.spans().map(({ name }) => name)).toEqual(['by hand']);
    expect(receivers.globex.requests).toEqual([]);
    expect(received.stats()).toMatchObject({ tenantId: 'acme', succeeded: 2, failed: { invalid: 1 } });
  });

  it('counts messages that are malformed, and commands that are none, and loses nothing else', async () => {
    const { registry, receivers } = await startTenants(TENANTS);
    const { port1, port2 } = openChannel();
    const received = receiveCommands(registry, 'acme', port1);
    for (const message of [
      null,
      'commands',
      { isotrace: 'spans', version: 1, spans: [] },
      { isotrace: 'commands', version: 2, commands: [] },
      { isotrace: 'commands', version: 1 },
      { isotrace: 'commands', version: 1, commands: 'startSpan' },
    ])
      port2.postMessage(message);
    const good = [
      { type: 'startSpan', name: 'kept', id: 'k' },
      { type: 'endSpan', id: 'k' },
    ];
    const { answers } = await ask(port2, { first: 0, commands: [null, 7, { type: 'nonsense' }, {}, ...good] });
    expect(answers.map(({ result }) => Reflect.get(result, 'reason') ?? 'ok')).toEqual([
      ...['invalid', 'invalid', 'unknown_type', 'invalid', 'ok', 'ok'],
    ]);
    expect(received.stats()).toMatchObject({ malformed: 3, dispatched: 6, succeeded: 2, state: 'open' });
    await registry.flush();
    expect(receivers.acme.spans().map(({ name }) => name)).toEqual(['kept']);
  });

  it('carries spans as well, each receiver taking its own', async () => {
    const { registry, receivers } = await startTenants(TENANTS);
    const { port1, port2 } = openChannel();
    const spans = receiveSpans(registry, 'acme', port1);
    const commands = receiveCommands(registry, 'acme', port1);
    const tracer = createWorkerTracer(port2, { tenantId: 'of the worker' });
    const client = createCommandClient(port2);
    tracer.withSpan('by the tracer', () => undefined);
    await client.dispatch({ type: 'startSpan', name: 'by command', id: '1' });
    await tracer.shutdown();
    expect(await client.dispatch({ type: 'endSpan', id: '1' })).toEqual({ ok: true });
    expect(spans.stats()).toMatchObject({ state: 'closed', taken: 1 });
    await client.close();
    await vi.waitUntil(() => commands.stats().state === 'closed');
    await registry.flush();
    expect(
      receivers.acme
        .spans()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['by command', 'by the tracer']);
  });

  it("keeps a worker's shutdown to its own commands", async () => {
    const { registry, receivers } = await startTenants(TENANTS);
    const { port1, port2 } = openChannel();
    receiveCommands(registry, 'acme', port1);
    const acme = registry.get('acme');
    const client = createCommandClient(port2);
    await client.dispatch({ type: 'startSpan', name: 'of the worker', id: '1' });
    expect(await client.dispatch({ type: 'shutdown' })).toMatchObject({ ok: true, value: { delivered: 1 } });
    expect(await client.dispatch({ type: 'flush' })).toMatchObject({ ok: false, reason: 'closed' });
    expect(acme.state).toBe('active');
    expect(await client.dispatch({ type: 'initialize' })).toMatchObject({ ok: true });
    expect(await client.dispatch({ type: 'flush' })).toMatchObject({ ok: true });
    expect(receivers.acme.spans()).toHaveLength(1);
  });

  it('lets a worker shut the tenant down where the parent says so', async () => {
    const { registry } = await startTenants(TENANTS);
    const { port1, port2 } = openChannel();
    const options = { shutdown: 'tenant', maxOpenSpans: -1 } as const;
    const received = receiveCommands(registry, 'acme', port1, options);
    const client = createCommandClient(port2, { maxInFlight: 0.5 });
    expect([received.issues, client.issues]).toMatchObject([[{ option: 'maxOpenSpans' }], [{ option: 'maxInFlight' }]]);
    const [acme, globex] = TENANTS.map((tenant) => registry.get(tenant));
    expect(await client.dispatch({ type: 'shutdown' })).toMatchObject({ ok: true });
    expect([acme?.state, globex?.state]).toEqual(['closed', 'active']);
  });

  it('executes so many commands at a time, and refuses and counts more', async () => {
    const { registry } = await startTenants(TENANTS);
    const { port1, port2 } = openChannel();
    const received = receiveCommands(registry, 'acme', port1);
    const { answers } = await ask(port2, { first: 0, commands: Array(10_001).fill(null) });
    // What is refused is known first.
    expect(answers[0]).toMatchObject({ id: 10_000, result: { ok: false, reason: 'queue_full' } });
    await vi.waitUntil(() => received.stats().dispatched === 10_000);
    expect(received.stats()).toMatchObject({ refused: 1, failed: { invalid: 10_000 } });
  });

  it('looks at no more of a message than it can execute, however long that says it is', async () => {
    const { registry, receivers } = await startTenants(TENANTS);
    const { port1, port2 } = openChannel();
    const received = receiveCommands(registry, 'acme', port1);
    // A few bytes on the channel.
    const commands: unknown[] = new Array(2 ** 32 - 1);
    commands[0] = { type: 'emitLog', message: 'kept' };
    const answers: { id: number; result: object }[] = [];
    port2.on('message', (message: { answers: typeof answers }) => void answers.push(...message.answers));
    port2.postMessage({ isotrace: 'commands', version: 1, first: 0, commands });
    await vi.waitUntil(() => answers.length === 10_001);
    const refused = 2 ** 32 - 1 - 10_000;
    expect(answers.find(({ id }) => id === 10_000)?.result).toMatchObject({ ok: false, reason: 'queue_full' });
    expect(received.stats()).toMatchObject({ refused, dispatched: 10_000, succeeded: 1, failed: { invalid: 9_999 } });
    await registry.flush();
    expect(logsOf(receivers.acme).map(({ body }) => body)).toEqual(['kept']);
  });

  it('of a target that is none takes nothing, and says so', async () => {
    const { registry } = await startTenants(TENANTS);
    const hostile = new Proxy({}, { get: () => raise(), has: () => raise() });
    for (const target of [null, undefined, {}, 5, hostile]) {
      const received = receiveCommands(registry, 'acme', target as never);
      const client = createCommandClient(target as never);
      expect([received.issues, client.issues]).toMatchObject([[{ option: 'target' }], [{ option: 'target' }]]);
      expect(received.stats().state).toBe('closed');
      expect(await client.dispatch({ type: 'flush' })).toMatchObject({ ok: false, reason: 'channel_closed' });
      await client.close();
    }
  });

  it('answers commands of its own, also when the answer is no plain data', async () => {
    const { registry } = await startTenants(TENANTS);
    const { port1, port2 } = openChannel();
    type Own = { twice(fields: { readonly of: number }): number; odd(fields: object): () => void };
    const received: CommandReceiver<Own> = receiveCommands<Own>(registry, 'acme', port1);
    received.register('twice', ({ of }) => of * 2);
    received.register('odd', () => () => undefined);
    const client = createCommandClient<Own>(port2);
    const [odd, twice] = await Promise.all([
      client.dispatch({ type: 'odd' }),
      client.dispatch({ type: 'twice', of: 21 }),
    ]);
    expect(twice).toEqual({ ok: true, value: 42 });
    expect(odd).toMatchObject({ ok: false, reason: 'unserializable' });
  });
});

describe('a command client', () => {
  it('tells the time at which a command was given, and what it was then', async () => {
    const { registry, receivers } = await startTenants(TENANTS);
    const { port1, port2 } = openChannel();
    const clock = new FakeClock();
    const client = new ChannelClient(port2, {}, clock);
    const begin = clock.now();
    const attributes = { turn: 1 };
    void client.dispatch({ type: 'startSpan', name: 'work', id: '1', attributes });
    attributes.turn = 2;
    clock.advance(250);
    void client.dispatch({ type: 'emitLogs', logs: [{ message: 'x' }, { message: 'y', timeMillis: 5 }] });
    void client.dispatch({ type: 'endSpan', id: '1' });
    receiveCommands(registry, 'acme', port1);
    await client.drain();
    await registry.flush();
    const [span] = receivers.acme.spans();
    const millis = (nanos = 0n): number => Number(nanos / 1_000_000n);
    expect([millis(span?.startTimeUnixNano), millis(span?.endTimeUnixNano)]).toEqual([begin, begin + 250]);
    expect(span?.attributes).toEqual({ turn: 1 });
    expect(logsOf(receivers.acme).map(({ timeUnixNano }) => millis(timeUnixNano))).toEqual([begin + 250, 5]);
  });

  it('sends so many commands at a time, keeps so many more, and counts those that it drops', async () => {
    const { registry, receivers } = await startTenants(TENANTS);
    const { port1, port2 } = openChannel();
    const sizes: number[] = [];
    port1.on('message', ({ commands = [] }: { commands?: unknown[] }) => void sizes.push(commands.length));
    const client = createCommandClient(port2, { maxQueueSize: 10, maxInFlight: 4 });
    const results = Array.from({ length: 12 }, (_, turn) => client.dispatch({ type: 'emitLog', message: `${turn}` }));
    while (sizes.length === 0) await setImmediate();
    expect([sizes, client.stats()]).toEqual([
      [4],
      { dispatched: 12, answered: 0, waiting: 10, dropped: { queue_full: 2 } },
    ]);
    // The parent that was busy takes what is there.
    const received = receiveCommands(registry, 'acme', port1);
    const late = { isotrace: 'commands', version: 1, first: 1, dropped: 0, commands: [] as object[] };
    for (let turn = 0; turn < 4; turn += 1) late.commands.push({ type: 'emitLog', message: `${turn}` });
    port2.postMessage(late);
    const answered = await Promise.all(results);
    expect(answered.map((result) => (result.ok ? 'ok' : result.reason))).toEqual([
      ...Array(10).fill('ok'),
      ...['queue_full', 'queue_full'],
    ]);
    await registry.flush();
    expect(logsOf(receivers.acme).map(({ body }) => body)).toEqual(Array.from({ length: 10 }, (_, turn) => `${turn}`));
    expect(sizes).toEqual([4, 4, 4, 2]);
    await client.close();
    await vi.waitUntil(() => received.stats().state === 'closed');
    expect(received.stats()).toMatchObject({ droppedByWorker: 2, succeeded: 10 });
    expect(client.stats()).toEqual({ dispatched: 12, answered: 10, waiting: 0, dropped: { queue_full: 2 } });
  });

  it('gives up on an answer in time, and counts what it does not know the end of', async () => {
    const { port2 } = openChannel();
    const clock = new FakeClock();
    const client = new ChannelClient(port2, { answerTimeoutMillis: 1_000 }, clock);
    const first = client.dispatch({ type: 'flush' });
    await setImmediate();
    clock.advance(600);
    const second = client.dispatch({ type: 'flush' });
    await setImmediate();
    clock.advance(400);
    expect(await first).toMatchObject({ ok: false, reason: 'unanswered' });
    expect(client.stats()).toEqual({ dispatched: 2, answered: 0, waiting: 1, dropped: { unanswered: 1 } });
    clock.advance(600);
    expect(await second).toMatchObject({ reason: 'unanswered' });
  });

  it('loses only what is no plain data', async () => {
    const { registry } = await startTenants(TENANTS);
    const { port1, port2 } = openChannel();
    const received = receiveCommands(registry, 'acme', port1);
    const client = createCommandClient(port2);
    const bad = client.dispatch({ type: 'emitLog', message: 'x', attributes: { f: (() => 1) as never } });
    const good = client.dispatch({ type: 'emitLog', message: 'y' });
    const none = client.dispatch(undefined as never);
    expect(await bad).toMatchObject({ ok: false, reason: 'unserializable' });
    expect([await good, await none]).toMatchObject([{ ok: true }, { ok: false, reason: 'invalid' }]);
    expect(received.stats()).toMatchObject({ malformed: 0, succeeded: 1, failed: { invalid: 1 } });
  });

  it(
    'keeps its worker until the time for the answer is over, also when the channel was closed before',
    async () => {
      const source = `import { MessageChannel } from 'node:worker_threads';
      import { createCommandClient } from './src/commands-client.ts';
      const { port1, port2 } = new MessageChannel();
      const alive = setInterval(() => undefined, 1_000);
      port1.close();
      await new Promise((resolve) => port2.once('close', resolve));
      clearInterval(alive);
      const client = createCommandClient(port2, { answerTimeoutMillis: 100 });
      console.log((await client.dispatch({ type: 'flush' })).reason);`;
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source]);
      const [[code], printed] = await Promise.all([once(child, 'exit'), text(child.stdout)]);
      expect([code, printed.trim()]).toEqual([0, 'unanswered']);
    },
    LIMIT,
  );

  it(
    'gives each command its own answer, whatever else is dropped, and accounts for all',
    async () => {
      const { registry } = await startTenants(TENANTS);
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom('ok', 'invalid', 'unknown_type', 'unserializable'), { maxLength: 40 }),
          fc.integer({ min: 1, max: 30 }),
          fc.integer({ min: 1, max: 5 }),
          async (kinds, maxQueueSize, maxInFlight) => {
            const { port1, port2 } = new MessageChannel();
            const received = receiveCommands<{ echo(fields: { readonly turn: number }): number }>(
              registry,
              'acme',
              port1,
            );
            received.register('echo', ({ turn }) => turn);
            const client = createCommandClient(port2, { maxQueueSize, maxInFlight });
            const commandOf = (kind: string, turn: number): object => {
              if (kind === 'ok') return { type: 'echo', turn };
              if (kind === 'invalid') return { type: 'flush', turn };
              return kind === 'unknown_type' ? { type: 'other' } : { type: 'echo', turn: () => turn };
            };
            const told = kinds.map((kind, turn): readonly [unknown, Promise<CommandResult>] => {
              const answer = client.dispatch(commandOf(kind, turn) as never);
              return [kind === 'ok' ? turn : kind, answer];
            });
            for (const [expected, answer] of told) {
              const result = await answer;
              const got = result.ok ? result.value : result.reason;
              expect([expected, 'queue_full']).toContain(got);
            }
            await client.close();
            const { answered, dispatched, dropped, waiting } = client.stats();
            const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0);
            expect([dispatched, waiting, dropped.unanswered]).toEqual([told.length, 0, undefined]);
            expect(answered + lost).toBe(dispatched);
            expect(received.stats().dispatched).toBe(answered);
            port2.close();
          },
        ),
        { numRuns: 60 },
      );
    },
    LIMIT,
  );

  it('of a parent that is gone answers what waits, and what comes after', async () => {
    const { port1, port2 } = openChannel();
    const client = createCommandClient(port2, { maxInFlight: 1 });
    const waiting = [client.dispatch({ type: 'flush' }), client.dispatch({ type: 'flush' })];
    await setImmediate();
    port1.close();
    for (const result of await Promise.all(waiting)) expect(result).toMatchObject({ reason: 'channel_closed' });
    expect(await client.dispatch({ type: 'flush' })).toMatchObject({ reason: 'channel_closed' });
    await client.close();
    expect(client.stats()).toEqual({ dispatched: 3, answered: 0, waiting: 0, dropped: { channel_closed: 3 } });
  });
});
