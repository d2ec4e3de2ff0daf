/** How the index keeps a span's status, kind and role in eight bits. */
const STATUS_MASK = 0b11;
const KIND_SHIFT = 2;
const KIND_MASK = 0b111;
const ROOT = 0b10_0000;
const EXCEPTION = 0b100_0000;
const MAX_KIND = 5;
const MAX_STATUS = 2;

export const SPAN_STATUSES = ['unset', 'ok', 'error'] as const;
/** What a span came to. */
export type SpanStatusName = (typeof SPAN_STATUSES)[number];
export const SPAN_KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const;
/** Kinds of spans. */
export type SpanKindName = (typeof SPAN_KINDS)[number];

export function spanFlags(status: number, kind: number, root: boolean, exception: boolean): number {
  return (
    (status <= MAX_STATUS ? status : 0) |
    ((kind <= MAX_KIND ? kind : 0) << KIND_SHIFT) |
    (root ? ROOT : 0) |
    (exception ? EXCEPTION : 0)
  );
}

export function statusOf(flags: number): SpanStatusName {
  return SPAN_STATUSES[flags & STATUS_MASK] ?? 'unset';
}

export function kindOf(flags: number): SpanKindName {
  return SPAN_KINDS[(flags >> KIND_SHIFT) & KIND_MASK] ?? 'unspecified';
}

export function isErrorSpan(flags: number): boolean {
  return (flags & STATUS_MASK) === MAX_STATUS;
}

export function isRootSpan(flags: number): boolean {
  return (flags & ROOT) !== 0;
}

export function hasException(flags: number): boolean {
  return (flags & EXCEPTION) !== 0;
}

/** Whether a span is where work enters a service: a root, or one that serves or consumes. Requests are counted by these. */
export function isEntrySpan(flags: number): boolean {
  const kind = (flags >> KIND_SHIFT) & KIND_MASK;
  return (flags & ROOT) !== 0 || kind === 2 || kind === MAX_KIND;
}
