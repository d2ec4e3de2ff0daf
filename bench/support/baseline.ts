import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { QUESTIONS } from './questions.ts';
import { type Answer, type AnsweredRow, ask, type RoundOptions } from './rounds.ts';

/** By question, variant and figure: the ratio to stock or, where stock is not asked, the figure itself. Less is better. */
export type Baseline = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>>;

export interface Comparison {
  readonly name: string;
  readonly baseline: number;
  readonly measured: number;
  readonly failed: boolean;
}

/** How much worse than its baseline a figure may be. */
const TOLERANCE = 4 / 3;
/** The committed one. */
export const BASELINE_FILE = fileURLToPath(new URL('../baseline.json', import.meta.url));

export async function readBaseline(file: string): Promise<Baseline> {
  return JSON.parse(await readFile(file, 'utf8'));
}

export async function writeBaseline(file: string, baseline: Baseline): Promise<void> {
  await writeFile(file, `${JSON.stringify(baseline, undefined, 2)}\n`);
}

/** Measures every figure of a baseline. What looks worse is measured once more, and the better of the two counts. */
export async function compare(baseline: Baseline, options: Omit<RoundOptions, 'only'>): Promise<readonly Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const [question, variants] of Object.entries(baseline)) {
    for (const [variant, figures] of Object.entries(variants)) {
      const first = judge(question, variant, figures, await measure(question, variant, options));
      if (!first.some(({ failed }) => failed)) {
        comparisons.push(...first);
        continue;
      }
      const second = judge(question, variant, figures, await measure(question, variant, options));
      comparisons.push(...first.map((one, index) => better(one, second[index] ?? one)));
    }
  }
  return comparisons;
}

/** The same figures with what is measured now. */
export async function remeasure(baseline: Baseline, options: Omit<RoundOptions, 'only'>): Promise<Baseline> {
  const measured: Record<string, Record<string, Record<string, number>>> = {};
  for (const [question, variants] of Object.entries(baseline)) {
    for (const [variant, figures] of Object.entries(variants)) {
      const answer = await measure(question, variant, options);
      const values = Object.keys(figures).map((figure) => [figure, Number(figureOf(answer, figure).toFixed(2))]);
      measured[question] = { ...measured[question], [variant]: Object.fromEntries(values) };
    }
  }
  return measured;
}

async function measure(name: string, variant: string, options: Omit<RoundOptions, 'only'>): Promise<Answer> {
  const question = await QUESTIONS[name]?.();
  if (question === undefined) throw new Error(`The baseline has the question ${name}, and there is none`);
  return ask(question, { ...options, only: (candidate) => candidate === variant });
}

function judge(
  question: string,
  variant: string,
  figures: Readonly<Record<string, number>>,
  answer: Answer,
): Comparison[] {
  return Object.entries(figures).map(([figure, expected]) => {
    const measured = figureOf(answer, figure);
    const name = `${question}: ${variant}, ${figure}`;
    // Also when nothing comparable was measured.
    return { name, baseline: expected, measured, failed: !(measured <= expected * TOLERANCE) };
  });
}

function figureOf({ rows }: Answer, figure: string): number {
  const row: AnsweredRow | undefined = rows.find((candidate) => candidate.figure === figure);
  const answer = row?.answers.isotrace;
  return (row?.answers.stock === undefined ? answer?.value : answer?.ratio) ?? Number.NaN;
}

function better(one: Comparison, other: Comparison): Comparison {
  return other.measured < one.measured || Number.isNaN(one.measured) ? other : one;
}
