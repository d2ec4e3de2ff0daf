import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { faultTable, promisesTable, replaceBlock } from './document.ts';
import { PRODUCTS, type Product } from './orders.ts';
import { type Outcome, run } from './run.ts';
import { SCENARIOS } from './scenarios.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Most of the time is spent waiting: several run at a time. */
    at: { type: 'string', default: '6' },
    /** Only prints, and leaves the document alone. */
    print: { type: 'boolean', default: false },
  },
});

const DOCUMENT = new URL('../docs/reliability.md', import.meta.url);
const wanted = SCENARIOS.filter(({ id }) => positionals.length === 0 || positionals.includes(id));
const outcomes = new Map<string, Partial<Record<Product, Outcome>>>();
const jobs = wanted.flatMap((scenario) =>
  PRODUCTS.filter((product) => product === 'isotrace' || scenario.stockMissing === undefined).map(
    (product) => async (): Promise<void> => {
      const outcome = await run(scenario, product);
      outcomes.set(scenario.id, { ...outcomes.get(scenario.id), [product]: outcome });
      process.stderr.write(`${scenario.id} ${product}: ${JSON.stringify(outcome)}\n`);
    },
  ),
);
const worker = async (): Promise<void> => {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job();
};
await Promise.all(Array.from({ length: Number(values.at) }, worker));
if (values.print || positionals.length > 0) process.stdout.write(`${faultTable(outcomes)}\n`);
else {
  const before = await readFile(DOCUMENT, 'utf8');
  const promised = replaceBlock(before, 'promises', promisesTable());
  await writeFile(DOCUMENT, replaceBlock(promised, 'faults', faultTable(outcomes)));
}
