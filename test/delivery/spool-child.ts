import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { TracerRegistry } from '../../src/index.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';

/** What a process, or a thread, of its own is to do with a spool. */
export interface ChildTask {
  readonly kind: 'interval' | 'always' | 'keep';
  readonly directory: string;
  readonly endpoint: string;
  /** Begins the names of its spans. */
  readonly name: string;
}

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function registryFor({ directory, endpoint, kind }: ChildTask, clock?: FakeClock): TracerRegistry {
  return new TracerRegistry({
    logger: SILENT,
    platform: false,
    ...(clock && { clock }),
    service: { instanceId: `${process.pid}` },
    spool: { directory, fsync: kind === 'always' ? 'always' : 'interval' },
    configure: (id) => ({ destination: { endpoint, paths: { traces: `/${id}/v1/traces` } } }),
  });
}

function isWritten(directory: string, name: string): boolean {
  try {
    const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.seg'));
    return files.some((file) => readFileSync(path.join(directory, file), 'latin1').includes(name));
  } catch {
    // Others make and remove files meanwhile.
    return false;
  }
}

async function work(task: ChildTask): Promise<void> {
  const { directory, kind, name } = task;
  if (kind === 'always') {
    const registry = registryFor(task);
    for (let index = 0; index < 25; index += 1)
      registry
        .get(index % 2 ? 'a' : 'b')
        .startSpan(`${name}-${index}`)
        .end();
    process.kill(process.pid, 'SIGKILL');
  }
  if (kind === 'interval') {
    const clock = new FakeClock();
    const registry = registryFor(task, clock);
    for (let index = 0; index < 10; index += 1) registry.get('a').startSpan(`${name}-${index}`).end();
    // Half a second passes, and the disk has all the time that it needs.
    await clock.advanceAsync(500);
    while (!isWritten(directory, `${name}-9`)) await settle();
    for (let index = 10; index < 15; index += 1) registry.get('a').startSpan(`${name}-${index}`).end();
    process.kill(process.pid, 'SIGKILL');
  }
  if (kind === 'keep') {
    const registry = registryFor(task);
    registry.get('a').startSpan(`${name}-0`).end();
    while (!isWritten(directory, `${name}-0`)) await settle();
    const say = (text: string): void => {
      if (isMainThread) process.send?.(text);
      else parentPort?.postMessage(text);
    };
    const port = isMainThread ? process : parentPort;
    port?.on('message', () => {
      void registry.flush({ timeoutMillis: 20_000 }).then(({ delivered }) => say(`delivered ${delivered}`));
    });
    say('ready');
  }
}

const task: unknown = isMainThread ? JSON.parse(process.argv[2] ?? 'null') : workerData;
void work(task as ChildTask);
