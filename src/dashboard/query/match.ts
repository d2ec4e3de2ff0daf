import type { TelemetryValue } from '../otlp/telemetry-model.ts';
import type { AttributeCondition, Comparison, TextPattern } from './query.ts';

export function matchesAny(patterns: readonly TextPattern[], text: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, text));
}

/** Takes time in proportion to the lengths multiplied, whatever the pattern is. */
export function matchesPattern({ text: pattern, wildcard }: TextPattern, text: string): boolean {
  if (!wildcard) return pattern === text;
  let at = 0;
  let inPattern = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    if (pattern[inPattern] === '*') {
      star = inPattern;
      resume = at;
      inPattern += 1;
    } else if (pattern[inPattern] === text[at]) {
      at += 1;
      inPattern += 1;
    } else if (star >= 0) {
      resume += 1;
      at = resume;
      inPattern = star + 1;
    } else return false;
  }
  while (pattern[inPattern] === '*') inPattern += 1;
  return inPattern === pattern.length;
}

export function compare(comparison: Comparison, value: number, limit: number): boolean {
  switch (comparison) {
    case '>':
      return value > limit;
    case '>=':
      return value >= limit;
    case '<':
      return value < limit;
    case '<=':
      return value <= limit;
  }
}

/** Whether an attribute is as the condition says, its negation included; `undefined` stands for a missing one. */
export function matchesAttribute({ test, negated }: AttributeCondition, value: TelemetryValue | undefined): boolean {
  if (value === undefined) return negated;
  return negated !== testValue(test, value);
}

function testValue(test: AttributeCondition['test'], value: TelemetryValue): boolean {
  switch (test.type) {
    case 'exists':
      return true;
    case 'equals':
      return matchesAny(test.patterns, valueText(value));
    case 'compare': {
      const text = valueText(value);
      return text.trim() !== '' && compare(test.comparison, Number(text), test.number);
    }
  }
}

/** A value as text, as the Collector writes it into columns of text: texts as they are, all else as JSON. */
export function valueText(value: TelemetryValue): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'object' && value !== null) {
    return JSON.stringify(value, (_, inner: unknown) => {
      if (inner instanceof Uint8Array) return Buffer.from(inner).toString('base64');
      return typeof inner === 'bigint' ? Number(inner) : inner;
    });
  }
  return value === null ? '' : String(value);
}
