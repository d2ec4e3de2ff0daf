import { enqueue, handler, type Job } from './jobs.ts';
import { countWords } from './run-worker.ts';
import { registry } from './telemetry.ts';

const tenants = process.argv.length > 2 ? process.argv.slice(2) : ['acme', 'globex'];
const queue: Job[] = [];

// What the requests of two customers have put into the queue, in any order.
for (const tenant of tenants) {
  registry.get(tenant).withSpan('upload', () => enqueue(queue, tenant, `a document of ${tenant}`));
}

const work = handler(async ({ tenant, text }) => {
  const words = await countWords(tenant, text);
  registry.current()?.log.info('counted', { 'document.words': words });
  return `${tenant}: ${words} words`;
});
for (const line of await Promise.all(queue.map(work))) console.log(line);

const { ok } = await registry.shutdown();
if (!ok) process.exitCode = 1;
