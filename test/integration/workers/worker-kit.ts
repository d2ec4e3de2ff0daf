import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';
import type { SerializedScope } from '../../../src/workers.ts';

const PROGRAM = fileURLToPath(new URL('./worker-program.ts', import.meta.url));

/** What a worker is to do. */
export interface Task {
  readonly scope: SerializedScope | undefined;
  /** Spans that it makes, one below the other. */
  readonly names: readonly string[];
  /** Whether it has a registry of its own, whose tenants all send here. */
  readonly endpoint?: string;
  /** How it ends: hands over what is left, is ended from outside, or ends by itself with spans that it has not sent. */
  readonly ending: 'shutdown' | 'stay' | 'abandon';
}

export interface StartedWorker {
  readonly worker: Worker;
  /** The parent's end of the worker's channel. */
  readonly port: MessagePort;
  readonly ended: Promise<unknown>;
}

/** Node 20 hands no loader on to worker threads: each gets tsx by its own bootstrap. */
export function startWorker(task: Task): StartedWorker {
  const { port1, port2 } = new MessageChannel();
  const source = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(PROGRAM)})))`;
  const worker = new Worker(source, { eval: true, workerData: { task, port: port2 }, transferList: [port2] });
  onTestFinished(async () => void (await worker.terminate()));
  return { worker, port: port1, ended: once(worker, 'exit') };
}

export function startChild(task: Task): { readonly child: ChildProcess; readonly ended: Promise<unknown> } {
  const child = fork(PROGRAM, [JSON.stringify(task)], { execArgv: ['--import', 'tsx'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  // The last messages may come after the exit, and before the channel is closed.
  const ended = Promise.all([once(child, 'exit'), once(child, 'disconnect')]).then(([exit]) => exit);
  return { child, ended };
}
