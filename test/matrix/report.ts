import type { Check } from './checks.ts';

export interface Result extends Pick<Check, 'title' | 'node' | 'otel' | 'manager' | 'module'> {
  /** What a check that passed has seen. */
  readonly seen?: string;
  /** Why another one has not. */
  readonly problem?: string;
  readonly millis: number;
}

const WIDTHS = [27, 5, 10, 7, 6, 6, 8] as const;
/** Of what a process that failed has printed. */
const MAX_LINES = 60;

export const HEADER = columns(['project', 'node', 'otel', 'manager', 'module', 'result', 'time', 'seen']);

/** A line of the table; of a check that has not run, what it is about. */
export function formatRow(row: Omit<Result, 'millis'> & { readonly millis?: number }): string {
  const { title, node, otel, manager, module, seen = '', problem, millis } = row;
  const result = millis === undefined ? '' : problem === undefined ? 'good' : 'FAILED';
  const time = millis === undefined ? '' : `${(millis / 1_000).toFixed(1)} s`;
  return columns([title, node, otel, manager, module, result, time, seen]);
}

/** What an error says, with the end of what its process has printed. */
export function reasonOf(error: unknown): string {
  const { message, stdout = '', stderr = '' } = error as Error & { stdout?: string; stderr?: string };
  const printed = `${stdout}\n${stderr}`.split('\n').filter((line) => line.trim() !== '');
  const cause = error instanceof Error && error.cause !== undefined ? [`because of ${reasonOf(error.cause)}`] : [];
  return [message, ...cause, ...printed.slice(-MAX_LINES)].join('\n');
}

function columns(cells: readonly string[]): string {
  return cells
    .map((cell, index) => cell.padEnd(WIDTHS[index] ?? 0))
    .join('  ')
    .trimEnd();
}
