import { isMainThread, type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { type Tracer, TracerRegistry } from '../../../src/index.ts';
import { continueScope, createWorkerTracer } from '../../../src/workers.ts';
import type { Task } from './worker-kit.ts';

/** Does what a test wants of a worker thread or a child process, and says when it has. */
const { task, port } = (
  isMainThread ? { task: JSON.parse(process.argv[2] ?? '{}') as Task, port: process } : workerData
) as { readonly task: Task; readonly port: MessagePort | NodeJS.Process };

const isOwn = task.endpoint !== undefined;
const registry = new TracerRegistry({ configure: () => ({ destination: { endpoint: task.endpoint ?? '' } }) });
const tracer = createWorkerTracer(port, { tenantId: 'of the worker' });
const source: TracerRegistry | Tracer = isOwn ? registry : tracer;

const work = ([name, ...inner]: readonly string[]): void => {
  if (name === undefined) return;
  const current = isOwn ? registry.current() : tracer;
  current?.withSpan(name, { attributes: { thread: 'worker', tenant: 'globex' } }, (span) => {
    span.addEvent('worked', { part: 1 });
    if (name === 'fails') span.setStatus({ code: 2, message: 'no stock' });
    work(inner);
  });
};
continueScope(source, task.scope, () => work(task.names));

if (task.ending === 'shutdown') {
  await (isOwn ? registry : tracer).shutdown();
} else {
  await tracer.flush();
  if (task.ending === 'abandon') {
    // Too late for a batch of their own before the end.
    for (let turn = 0; turn < 3; turn += 1) tracer.withSpan(`late ${turn}`, () => undefined);
    await tracer.flush();
    for (let turn = 0; turn < 2; turn += 1) tracer.withSpan(`lost ${turn}`, () => undefined);
    process.exit(0);
  }
  setInterval(() => undefined, 1_000);
}
if (isMainThread) process.send?.('done');
else parentPort?.postMessage('done');
