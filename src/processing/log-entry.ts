import { type HrTime, isSpanContextValid, type Span } from '@opentelemetry/api';
import { copyAttributeValue } from '../utils/attribute-value.ts';
import { cutString } from '../utils/cut-string.ts';
import { isInstance } from '../utils/is-instance.ts';
import { timeInputToHrTime } from '../utils/span-time.ts';
import { AttributeMap, NO_ATTRIBUTES } from './attribute-map.ts';
import type { AttributeValue } from './ended-span.ts';
import { exceptionAttributes } from './exception.ts';
import type { LogRecord } from './log-record.ts';
import { RecordingSpan } from './span.ts';
import { type HeldContext, holdContext } from './span-identity.ts';

/** What a host logs, as it came: any of it may be anything. */
export interface LogEntry {
  readonly severityNumber: number;
  readonly severityText: string | undefined;
  readonly body: unknown;
  readonly attributes?: unknown;
  /** When it happened. Default: now. */
  readonly time?: unknown;
  readonly observedTime?: unknown;
  readonly eventName?: unknown;
  readonly exception?: unknown;
}

export interface LogLimits {
  readonly attributeCountLimit: number;
  readonly attributeValueLengthLimit: number;
}

/** What goes with each record of a tenant. */
export interface LogSurroundings {
  readonly limits: LogLimits;
  /** In milliseconds since the epoch. */
  readonly now: number;
  /** The tenant's own span. */
  readonly span: Span | undefined;
  readonly sessionId: string | undefined;
  /** Told what threw when it was read; the record does without it. */
  readonly failed: (error: unknown) => void;
}

/** Longer messages are cut, in UTF-16 units. */
const MAX_BODY_LENGTH = 65_536;
const MAX_TEXT_LENGTH = 256;
const MAX_SEVERITY = 24;
const SESSION_ID = 'session.id';
/** Where loggers put an error among the attributes. */
const ERROR_KEYS: readonly string[] = ['err', 'error', 'exception'];

/**
 * A record that is safe to keep of what a host logged. An error as message, as attributes, or under `err`, `error` or
 * `exception`, becomes `exception.*` attributes. Never throws.
 */
export function createLogRecord(entry: LogEntry, surroundings: LogSurroundings): LogRecord {
  const { failed, now, span } = surroundings;
  const { body, severityNumber, time } = entry;
  const attributes = collectAttributes(entry, surroundings);
  const observed = readTime(entry.observedTime) ?? now;
  return {
    time: time === undefined ? now : readTime(time),
    observedTime: observed,
    severityNumber: severityNumber > 0 && severityNumber <= MAX_SEVERITY ? Math.trunc(severityNumber) : 0,
    severityText: textOf(entry.severityText),
    body: typeof body === 'string' ? cutString(body, MAX_BODY_LENGTH) : copyBody(body, surroundings.limits, failed),
    attributeList: attributes,
    droppedAttributesCount: attributes.droppedCount,
    context: span && contextOf(span),
    eventName: textOf(entry.eventName),
  };
}

function collectAttributes(
  { attributes, body, exception }: LogEntry,
  { failed, limits, sessionId }: LogSurroundings,
): AttributeMap {
  const given = isRecord(attributes) ? attributes : undefined;
  const error = isError(exception) ? exception : isError(body) ? body : given && errorIn(given, failed);
  if (given === undefined && error === undefined && sessionId === undefined) return NO_ATTRIBUTES;
  const { attributeCountLimit, attributeValueLengthLimit } = limits;
  const map = new AttributeMap();
  const add = (more: unknown): void => map.setAll(more, attributeCountLimit, attributeValueLengthLimit, failed);
  // First: they must not be what the limit leaves out.
  if (error !== undefined) add(exceptionAttributes(error));
  if (given !== undefined && given !== error) {
    // Of the object it is in, it is left out.
    add(error === undefined ? given : withoutError(given, error, failed));
  }
  if (sessionId !== undefined && map.get(SESSION_ID) === undefined) add({ [SESSION_ID]: sessionId });
  return map;
}

/** The error that a logger was given, if any. */
function errorIn(attributes: object, failed: (error: unknown) => void): Error | undefined {
  if (isError(attributes)) return attributes;
  try {
    for (const key of ERROR_KEYS) {
      const value: unknown = (attributes as Record<string, unknown>)[key];
      if (isError(value)) return value;
    }
  } catch (error) {
    failed(error);
  }
  return undefined;
}

function withoutError(attributes: object, error: Error, failed: (error: unknown) => void): object {
  try {
    return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== error));
  } catch (unreadable) {
    failed(unreadable);
    return {};
  }
}

function copyBody(body: unknown, limits: LogLimits, failed: (error: unknown) => void): AttributeValue {
  try {
    if (isError(body)) return cutString(`${body.name}: ${body.message}`, MAX_BODY_LENGTH);
    return copyAttributeValue(body, limits.attributeValueLengthLimit);
  } catch (error) {
    failed(error);
    return undefined;
  }
}

/** The context of a span that can be sent. */
function contextOf(span: Span): HeldContext | undefined {
  if (span instanceof RecordingSpan) return span.context;
  const context = span.spanContext();
  return isSpanContextValid(context) ? holdContext(context) : undefined;
}

function readTime(time: unknown): HrTime | undefined {
  return time === undefined ? undefined : timeInputToHrTime(time);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? cutString(value, MAX_TEXT_LENGTH) : undefined;
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isError(value: unknown): value is Error {
  return isInstance(value, Error);
}
