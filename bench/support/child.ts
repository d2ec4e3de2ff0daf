import { inspect } from 'node:util';
import type { Task } from './question.ts';
import { QUESTIONS } from './questions.ts';

/** A process of its own for one measurement: it is told the task, answers the figures and ends. */
process.once('message', (message) => {
  const { question, task } = message as { question: string; task: Task };
  // Some peers keep a process alive whose promise was rejected.
  answer(question, task).catch((error: unknown) => {
    process.stderr.write(`${inspect(error)}\n`, () => process.exit(1));
  });
});

// The time is over: what the measurement started ends with it.
process.once('SIGTERM', () => process.exit(1));

async function answer(name: string, task: Task): Promise<void> {
  const question = await QUESTIONS[name]?.();
  const figures = await question?.measure(task);
  process.send?.(figures, undefined, undefined, () => process.exit());
}
