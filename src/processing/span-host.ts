import type { Link, SpanKind } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { Clock } from '../utils/clock.ts';
import type { Guard } from '../utils/guard.ts';
import type { ScopeOwner } from './scope.ts';
import type { HeldContext } from './span-identity.ts';

/** How much a span may hold (OpenTelemetry specification, span limits). Every field is a number; no limit is `Infinity`. */
export interface SpanLimitSettings {
  readonly attributeCountLimit: number;
  readonly attributeValueLengthLimit: number;
  readonly eventCountLimit: number;
  readonly linkCountLimit: number;
  readonly attributePerEventCountLimit: number;
  readonly attributePerLinkCountLimit: number;
}

/** An instrumentation scope, with its place in the tenant's list of scopes. */
export interface SpanScope {
  readonly index: number;
  readonly name: string;
  readonly version?: string;
}

/** What a span of class `S` needs of the tracer that made it. */
export interface SpanHost<S> {
  readonly owner: ScopeOwner;
  readonly clock: Clock;
  readonly guard: Guard;
  readonly spanLimits: SpanLimitSettings;
  /** The tenant's resource as it is known at the moment; for span processors and exporters that ask. */
  resource(): Resource;
  /** Called once, just before the span stops taking changes. */
  spanEnding(span: S): void;
  /** Called once, after the span ended. */
  spanEnded(span: S): void;
}

/** What is fixed about a span when it starts. */
export interface SpanStart {
  readonly name: string;
  readonly kind: SpanKind;
  readonly context: HeldContext;
  readonly parentContext: HeldContext | undefined;
  readonly scope: SpanScope;
  /** A time from the host, as it came. */
  readonly startTime: unknown;
  readonly attributes: unknown;
  readonly links: readonly Link[] | undefined;
}
