import type { SpanKindName, SpanStatusName } from '../otlp/span-flags.ts';

/** A text to be equal to; with `wildcard` each `*` in it stands for any characters. */
export interface TextPattern {
  readonly text: string;
  readonly wildcard: boolean;
}

/** How a number is compared. */
export type Comparison = '>' | '>=' | '<' | '<=';

/** Where a condition stands in the text of the query. */
export interface QueryPosition {
  readonly start: number;
  readonly end: number;
}

/** Fields whose value is a text. */
export const TEXT_FIELDS = ['tenant', 'service', 'name', 'scope', 'trace', 'span'] as const;
/** Fields that are searched as text. */
export type TextField = (typeof TEXT_FIELDS)[number];

/** One condition of a query; `negated` turns it around. */
export type Condition = { readonly negated: boolean } & (
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'field'; readonly field: TextField; readonly patterns: readonly TextPattern[] }
  | { readonly type: 'status'; readonly values: readonly SpanStatusName[] }
  | { readonly type: 'kind'; readonly values: readonly SpanKindName[] }
  | { readonly type: 'root'; readonly value: boolean }
  | { readonly type: 'duration'; readonly comparison: Comparison; readonly nanos: number }
  /** Severity numbers, each range with its ends. */
  | { readonly type: 'severity'; readonly ranges: readonly (readonly [min: number, max: number])[] }
  | AttributeCondition
);

/** A condition on an attribute. */
export interface AttributeCondition {
  readonly type: 'attribute';
  readonly negated: boolean;
  /** Of the span, log record or point, or of its resource. */
  readonly source: 'record' | 'resource';
  readonly key: string;
  readonly test:
    | { readonly type: 'equals'; readonly patterns: readonly TextPattern[] }
    | { readonly type: 'compare'; readonly comparison: Comparison; readonly number: number }
    | { readonly type: 'exists' };
}

/** A search: all conditions have to hold. Without any everything is found. */
export interface Query {
  /** All of them have to hold; none: everything is found. */
  readonly conditions: readonly Condition[];
}
