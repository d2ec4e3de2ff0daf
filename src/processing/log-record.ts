import type { HrTime } from '@opentelemetry/api';
import type { AttributeList, AttributeValue } from './ended-span.ts';
import type { HeldContext } from './span-identity.ts';

/** The lowest `SeverityNumber` of each level (OpenTelemetry, logs data model), with its short name. */
export const SEVERITIES = { trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21 } as const;

/** Severities of log records. */
export type LogLevel = keyof typeof SEVERITIES;

export const LOG_LEVELS = Object.freeze(Object.keys(SEVERITIES)) as readonly LogLevel[];

/** What the encoders need of a log record, which holds copies of what the host gave. */
export interface LogRecord {
  /** When it happened; a number is milliseconds since the epoch. `undefined`: not known. */
  readonly time: HrTime | number | undefined;
  /** When it was logged. */
  readonly observedTime: HrTime | number;
  /** 1 to 24; 0: not known. */
  readonly severityNumber: number;
  readonly severityText: string | undefined;
  readonly body: AttributeValue;
  readonly attributeList: AttributeList;
  readonly droppedAttributesCount: number;
  /** The span that it was logged in. */
  readonly context: HeldContext | undefined;
  readonly eventName: string | undefined;
}
