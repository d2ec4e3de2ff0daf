import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { type Tracer, TracerRegistry } from '../../src/index.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';

/** What a process, or a thread, of its own is to do with a spool. */
export interface ChildTask {
  readonly kind: 'interval' | 'always' | 'keep';
  readonly directory: string;
  readonly endpoint: string;
  /** Begins the names of its spans, and what it logs of each but `keep`. */
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
    configure: (id) => ({ destination: { endpoint, paths: { traces: `/${id}/v1/traces`, logs: `/${id}/v1/logs` } } }),
  });
}

/** Whether each of the texts is in a file. */
function isWritten(directory: string, ...texts: readonly string[]): boolean {
  try {
    const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.seg'));
    const contents = files.map((file) => readFileSync(path.join(directory, file), 'latin1'));
    return texts.every((text) => contents.some((content) => content.includes(text)));
  } catch {
    // Others make and remove files meanwhile.
    return false;
  }
}

/** A span and a log record. */
function record(tracer: Tracer, name: string, index: number): void {
  tracer.startSpan(`${name}-${index}`).end();
  tracer.log.info(`said ${index} of ${name}`);
}

async function work(task: ChildTask): Promise<void> {
  const { directory, kind, name } = task;
  if (kind === 'always') {
    const registry = registryFor(task);
    for (let index = 0; index < 25; index += 1) record(registry.get(index % 2 ? 'a' : 'b'), name, index);
    process.kill(process.pid, 'SIGKILL');
  }
  if (kind === 'interval') {
    const clock = new FakeClock();
    const registry = registryFor(task, clock);
    for (let index = 0; index < 10; index += 1) record(registry.get('a'), name, index);
    // Half a second passes, and the disk has all the time that it needs.
    await clock.advanceAsync(500);
    while (!isWritten(directory, `${name}-9`, `said 9 of ${name}`)) await settle();
    for (let index = 10; index < 15; index += 1) record(registry.get('a'), name, index);
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
