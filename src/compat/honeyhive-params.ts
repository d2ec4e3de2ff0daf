import type { Attributes } from '@opentelemetry/api';
import { recordKeys } from '../utils/record-keys.ts';
import { flattenValue } from './flatten-value.ts';

type Values = Readonly<Record<string, unknown>>;

/** What can be said about a span. Objects become one attribute a leaf, such as `honeyhive_metadata.user.id`. */
export interface EnrichSpanParams {
  /** How it was set up. */
  readonly config?: Values | undefined;
  /** Anything about it. */
  readonly metadata?: Values | undefined;
  /** Figures. */
  readonly metrics?: Values | undefined;
  /** What people or programs think of it. */
  readonly feedback?: Values | undefined;
  /** What went in. */
  readonly inputs?: Values | undefined;
  /** What came out. */
  readonly outputs?: Values | undefined;
  /** About its user. */
  readonly userProperties?: Values | undefined;
  /** What went wrong. */
  readonly error?: unknown;
  /** The name under which it is shown. */
  readonly eventName?: string | undefined;
}

/** What is known of a session by now. */
export interface EnrichSessionParams {
  /** Default: the session of the running code, else the tracer's. */
  readonly sessionId?: string | undefined;
  /** Anything about it. */
  readonly metadata?: Values | undefined;
  /** What people or programs think of it. */
  readonly feedback?: Values | undefined;
  /** Figures. */
  readonly metrics?: Values | undefined;
  /** How it was set up. */
  readonly config?: Values | undefined;
  /** In `metadata.inputs`: HoneyHive has no inputs of sessions that have begun. */
  readonly inputs?: Values | undefined;
  /** What came out. */
  readonly outputs?: Values | undefined;
  /** About its user. */
  readonly userProperties?: Values | undefined;
}

/** A new session. */
export interface SessionParams {
  /** Default: a new UUID. */
  readonly sessionId?: string | undefined;
  /** Default: the tracer's. */
  readonly sessionName?: string | undefined;
  /** Where it comes from, such as `production`. Default: that of the tracer. */
  readonly source?: string | undefined;
  /** What it begins with. */
  readonly inputs?: Values | undefined;
  /** Anything about it. */
  readonly metadata?: Values | undefined;
  /** About its user. */
  readonly userProperties?: Values | undefined;
  /** Whether spans only tell of the session, and the API is not called. Default: `false`. */
  readonly skipApiCall?: boolean | undefined;
}

const SPAN_FIELDS = {
  config: 'honeyhive_config',
  metadata: 'honeyhive_metadata',
  metrics: 'honeyhive_metrics',
  feedback: 'honeyhive_feedback',
  inputs: 'honeyhive_inputs',
  outputs: 'honeyhive_outputs',
  userProperties: 'honeyhive_user_properties',
  error: 'honeyhive_error',
  eventName: 'honeyhive_event_name',
} as const satisfies Record<keyof EnrichSpanParams, string>;

/** The attributes that say so. Never throws; what cannot be read is told to `failed`. */
export function spanAttributes(params: EnrichSpanParams | undefined, failed: (error: unknown) => void): Attributes {
  const found: Attributes = {};
  const fields = readFields(params, failed);
  for (const [field, prefix] of Object.entries(SPAN_FIELDS) as [keyof EnrichSpanParams, string][]) {
    const value = fields[field];
    if (value) Object.assign(found, flattenValue(prefix, value));
  }
  return found;
}

/** A copy of what can be read of an object that host code made; what throws is told to `failed`. Never throws. */
export function readFields<T extends object>(
  params: T | null | undefined,
  failed: (error: unknown) => void,
): Partial<T> {
  const found: Partial<T> = {};
  if (typeof params !== 'object' || params === null) return found;
  try {
    for (const key of recordKeys(params) as (keyof T & string)[]) {
      try {
        found[key] = params[key];
      } catch (error) {
        failed(error);
      }
    }
  } catch (error) {
    failed(error);
  }
  return found;
}
