import { workerData } from 'node:worker_threads';
import { continueScope, createWorkerTracer } from 'isotrace/workers';
import type { Counting } from './run-worker.ts';

// A thread of its own, without endpoint or credentials: its spans go to the parent, which knows whose they are.
const { scope, text, spans, result } = workerData as Counting;
const tracer = createWorkerTracer(spans);

const words = continueScope(tracer, scope, () =>
  tracer.withSpan('count words', (span) => {
    const count = text.split(/\s+/).length;
    span.setAttribute('document.words', count);
    return count;
  }),
);
await tracer.shutdown(); // hands over what is left
result.postMessage(words);
spans.close();
result.close();
