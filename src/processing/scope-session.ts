import type { Span } from '@opentelemetry/api';

/** What a session goes by, of a parent's context. */
export interface ParentFacts {
  readonly isRemote?: boolean | undefined;
}

/** What the spans of a scope carry: the id of a session, and what its own `join` sets on each that starts. */
export interface Session {
  readonly id: string | undefined;
  join?(span: Span, parent: Span | undefined, parentContext: ParentFacts | undefined): void;
}
