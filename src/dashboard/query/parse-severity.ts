import type { QueryOperator } from './query-cursor.ts';

export const SEVERITY_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** Four severity numbers make a level (OpenTelemetry logs data model). */
const NUMBERS_PER_LEVEL = 4;
const MAX_SEVERITY = 24;

/** The severity numbers that are meant, with their ends; a level such as `warn` stands for all its four numbers. */
export function parseSeverityRange(operator: QueryOperator, text: string): readonly [number, number] | undefined {
  const level = (SEVERITY_LEVELS as readonly string[]).indexOf(text.toLowerCase());
  const number = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  if (level < 0 && (number < 1 || number > MAX_SEVERITY)) return undefined;
  const min = level < 0 ? number : level * NUMBERS_PER_LEVEL + 1;
  const max = level < 0 ? number : min + NUMBERS_PER_LEVEL - 1;
  switch (operator) {
    case '>':
      return [max + 1, MAX_SEVERITY];
    case '>=':
      return [min, MAX_SEVERITY];
    case '<':
      return [1, min - 1];
    case '<=':
      return [1, max];
    default:
      return [min, max];
  }
}

/** The level that a severity number belongs to; empty for 0. */
export function severityLevel(number: number): string {
  return SEVERITY_LEVELS[Math.ceil(number / NUMBERS_PER_LEVEL) - 1] ?? '';
}
