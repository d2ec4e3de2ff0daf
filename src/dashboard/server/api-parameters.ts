import { parseDuration } from '../query/parse-duration.ts';
import type { Problem } from './answer.ts';

/** One parameter of a request: how it is read, and how it is described. From these come the checks and the OpenAPI text. */
export interface Parameter<T> {
  readonly description: string;
  /** JSON Schema of its text. */
  readonly schema: Readonly<Record<string, unknown>>;
  readonly required: boolean;
  /** The value of a missing parameter. */
  readonly fallback: T | undefined;
  /** What is accepted, in words. */
  readonly accepted: string;
  /** Undefined when it is not acceptable. */
  parse(text: string, now: number): T | undefined;
}

export type Parameters = Readonly<Record<string, Parameter<unknown>>>;
export type ValuesOf<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never;
};

const MAX_TEXT = 4_096;
const MAX_ITEMS = 100;
const NANOS_PER_MILLI = 1e6;

export function text(description: string, options: { readonly pattern?: RegExp } = {}): Parameter<string> {
  const { pattern } = options;
  return {
    description,
    schema: { type: 'string', maxLength: MAX_TEXT, ...(pattern && { pattern: pattern.source }) },
    required: false,
    fallback: '',
    accepted: pattern === undefined ? `up to ${MAX_TEXT} characters` : `text like ${pattern.source}`,
    parse: (value) => (value.length <= MAX_TEXT && (pattern?.test(value) ?? true) ? value : undefined),
  };
}

export function required<T>(parameter: Parameter<T>): Parameter<T> {
  return { ...parameter, required: true, fallback: undefined };
}

export function integer(description: string, fallback: number, min: number, max: number): Parameter<number> {
  return {
    description,
    schema: { type: 'integer', minimum: min, maximum: max, default: fallback },
    required: false,
    fallback,
    accepted: `an integer from ${min} to ${max}`,
    parse: (value) => {
      const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
      return number >= min && number <= max ? number : undefined;
    },
  };
}

export function oneOf<const T extends string>(
  description: string,
  values: readonly T[],
  fallback: NoInfer<T>,
): Parameter<T> {
  return {
    description,
    schema: { type: 'string', enum: values, default: fallback },
    required: false,
    fallback,
    accepted: values.join(', '),
    parse: (value) => values.find((candidate) => candidate === value),
  };
}

/** Texts, separated by commas; none when it is missing. */
export function list(description: string): Parameter<readonly string[]> {
  return {
    description,
    schema: { type: 'string' },
    required: false,
    fallback: [],
    accepted: `1 to ${MAX_ITEMS} texts, separated by commas`,
    parse: (value) => {
      const items = value.split(',');
      return items.length <= MAX_ITEMS && !items.includes('') && value.length <= MAX_TEXT ? items : undefined;
    },
  };
}

/** Milliseconds since the epoch: given so, as an ISO 8601 date, or as `-15m` before now. */
export function time(description: string): Parameter<number | undefined> {
  return {
    description,
    schema: { type: 'string', examples: ['1735689600000', '2025-01-01T00:00:00Z', '-15m'] },
    required: false,
    fallback: undefined,
    accepted: 'milliseconds since 1970, an ISO 8601 date, or a time before now such as -15m',
    parse: (value, now) => {
      if (/^\d{1,15}(?:\.\d+)?$/.test(value)) return Number(value);
      const before = value.startsWith('-') ? parseDuration(value.slice(1)) : undefined;
      if (before !== undefined) return now - before / NANOS_PER_MILLI;
      const date = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(value) ? Date.parse(value) : Number.NaN;
      return Number.isNaN(date) ? undefined : date;
    },
  };
}

/** A duration such as `10s`, in milliseconds. */
export function duration(description: string): Parameter<number | undefined> {
  return {
    description,
    schema: { type: 'string', examples: ['10s', '1m'] },
    required: false,
    fallback: undefined,
    accepted: 'a duration such as 10s',
    parse: (value) => {
      const nanos = parseDuration(value);
      return nanos !== undefined && nanos >= NANOS_PER_MILLI ? nanos / NANOS_PER_MILLI : undefined;
    },
  };
}

/** Reads all parameters; one that is unknown, given twice or not acceptable is a problem. */
export function readParameters<P extends Parameters>(
  parameters: P,
  given: URLSearchParams,
  now: number,
): { readonly values: ValuesOf<P> } | { readonly problem: Problem } {
  const problem = (parameter: string, message: string) => ({ problem: { status: 400, message, parameter } });
  for (const name of given.keys()) {
    if (!Object.hasOwn(parameters, name)) return problem(name.slice(0, 100), 'there is no such parameter');
    if (given.getAll(name).length > 1) return problem(name, 'the parameter is given more than once');
  }
  const values: Record<string, unknown> = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    const written = given.get(name);
    if (written === null || written === '') {
      if (parameter.required) return problem(name, 'the parameter is missing');
      values[name] = parameter.fallback;
      continue;
    }
    const value = parameter.parse(written, now);
    if (value === undefined) return problem(name, `expected ${parameter.accepted}`);
    values[name] = value;
  }
  return { values: values as ValuesOf<P> };
}
