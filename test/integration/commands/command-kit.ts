import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';

const PROGRAM = fileURLToPath(new URL('./command-program.ts', import.meta.url));

/** What a worker is to do. */
export interface CommandTask {
  /** In the names of all that it records. */
  readonly label: string;
  readonly turns: number;
  readonly traceparent?: string | undefined;
  /** How it ends: says so, ends itself without a word, or is ended from outside. */
  readonly ending: 'close' | 'die' | 'stay';
}

/** A worker thread and the parent's end of its channel. Node 20 hands no loader on: each worker gets tsx by its own. */
export function startWorker(task: CommandTask): { readonly port: MessagePort; readonly ended: Promise<unknown> } {
  const { port1, port2 } = new MessageChannel();
  const source = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(PROGRAM)})))`;
  const worker = new Worker(source, { eval: true, workerData: { task, port: port2 }, transferList: [port2] });
  onTestFinished(async () => void (await worker.terminate()));
  return { port: port1, ended: Promise.all([once(worker, 'exit'), once(port1, 'close')]) };
}

export function startChild(task: CommandTask): { readonly child: ChildProcess; readonly ended: Promise<unknown> } {
  const child = fork(PROGRAM, [JSON.stringify(task)], { execArgv: ['--import', 'tsx'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, ended: Promise.all([once(child, 'exit'), once(child, 'disconnect')]) };
}
