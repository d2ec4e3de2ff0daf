import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { createCommandClient } from '../../../src/commands-client.ts';
import type { CommandTask } from './command-kit.ts';

/** Sends what a test wants from a worker thread or a child process. Loads nothing but the client. */
const { task, port } = (
  parentPort === null ? { task: JSON.parse(process.argv[2] ?? '{}') as CommandTask, port: process } : workerData
) as { readonly task: CommandTask; readonly port: MessagePort | NodeJS.Process };

const client = createCommandClient(port);
for (let turn = 0; turn < task.turns; turn += 1) {
  const id = `${task.label} ${turn}`;
  const { traceparent } = task;
  void client.dispatch({ type: 'startSpan', name: id, id, traceparent, attributes: { label: task.label } });
  void client.dispatch({ type: 'emitLog', message: id, inSpan: id });
  void client.dispatch({ type: 'recordCounter', name: 'turns', attributes: { label: task.label } });
  // Lets the turns of the workers mix.
  await client.dispatch({ type: 'endSpan', id });
}
await client.dispatch({ type: 'startSpan', name: `${task.label} left open` });
if (task.ending === 'close') await client.close();
else if (task.ending === 'die') process.exit(0);
else setInterval(() => undefined, 1_000);
