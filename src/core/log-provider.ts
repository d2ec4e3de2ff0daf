import type { Context } from '@opentelemetry/api';
import { context as contextApi } from '@opentelemetry/api';
import type { LogEntry } from '../processing/log-entry.ts';
import type { SpanScope } from '../processing/span-host.ts';
import { isContext } from './operations.ts';

/** As a `LogRecord` of `@opentelemetry/api-logs`. */
export interface ApiLogRecord {
  /** Names the record an event of this kind. */
  readonly eventName?: string | undefined;
  /** When it happened. Default: now. */
  readonly timestamp?: unknown;
  /** When it was noticed. Default: now. */
  readonly observedTimestamp?: unknown;
  /** 1 to 24, as OpenTelemetry has them. */
  readonly severityNumber?: number | undefined;
  /** The severity as the source calls it. */
  readonly severityText?: string | undefined;
  /** What it says: a text, or any other value, which is copied. */
  readonly body?: unknown;
  /** Attributes of the record. */
  readonly attributes?: unknown;
  /** Becomes the `exception.*` attributes. */
  readonly exception?: unknown;
  /** Whose active span it belongs to. Default: the running context. */
  readonly context?: Context | undefined;
}

/** As a `Logger` of `@opentelemetry/api-logs`. */
export interface ApiLogger {
  /** Records it for the tenant. Never throws. */
  emit(record: ApiLogRecord): void;
  /** Whether a record like this would be kept. */
  enabled(options?: { context?: Context; severityNumber?: number; eventName?: string }): boolean;
}

/** As a `LoggerProvider` of `@opentelemetry/api-logs`: can be given to whatever takes one. */
export interface ApiLoggerProvider {
  /** A logger of a scope. */
  getLogger(name: string, version?: string, options?: unknown): ApiLogger;
}

/** Where the records of a provider's loggers go. Must not throw. */
export interface LogTarget {
  emit(entry: LogEntry, context: Context, scope: SpanScope): void;
  takes(severityNumber: number, context: Context): boolean;
  scope(name: unknown, version: unknown): SpanScope;
  failed(error: unknown): void;
}

/** A provider of OpenTelemetry's Logs API. No method of its loggers throws. */
export function createLoggerProvider(target: LogTarget): ApiLoggerProvider {
  return {
    getLogger: (name, version) => createLogger(target, target.scope(name, version)),
  };
}

function createLogger(target: LogTarget, scope: SpanScope): ApiLogger {
  return {
    emit: (record) => {
      try {
        const context = isContext(record.context) ? record.context : contextApi.active();
        target.emit(entryOf(record), context, scope);
      } catch (error) {
        target.failed(error);
      }
    },
    enabled: (options) => {
      try {
        const context = isContext(options?.context) ? options.context : contextApi.active();
        return target.takes(numberOf(options?.severityNumber), context);
      } catch (error) {
        target.failed(error);
        return false;
      }
    },
  };
}

function entryOf(record: ApiLogRecord): LogEntry {
  const { attributes, body, eventName, exception, observedTimestamp, severityNumber, severityText, timestamp } = record;
  return {
    severityNumber: numberOf(severityNumber),
    severityText,
    body,
    attributes,
    time: timestamp,
    observedTime: observedTimestamp,
    eventName,
    exception,
  };
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && value > 0 ? value : 0;
}
