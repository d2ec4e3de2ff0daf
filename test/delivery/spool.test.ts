import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RegistryOptions, Tracer, TracerRegistry } from '../../src/index.ts';
import { segmentsIn, spoolDirectory } from '../processing/spool-kit.ts';
import { allSpans, decodeTraceRequest } from '../support/otlp-decoder.ts';
import { decodeLogs, logsOf } from '../support/otlp-log-decoder.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';
import { endSpans, eventually, missing, receiverWith, registryWith } from './delivery-kit.ts';
import type { ChildTask } from './spool-child.ts';

const DOWN = { mode: 'status', status: 503 } as const;
const UP = { mode: 'ok' } as const;
const CHILD = fileURLToPath(new URL('spool-child.ts', import.meta.url));
const LOADER = ['--import', 'tsx'];

/** Until nothing is left on the disk and so many spans are counted as delivered. */
async function untilDelivered(
  directory: string,
  registry: TracerRegistry,
  count: number,
  signal: 'traces' | 'logs' = 'traces',
): Promise<void> {
  await eventually(
    () => segmentsIn(directory).length === 0 && registry.stats()[signal].exported >= count,
    () => `${segmentsIn(directory).length} files are left, ${JSON.stringify(registry.stats()[signal])}`,
  );
}

/** Tenants whose requests can be told apart by their path. */
function spooling(directory: string, receiver: OtlpReceiver, version = '1'): RegistryOptions<Tracer> {
  return {
    service: { name: 'shop', version, instanceId: `instance-${version}` },
    spool: { directory },
    configure: (id) => ({
      destination: {
        endpoint: receiver.url,
        paths: {
          traces: `/${encodeURIComponent(id)}/v1/traces`,
          logs: `/${encodeURIComponent(id)}/v1/logs`,
        },
        headers: { authorization: `Bearer canary-${version}` },
      },
    }),
  };
}

interface Accepted {
  readonly tenant: string;
  readonly names: readonly string[];
  readonly resource: Record<string, unknown>;
  readonly authorization: string | undefined;
}

function acceptedBy(receiver: OtlpReceiver): Accepted[] {
  return receiver.requests
    .filter(({ accepted, path: target }) => accepted && target.endsWith('/traces'))
    .map(({ body, headers, path: target }) => {
      const decoded = decodeTraceRequest(body);
      return {
        tenant: decodeURIComponent(target.split('/')[1] ?? ''),
        names: allSpans(decoded).map(({ name }) => name),
        resource: decoded.resourceSpans[0]?.resource.attributes ?? {},
        authorization: headers.authorization,
      };
    });
}

describe('a spool', () => {
  it('keeps what a shutdown cannot deliver; the next process delivers it as it was recorded, with its own credentials', async () => {
    const directory = spoolDirectory();
    const receiver = await receiverWith({ fault: DOWN });
    const first = registryWith(spooling(directory, receiver, '1'));
    for (const id of ['a', 'b']) endSpans(first.get(id), 10);
    const a = first.get('a');
    await expect(first.flush()).resolves.toMatchObject({ ok: false, pending: 20, spooled: 0 });
    const report = await first.shutdown({ timeoutMillis: 50 });
    expect(report).toMatchObject({ ok: true, delivered: 0, pending: 0, spooled: 20, dropped: {} });
    expect(report.tenants).toMatchObject([{ spooled: 10, error: 'HTTP 503' }, { spooled: 10 }]);
    expect(first.stats().traces).toMatchObject({ created: 20, queued: 0, spooled: 20, dropped: {} });
    expect(a.stats().traces).toMatchObject({ created: 10, queued: 0, spooled: 10, dropped: {} });
    expect(segmentsIn(directory)).toHaveLength(2);

    receiver.setFault(UP);
    const second = registryWith(spooling(directory, receiver, '2'));
    await untilDelivered(directory, second, 20);
    expect(second.stats().traces).toMatchObject({ created: 20, exported: 20, queued: 0, spooled: 0, dropped: {} });
    for (const { authorization, names, resource } of acceptedBy(receiver)) {
      expect(resource).toMatchObject({ 'service.version': '1', 'service.instance.id': 'instance-1' });
      expect(authorization).toBe('Bearer canary-2');
      expect(names).toHaveLength(10);
    }
  });

  it('holds what memory cannot, and delivers everything when the receiver is back', async () => {
    const directory = spoolDirectory();
    const receiver = await receiverWith({ fault: DOWN });
    const registry = registryWith({
      ...spooling(directory, receiver),
      limits: { maxQueueSize: 100 },
      batch: { maxSize: 50 },
    });
    const tracer = registry.get('a');
    endSpans(tracer, 5_000);
    const { queued, spooled } = tracer.stats().traces;
    expect(queued).toBeLessThanOrEqual(200);
    expect(queued + spooled).toBe(5_000);
    expect(tracer.health().destinations).toMatchObject([{ spooled }]);
    expect(missing(registry.stats().traces)).toBe(0);
    receiver.setFault(UP);
    await tracer.flush();
    await untilDelivered(directory, registry, 5_000);
    expect(tracer.stats().traces).toMatchObject({
      created: 5_000,
      exported: 5_000,
      queued: 0,
      spooled: 0,
      dropped: {},
    });
    expect(new Set(receiver.spans().map(({ spanId }) => spanId)).size).toBe(5_000);
  });

  it('never sends one tenant’s spans to another, however they interleave', async () => {
    const directory = spoolDirectory();
    const receiver = await receiverWith({ fault: DOWN });
    const ids = Array.from({ length: 12 }, (_, index) => `tenant ${index}/../x`);
    const options = { limits: { maxQueueSize: 20 }, batch: { maxSize: 10, delayMillis: 20 } };
    const first = registryWith({ ...spooling(directory, receiver), ...options });
    for (let round = 0; round < 60; round += 1) for (const id of ids) first.get(id).startSpan(`${id} ${round}`).end();
    await first.shutdown({ timeoutMillis: 100 });
    const files = readdirSync(directory, { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => file.includes('tenant') || file.includes('canary'))).toEqual([]);
    for (const file of segmentsIn(directory)) expect(readFileSync(file, 'latin1')).not.toContain('canary');
    receiver.setFault(UP);
    const second = registryWith({ ...spooling(directory, receiver), ...options });
    for (const id of ids) endSpans(second.get(id), 0);
    await receiver.waitForSpans(60 * ids.length, 25_000);
    for (const { names, tenant } of acceptedBy(receiver)) {
      expect(names.filter((name) => !name.startsWith(`${tenant} `))).toEqual([]);
    }
    await untilDelivered(directory, second, 60 * ids.length);
    expect(missing(second.stats().traces)).toBe(0);
  });

  it('is for its owner alone', async () => {
    const directory = spoolDirectory();
    const receiver = await receiverWith({ fault: DOWN });
    const registry = registryWith(spooling(directory, receiver));
    endSpans(registry.get('a'), 1);
    await eventually(
      () => segmentsIn(directory).length > 0,
      () => 'no file',
    );
    for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
      const { mode } = statSync(path.join(entry.parentPath, entry.name));
      expect(mode & 0o777).toBe(entry.isDirectory() ? 0o700 : 0o600);
    }
  });

  it('that cannot be made changes nothing but the health', async () => {
    const directory = spoolDirectory();
    writeFileSync(directory, '');
    const receiver = await receiverWith({ fault: DOWN });
    const registry = registryWith(spooling(path.join(directory, 'below'), receiver));
    const tracer = registry.get('a');
    endSpans(tracer, 5);
    await eventually(
      () => tracer.health().spoolProblem !== undefined,
      () => 'no problem',
    );
    expect(tracer.health()).toMatchObject({ ok: false, spoolProblem: expect.stringContaining('ENOTDIR') as string });
    receiver.setFault(UP);
    await eventually(
      () => receiver.spans().length === 5,
      () => 'not delivered',
    );
    await tracer.flush();
    expect(tracer.stats().traces).toMatchObject({ created: 5, exported: 5, dropped: {} });
  });
});

describe('a tenant with a spool', () => {
  it('that is evicted is brought back for what it left on the disk', async () => {
    const directory = spoolDirectory();
    const receiver = await receiverWith({ fault: DOWN });
    const registry = registryWith({ ...spooling(directory, receiver), drainTimeoutMillis: 50 });
    endSpans(registry.get('a'), 5);
    registry.delete('a');
    await eventually(
      () => registry.stats().draining === 0,
      () => 'it still drains',
    );
    expect(registry.stats().traces).toMatchObject({ created: 5, queued: 0, spooled: 5, dropped: {} });
    receiver.setFault(UP);
    endSpans(registry.get('a'), 1);
    await registry.flush();
    await untilDelivered(directory, registry, 6);
    expect(registry.stats().traces).toMatchObject({ created: 6, exported: 6, spooled: 0, dropped: {} });
    expect(registry.get('a').stats().traces).toMatchObject({ created: 6, exported: 6 });
  });

  it('that gets another configuration takes along what the old one could not deliver', async () => {
    const directory = spoolDirectory();
    const [dead, good] = [await receiverWith({ fault: DOWN }), await receiverWith()];
    let endpoint = dead.url;
    const registry = registryWith({
      spool: { directory },
      drainTimeoutMillis: 50,
      configure: () => ({ destination: { endpoint } }),
    });
    const tracer = registry.get('a');
    endSpans(tracer, 5);
    endpoint = good.url;
    await expect(registry.reconfigure('a')).resolves.toBe('changed');
    await good.waitForSpans(5);
    await eventually(
      () => tracer.stats().traces.exported === 5,
      () => 'not counted',
    );
    expect(tracer.stats().traces).toMatchObject({ created: 5, exported: 5, queued: 0, spooled: 0, dropped: {} });
  });

  it('that names another directory takes along what is in the old one', async () => {
    const [old, next] = [spoolDirectory(), spoolDirectory()];
    const [dead, good] = [await receiverWith({ fault: DOWN }), await receiverWith()];
    let options = { destination: { endpoint: dead.url }, spool: { directory: old } };
    const registry = registryWith({ drainTimeoutMillis: 50, configure: () => options });
    endSpans(registry.get('a'), 5);
    await eventually(
      () => segmentsIn(old).length === 1,
      () => 'not on the disk',
    );
    options = { destination: { endpoint: good.url }, spool: { directory: next } };
    await registry.reconfigure('a');
    await untilDelivered(old, registry, 5);
    expect(registry.stats().traces).toMatchObject({ created: 5, exported: 5, spooled: 0, dropped: {} });
    expect(good.spans()).toHaveLength(5);
  });

  it('that `configure` does not know any more loses what is on the disk, counted', async () => {
    const directory = spoolDirectory();
    const receiver = await receiverWith({ fault: DOWN });
    const first = registryWith(spooling(directory, receiver));
    for (const id of ['known', 'gone']) endSpans(first.get(id), 5);
    await first.shutdown({ timeoutMillis: 20 });
    receiver.setFault(UP);
    const { configure, ...rest } = spooling(directory, receiver);
    const second = registryWith({
      ...rest,
      configure: async (id) => (id === 'known' ? await configure?.(id) : undefined),
    });
    await untilDelivered(directory, second, 5);
    await eventually(
      () => second.stats().traces.created === 10,
      () => 'not counted',
    );
    expect(second.stats().traces).toMatchObject({ exported: 5, spooled: 0, dropped: { tenant_unknown: 5 } });
    expect(acceptedBy(receiver).map(({ tenant }) => tenant)).toEqual(['known']);
  });

  it('is told from the platform, whatever it is called', async () => {
    const directory = spoolDirectory();
    const [tenants, owner] = [await receiverWith({ fault: DOWN }), await receiverWith({ fault: DOWN })];
    const options = { ...spooling(directory, tenants), platform: { destination: { endpoint: owner.url } } };
    const first = registryWith(options);
    first.platform.startSpan('of the platform').end();
    first.get('platform').startSpan('of a tenant').end();
    await first.shutdown({ timeoutMillis: 20 });
    for (const receiver of [tenants, owner]) receiver.setFault(UP);
    await untilDelivered(directory, registryWith(options), 2);
    expect([tenants, owner].map((receiver) => receiver.spans().map(({ name }) => name))).toEqual([
      ['of a tenant'],
      ['of the platform'],
    ]);
  });
});

describe('log records in a spool', () => {
  /** The bodies of the records that a receiver accepted, by the tenant whose path they came on. */
  const saidTo = (receiver: OtlpReceiver): readonly string[] =>
    receiver.requests
      .filter(({ accepted, path: target }) => accepted && target.endsWith('/logs'))
      .flatMap(({ body, path: target }) => decodeLogs(body).map((log) => `${target.split('/')[1]}: ${log.body}`))
      .sort();
  const say = (tracer: Tracer, count: number): void => {
    for (let index = 0; index < count; index += 1) tracer.log.info(`${tracer.tenantId} ${index}`);
  };
  const texts = (tenant: string, count: number): string[] =>
    Array.from({ length: count }, (_, index) => `${tenant}: ${tenant} ${index}`);

  it('are counted apart from spans, and delivered by the next process, each signal where it belongs', async () => {
    const directory = spoolDirectory();
    const receiver = await receiverWith({ fault: DOWN });
    const first = registryWith(spooling(directory, receiver, '1'));
    for (const id of ['a', 'b']) {
      endSpans(first.get(id), 3);
      say(first.get(id), 7);
    }
    const a = first.get('a');
    const report = await first.shutdown({ timeoutMillis: 50 });
    expect(report).toMatchObject({ ok: true, delivered: 0, pending: 0, spooled: 20, dropped: {} });
    expect(first.stats().traces).toMatchObject({ created: 6, queued: 0, spooled: 6, dropped: {} });
    expect(first.stats().logs).toMatchObject({ created: 14, queued: 0, spooled: 14, dropped: {} });
    expect(a.stats().logs).toMatchObject({ created: 7, queued: 0, spooled: 7, dropped: {} });
    expect(segmentsIn(directory)).toHaveLength(4);

    receiver.setFault(UP);
    const second = registryWith(spooling(directory, receiver, '2'));
    await untilDelivered(directory, second, 6);
    await untilDelivered(directory, second, 14, 'logs');
    expect(second.stats().logs).toMatchObject({ created: 14, exported: 14, queued: 0, spooled: 0, dropped: {} });
    expect(second.stats().traces).toMatchObject({ created: 6, exported: 6, queued: 0, spooled: 0, dropped: {} });
    expect(saidTo(receiver)).toEqual([...texts('a', 7), ...texts('b', 7)]);
    expect(receiver.spans()).toHaveLength(6);
    for (const { resource } of logsOf(receiver)) expect(resource['service.version']).toBe('1');
  });

  it('beyond the bounds of memory wait on the disk, and all of them arrive', async () => {
    const directory = spoolDirectory();
    const receiver = await receiverWith({ fault: DOWN });
    const registry = registryWith({
      ...spooling(directory, receiver),
      limits: { maxQueueSize: 20 },
      batch: { maxSize: 10 },
      retry: { initialMillis: 10, maxMillis: 20 },
    });
    const a = registry.get('a');
    say(a, 200);
    await eventually(
      () => a.stats().logs.spooled >= 150,
      () => JSON.stringify(a.stats().logs),
    );
    expect(missing(a.stats().logs)).toBe(0);
    expect(a.stats().logs).toMatchObject({ created: 200, dropped: {} });
    receiver.setFault(UP);
    await untilDelivered(directory, registry, 200, 'logs');
    expect(saidTo(receiver)).toEqual(texts('a', 200).sort());
    expect(missing(a.stats().logs)).toBe(0);
  });

  it.each(['http/json', 'http/protobuf'] as const)(
    'of a tenant that logs no more are delivered as %s',
    async (protocol) => {
      const directory = spoolDirectory();
      const receiver = await receiverWith({ fault: DOWN });
      const options = (logs: boolean): RegistryOptions<Tracer> => ({
        spool: { directory },
        signals: { logs, metrics: false },
        configure: () => ({ destination: { endpoint: receiver.url, protocol } }),
      });
      const first = registryWith(options(true));
      say(first.get('a'), 4);
      await first.shutdown({ timeoutMillis: 20 });
      receiver.setFault(UP);
      const second = registryWith(options(false));
      await untilDelivered(directory, second, 4, 'logs');
      expect(logsOf(receiver).map(({ body }) => body)).toEqual(['a 0', 'a 1', 'a 2', 'a 3']);
      say(second.get('a'), 1);
      expect(second.stats().logs).toMatchObject({ created: 4, exported: 4 });
    },
  );

  it('of a tenant that is gone are counted where they were counted, or in the registry', async () => {
    const directory = spoolDirectory();
    const receiver = await receiverWith({ fault: DOWN });
    const first = registryWith(spooling(directory, receiver));
    say(first.get('gone'), 5);
    endSpans(first.get('gone'), 2);
    await first.shutdown({ timeoutMillis: 20 });
    const { configure: _, ...rest } = spooling(directory, receiver);
    const second = registryWith({ ...rest, configure: () => undefined });
    await eventually(
      () => second.stats().logs.created === 5 && second.stats().traces.created === 2,
      () => 'not counted',
    );
    expect(second.stats().logs).toMatchObject({ spooled: 0, dropped: { tenant_unknown: 5 } });
    expect(second.stats().traces).toMatchObject({ spooled: 0, dropped: { tenant_unknown: 2 } });
  });
});

describe('a process that is killed', () => {
  it.each([
    ['always', 25, 'nothing'],
    ['interval', 10, 'nothing that was older than half a second'],
  ] as const)('with fsync %s loses of %i spans, and of as many log records, %s', async (kind, count, _what) => {
    const directory = spoolDirectory();
    const receiver = await receiverWith({ fault: DOWN });
    const child = start({ kind, directory, endpoint: receiver.url, name: 'span' });
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');
    receiver.setFault(UP);
    const registry = registryWith(spooling(directory, receiver, '2'));
    await untilDelivered(directory, registry, count);
    await untilDelivered(directory, registry, count, 'logs');
    const logs = logsOf(receiver);
    expect(logs.map(({ body }) => body).sort()).toEqual(
      Array.from({ length: count }, (_, index) => `said ${index} of span`).sort(),
    );
    expect(logs.map(({ resource }) => resource['service.instance.id'])).toEqual(logs.map(() => `${child.pid}`));
    expect(registry.stats().logs).toMatchObject({ created: count, exported: count, spooled: 0, dropped: {} });
    expect(
      receiver
        .spans()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(Array.from({ length: count }, (_, index) => `span-${index}`).sort());
    expect(registry.stats().traces).toMatchObject({ created: count, exported: count, spooled: 0, dropped: {} });
    for (const { resource } of acceptedBy(receiver)) expect(resource['service.instance.id']).toBe(`${child.pid}`);
  });
});

describe('processes and threads that share a directory', () => {
  it('leave each other’s files alone', async () => {
    const directory = spoolDirectory();
    const receiver = await receiverWith({ fault: DOWN });
    const task = (name: string): ChildTask => ({ kind: 'keep', directory, endpoint: receiver.url, name });
    const children = ['p1', 'p2'].map((name) => start(task(name)));
    const threads = Array.from({ length: 4 }, (_, index) => startThread(task(`t${index}`)));
    const all = [...children, ...threads];
    await Promise.all(all.map((one) => once(one, 'message')));
    // Another one looks when all the others are there.
    const registry = registryWith(spooling(directory, receiver));
    registry.get('a').startSpan('own-0').end();
    await eventually(
      () => segmentsIn(directory).length === all.length + 1,
      () => `${segmentsIn(directory).length} files`,
    );
    expect(segmentsIn(directory).filter((file) => file.includes('orphan'))).toEqual([]);
    expect(new Set(segmentsIn(directory).map((file) => path.dirname(file))).size).toBe(all.length + 1);
    receiver.setFault(UP);
    const answers = all.map(async (one) => (await once(one, 'message'))[0] as string);
    for (const child of children) child.send('flush');
    for (const thread of threads) thread.postMessage('flush');
    expect(await Promise.all(answers)).toEqual(all.map(() => 'delivered 1'));
    await registry.flush();
    expect(
      receiver
        .spans()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['own-0', 'p1-0', 'p2-0', 't0-0', 't1-0', 't2-0', 't3-0'].sort());
  }, 60_000);
});

function start(task: ChildTask): ChildProcess {
  const child = fork(CHILD, [JSON.stringify(task)], {
    execArgv: LOADER,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

function startThread(task: ChildTask): Worker {
  // `--import` does not reach a worker's own file on every version of Node.
  const source = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(CHILD)})))`;
  const worker = new Worker(source, { eval: true, workerData: task });
  onTestFinished(async () => {
    await worker.terminate();
  });
  return worker;
}
