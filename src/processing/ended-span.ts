import type { HrTime, SpanContext, SpanKind, SpanStatus } from '@opentelemetry/api';
import type { AttributeValue } from '../utils/attribute-value.ts';

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
  readonly context: SpanContext;
  readonly parentContext: SpanContext | undefined;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly status: SpanStatus;
  readonly attributeList: AttributeList;
  readonly eventList: readonly EndedEvent[];
  readonly linkList: readonly EndedLink[];
  readonly droppedAttributesCount: number;
  readonly droppedEventsCount: number;
  readonly droppedLinksCount: number;
}
