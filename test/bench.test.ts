import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
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
    expect([...span.keys()]).toEqual(['CPU', 'heap allocated']);
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

  it('says which questions there are when asked for another', async () => {
    await expect(bench('weather')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('There is no question weather.\n'),
    });
  });
});
