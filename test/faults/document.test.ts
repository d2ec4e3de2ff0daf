import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { faultTable, promisesTable, replaceBlock } from '../../faults/document.ts';
import { run } from '../../faults/run.ts';
import { SCENARIOS } from '../../faults/scenarios.ts';

const document = readFileSync(new URL('../../docs/reliability.md', import.meta.url), 'utf8');

it('docs/reliability.md tells the promises as they are listed', () => {
  expect(document).toBe(replaceBlock(document, 'promises', promisesTable()));
});

it('docs/reliability.md has a line with figures for each scenario', () => {
  for (const { id, title, stockMissing } of SCENARIOS) {
    const line = document.split('\n').find((text) => text.startsWith(`| ${id} | ${title} | `));
    expect(line, id).toMatch(
      stockMissing === undefined ? /\| [\d,]+ of [\d,]+.*\| [\d,]+ of [\d,]+/ : /\| – .*\| \d+ of \d+/,
    );
  }
  expect(() => replaceBlock(document, 'nowhere', '')).toThrow('no block nowhere');
});

it('a scenario is run with both products, and its figures are those of the receiver', { timeout: 60_000 }, async () => {
  const scenario = SCENARIOS.find(({ id }) => id === 'F3');
  if (scenario === undefined) throw new Error('the scenario is gone');
  const [stock, isotrace] = await Promise.all([run(scenario, 'stock'), run(scenario, 'isotrace')]);
  expect(stock).toMatchObject({ spans: 10, delivered: 0, requests: 1, errors: 1 });
  expect(isotrace).toMatchObject({ spans: 10, delivered: 10, duplicates: 0, requests: 2, errors: 0 });
  const line = faultTable(new Map([['F3', { stock, isotrace }]]))
    .split('\n')
    .at(-1);
  expect(line).toMatch(/^\| F3 \| .* \| 0 of 10 \| 0 \| 1 \| \d\.\d s \| 1 \| 10 of 10 \| 0 \| 2 \| \d\.\d s \| 0 \|$/);
});
