import type { HrTime, SpanContext, SpanKind, SpanStatus } from '@opentelemetry/api';
import type { AttributeValue } from '../utils/attribute-value.ts';
import type { HeldContext } from './span-identity.ts';

export type { AttributeValue };

/** Attributes in insertion order, as two parallel arrays without duplicate keys. */
export interface AttributeList {
  readonly keys: readonly string[];
  readonly values: readonly AttributeValue[];
}

export interface EndedEvent {
  readonly name: string;
  readonly time: HrTime;
  readonly attributes: AttributeList;
  readonly droppedAttributesCount: number;
}

export interface EndedLink {
  readonly context: SpanContext;
  readonly attributes: AttributeList;
  readonly droppedAttributesCount: number;
}

/**
 * What the encoder needs of a span that has ended. The encoder knows no span class: anything with this
 * shape can be encoded.
 */
export interface EndedSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly context: HeldContext;
  readonly parentContext: HeldContext | undefined;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  /** `startTime` and `endTime` as they were measured, in milliseconds since the epoch; cheaper to write, if there. */
  readonly startMillis?: number | undefined;
  readonly endMillis?: number | undefined;
  readonly status: SpanStatus;
  readonly attributeList: AttributeList;
  readonly eventList: readonly EndedEvent[];
  readonly linkList: readonly EndedLink[];
  readonly droppedAttributesCount: number;
  readonly droppedEventsCount: number;
  readonly droppedLinksCount: number;
}
