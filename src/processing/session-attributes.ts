import type { Attributes } from '@opentelemetry/api';
import { copyRecord } from '../utils/record-keys.ts';
import { type Enrichment, enrichmentAttributes } from './enrichment.ts';

const MAX_ATTRIBUTES = 128;

/** What can be said about a session: as of a span, under `isotrace.session.` instead of `isotrace.`. */
export interface SessionPatch extends Omit<Enrichment, 'error' | 'eventType'> {
  /** `isotrace.session.name` */
  readonly name?: string | undefined;
}

/** The attributes of a session's root spans. What throws when it is read is told to `failed` and left out. */
export function sessionAttributes(
  patch: SessionPatch,
  failed: (error: unknown) => void,
  maxValueLength?: number,
): Attributes {
  const attributes = enrichmentAttributes(patch, failed, 'isotrace.session', maxValueLength);
  delete attributes['isotrace.event.type'];
  try {
    const { attributes: plain, name } = patch;
    Object.assign(attributes, copyRecord(plain, MAX_ATTRIBUTES));
    if (typeof name === 'string') attributes['isotrace.session.name'] = name;
  } catch (error) {
    failed(error);
  }
  return attributes;
}
