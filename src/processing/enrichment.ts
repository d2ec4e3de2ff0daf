import type { Attributes, AttributeValue, Span } from '@opentelemetry/api';
import { SpanStatusCode } from '@opentelemetry/api';
import { recordKeys } from '../utils/record-keys.ts';
import { EVENT_TYPE_KEY, type EventType } from './event-type.ts';
import { errorMessage } from './exception.ts';
import { serializeValue } from './serialize-value.ts';

/** Named values; those that are no attribute values are written as JSON, bounded. */
export type EnrichmentRecord = Readonly<Record<string, unknown>>;

/**
 * What can be said about a span beside its attributes. Each key of a record becomes one attribute: a text, number,
 * boolean or list of these as it is, anything else as JSON of up to 8,192 bytes. Keys that are given again replace
 * what was there. Records have up to 128 keys; others are left out.
 */
export interface Enrichment {
  /** As they are, without a prefix. */
  readonly attributes?: Attributes | undefined;
  /** `isotrace.metadata.<key>` */
  readonly metadata?: EnrichmentRecord | undefined;
  /** `isotrace.metrics.<key>` */
  readonly metrics?: EnrichmentRecord | undefined;
  /** `isotrace.feedback.<key>` */
  readonly feedback?: EnrichmentRecord | undefined;
  /** `isotrace.inputs.<key>`; of what is no record `isotrace.inputs.value`. */
  readonly inputs?: unknown;
  /** `isotrace.outputs.<key>`; of what is no record `isotrace.outputs.value`. */
  readonly outputs?: unknown;
  /** `isotrace.config.<key>` */
  readonly config?: EnrichmentRecord | undefined;
  /** `user.<key>` for `id`, `name`, `full_name`, `email`, `hash` and `roles` (semantic conventions), else `isotrace.user.<key>`. */
  readonly userProperties?: EnrichmentRecord | undefined;
  /** What went wrong: an `exception` event, the status `ERROR` and `error.type`. */
  readonly error?: unknown;
  /** `isotrace.event.type` */
  readonly eventType?: EventType | undefined;
}

/** The fields that become attributes, and under which names. `prefix` is `isotrace` or `isotrace.session`. */
const FIELDS = {
  metadata: 'metadata',
  metrics: 'metrics',
  feedback: 'feedback',
  inputs: 'inputs',
  outputs: 'outputs',
  config: 'config',
  userProperties: 'user',
} as const satisfies Partial<Record<keyof Enrichment, string>>;
const FIELD_NAMES = Object.keys(FIELDS) as (keyof typeof FIELDS)[];

const USER_KEYS: ReadonlySet<string> = new Set(['id', 'name', 'full_name', 'email', 'hash', 'roles']);
const MAX_KEYS = 128;
const MAX_VALUE_BYTES = 8_192;

/** Whether an options object says anything that only enrichment knows. */
export function isEnriching(options: Enrichment): boolean {
  return (
    options.metadata !== undefined ||
    options.metrics !== undefined ||
    options.feedback !== undefined ||
    options.inputs !== undefined ||
    options.outputs !== undefined ||
    options.config !== undefined ||
    options.userProperties !== undefined ||
    options.eventType !== undefined ||
    options.error !== undefined
  );
}

/**
 * The attributes that a patch stands for; a pure function of it. What throws when it is read is told to `failed` and
 * left out. `error` is no attribute: see {@link enrich}.
 */
export function enrichmentAttributes(
  patch: Enrichment,
  failed: (error: unknown) => void,
  prefix = 'isotrace',
  maxValueLength = MAX_VALUE_BYTES,
): Attributes {
  const attributes: Attributes = Object.create(null);
  const put = (key: string, value: unknown): void => {
    const shown = attributeOf(value, Math.min(maxValueLength, MAX_VALUE_BYTES));
    if (shown !== undefined) attributes[key] = shown;
  };
  for (const field of FIELD_NAMES) {
    try {
      const value = patch[field];
      if (value === undefined || value === null) continue;
      const keys = recordKeys(value).slice(0, MAX_KEYS);
      if (isRecord(value)) putRecord(field, prefix, value, keys, put, failed);
      else if (field === 'inputs' || field === 'outputs') put(`${prefix}.${field}.value`, value);
    } catch (error) {
      failed(error);
    }
  }
  try {
    const { eventType } = patch;
    if (typeof eventType === 'string') put(EVENT_TYPE_KEY, eventType);
  } catch (error) {
    failed(error);
  }
  return attributes;
}

/** Applies a patch to a span that is known to be the tenant's own. */
export function enrich(
  span: Span,
  patch: Enrichment,
  failed: (error: unknown) => void,
  maxValueLength = MAX_VALUE_BYTES,
): void {
  const guarded = (apply: () => void): void => {
    try {
      apply();
    } catch (error) {
      failed(error);
    }
  };
  guarded(() => patch.attributes !== undefined && span.setAttributes(patch.attributes));
  guarded(() => span.setAttributes(enrichmentAttributes(patch, failed, 'isotrace', maxValueLength)));
  guarded(() => recordError(span, patch.error));
}

function recordError(span: Span, error: unknown): void {
  if (error === undefined || error === null) return;
  span.recordException(error as Error);
  span.setStatus({ code: SpanStatusCode.ERROR, message: errorMessage(error) });
  span.setAttribute('error.type', errorType(error));
}

/** A name of few values (semantic conventions, `error.type`): the code or class of the error, never its message. */
function errorType(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '_OTHER';
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (typeof code === 'string' && code !== '') return code.slice(0, 128);
  if (typeof code === 'number') return String(code);
  return typeof name === 'string' && name !== '' ? name.slice(0, 128) : '_OTHER';
}

function putRecord(
  field: keyof typeof FIELDS,
  prefix: string,
  record: EnrichmentRecord,
  keys: readonly string[],
  put: (key: string, value: unknown) => void,
  failed: (error: unknown) => void,
): void {
  for (const key of keys) {
    try {
      const isUser = field === 'userProperties' && USER_KEYS.has(key);
      put(isUser ? `user.${key}` : `${prefix}.${FIELDS[field]}.${key}`, record[key]);
    } catch (error) {
      failed(error);
    }
  }
}

function isRecord(value: unknown): value is EnrichmentRecord {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function attributeOf(value: unknown, maxBytes: number): AttributeValue | undefined {
  if (value === undefined || value === null || typeof value === 'function' || typeof value === 'symbol')
    return undefined;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (isPlainList(value)) return [...value] as AttributeValue;
  return serializeValue(value, { maxBytes });
}

/** A list of one type of simple values, as OpenTelemetry's attributes have them. */
function isPlainList(value: unknown): value is readonly (string | number | boolean)[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_KEYS) return false;
  const type = typeof value[0];
  if (type !== 'string' && type !== 'number' && type !== 'boolean') return false;
  return value.every((item) => typeof item === type);
}
