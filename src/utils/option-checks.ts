import {
  describeInteger,
  INTEGER_OPTIONS,
  type IntegerOption,
  type IntegerOptionPath,
  isIntegerWithin,
} from './integer-options.ts';
import type { Check } from './option-reader.ts';
import { describeKind } from './secret.ts';

export function integer(path: IntegerOptionPath): Check<number> {
  return integerIn(INTEGER_OPTIONS[path]);
}

export function integerIn(range: IntegerOption): Check<number> {
  return {
    accepted: describeInteger(range),
    parse: (value) => (isIntegerWithin(range, value) ? value : undefined),
  };
}

/** A number, whole or not, above 0. */
export function numberAbove0(max: number): Check<number> {
  return {
    accepted: `a number above 0, up to ${max}`,
    parse: (value) => (typeof value === 'number' && value > 0 && value <= max ? value : undefined),
  };
}

export function text(maxLength: number): Check<string> {
  return {
    accepted: `a string of 1 to ${maxLength} characters`,
    parse: (value) => (typeof value === 'string' && value !== '' && value.length <= maxLength ? value : undefined),
  };
}

export function oneOf<const T extends string | boolean>(...values: readonly T[]): Check<T> {
  return {
    accepted: values.map((value) => JSON.stringify(value)).join(' or '),
    parse: (value) => values.find((candidate) => candidate === value),
  };
}

/** A function or class; it is kept, not called. */
export function callable<T>(accepted: string): Check<T> {
  return {
    accepted,
    parse: (value) => (typeof value === 'function' ? (value as T) : undefined),
    describe: describeKind,
  };
}

/** An object that has these methods; it is kept, not copied. */
export function objectWith<T extends object>(...methods: readonly (keyof T & string)[]): Check<T> {
  return {
    accepted: `an object with ${methods.map((method) => `${method}()`).join(', ')}`,
    parse: (value) => (hasMethods(value, methods) ? (value as T) : undefined),
    describe: describeKind,
  };
}

/** May throw what the value throws. */
export function hasMethods(value: unknown, methods: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function');
}

/** As {@link hasMethods}; what cannot be read has none. Never throws. */
export function providesMethods(value: unknown, methods: readonly string[]): boolean {
  try {
    return hasMethods(value, methods);
  } catch {
    return false;
  }
}
