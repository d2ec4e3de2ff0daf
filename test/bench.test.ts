import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Baseline } from '../bench/support/baseline.ts';
import { type Question, variantsOf } from '../bench/support/question.ts';
import { QUESTIONS } from '../bench/support/questions.ts';
import type { Answer } from '../bench/support/rounds.ts';

const run = promisify(execFile);

/** As `npm run bench`, but of the sources. */
async function bench(...parameters: readonly string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ['--expose-gc', '--import', 'tsx', 'bench/run.ts', ...parameters]);
  return stdout;
}

function rowsOf(answer: Answer | undefined, variant: string) {
  return new Map(answer?.rows.filter((row) => row.variant === variant).map((row) => [row.figure, row]));
}

describe('the benchmarks', { timeout: 120_000 }, () => {
  it('answers what was asked for, of every peer, as JSON', async () => {
    const { answers } = JSON.parse(await bench('burst', 'span', '--short', '--json')) as { answers: Answer[] };
    expect(answers.map(({ question }) => question)).toEqual(['span', 'burst']);

    const span = rowsOf(answers[0], 'child8');
    expect([...span.keys()]).toEqual(['CPU', 'time', 'heap allocated']);
    for (const { answers: figures } of span.values()) {
      expect(figures.stock?.value).toBeGreaterThan(0);
      expect(figures.isotrace?.value).toBeGreaterThan(0);
      expect(figures.isotrace?.ratio).toBeCloseTo((figures.isotrace?.value ?? 0) / (figures.stock?.value ?? 1), 9);
    }

    const lost = rowsOf(answers[1], '10,000 spans in one tick').get('lost');
    expect(lost?.answers.isotrace?.value).toBe(0);
    // What the stock processor's queue holds arrives, and its first batch too if that left in time.
    expect([10_000 - 2_048, 10_000 - 2_048 - 512]).toContain(lost?.answers.stock?.value);
    expect(lost?.met).toBe(true);
  });

  it('prints a table of figures and goals', async () => {
    const output = await bench('memory', '--short');
    expect(output).toContain('A waiting span with 8 attributes (memory, 1 round)');
    expect(output).toMatch(/\| off-heap +\|[^|]+\| \d+ B +\| ≤ 450 B \| met/);
  });

  it('answers how the cost of a span grows', async () => {
    const { answers } = JSON.parse(await bench('growth', '--short', '--json')) as { answers: Answer[] };
    for (const variant of ['100 tenants, in turn', '16 attributes'])
      expect(rowsOf(answers[0], variant).get('CPU')?.answers.isotrace?.value).toBeGreaterThan(0);
  });

  // Their packages are not part of the root install; `npm run bench -- span --peers all` brings them.
  for (const peer of ['dd-trace', 'logfire', 'langfuse', 'sentry'])
    it.runIf(existsSync(`bench/peers/packages/${peer}/node_modules`))(`measures ${peer} on the same work`, async () => {
      const { answers } = JSON.parse(await bench('span', '--short', '--json', '--peers', peer)) as {
        answers: Answer[];
      };
      const figures = rowsOf(answers[0], 'child8').get('CPU')?.answers;
      expect(figures?.[peer as keyof typeof figures]?.value).toBeGreaterThan(0);
    });

  it('fails when a figure is worse than its baseline by more than a third', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'isotrace-bench-'));
    const checkAgainst = async (baseline: number): Promise<string> => {
      const file = join(directory, `${baseline}.json`);
      await writeFile(file, JSON.stringify({ lookup: { '100 tenants': { 'warm get ÷ Map.get': baseline } } }));
      return bench('check', '--rounds', '1', '--baseline', file);
    };
    try {
      expect(await checkAgainst(1_000)).toMatch(
        /lookup: 100 tenants, warm get ÷ Map.get \| 1000.00 +\| \d+\.\d\d \| +\|/,
      );
      await expect(checkAgainst(0.01)).rejects.toMatchObject({
        code: 1,
        stdout: expect.stringContaining('WORSE BY MORE THAN A THIRD'),
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('has a figure of every row of the committed baseline', async () => {
    const baseline = JSON.parse(await readFile('bench/baseline.json', 'utf8')) as Baseline;
    for (const [name, variants] of Object.entries(baseline)) {
      const question = await QUESTIONS[name]?.();
      const rows = question?.rows.map(({ figure, variant }) => `${variant}: ${figure}`);
      for (const [variant, figures] of Object.entries(variants)) {
        expect(variantsOf(question as Question, true)).toContain(variant);
        for (const figure of Object.keys(figures)) expect(rows).toContain(`${variant}: ${figure}`);
      }
    }
  });

  it('says which questions there are when asked for another', async () => {
    await expect(bench('weather')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('There is no question weather.\n'),
    });
  });
});
