import type { Attributes } from '@opentelemetry/api';
import { context as contextApi } from '@opentelemetry/api';
import { LOG_LEVELS, type LogLevel, SEVERITIES } from '../processing/log-record.ts';
import { emitLog, takesLogs } from './emit-log.ts';
import { type ApiLoggerProvider, createLoggerProvider } from './log-provider.ts';
import type { Mixed, MixinBase } from './mixin.ts';
import type { TracerBase } from './tracer-base.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/**
 * Logs one record.
 *
 * @param message a text, an error, or any value that attributes can have
 * @param attributes beside it; an error, also one under `err`, `error` or `exception`, becomes `exception.*`
 */
export type LogFunction = (
  message: unknown,
  attributes?: Attributes | Error | Readonly<Record<string, unknown>>,
) => void;

/** A function for each level, which may be taken out of the object and called by itself. */
export type TenantLog = { readonly [Level in LogLevel]: LogFunction };

/**
 * Log records of this tenant: with the trace and span id of its own active span, if there is one, and the id of its
 * session. They go to its destinations as spans do. No method throws.
 */
export interface Logs {
  readonly log: TenantLog;
  /**
   * For libraries that take a `LoggerProvider` of `@opentelemetry/api-logs`: all their records are this tenant's.
   * Always the same object.
   */
  readonly loggerProvider: ApiLoggerProvider;
}

/** Adds {@link Logs} to a tracer class. */
export function WithLogs<Base extends MixinBase<TracerBase>>(base: Base): Base & Mixed<Logs> {
  abstract class WithLogsMixin extends base implements Logs {
    #log: TenantLog | undefined;
    #loggerProvider: ApiLoggerProvider | undefined;

    get log(): TenantLog {
      this.#log ??= createLog(this.runtime);
      return this.#log;
    }

    get loggerProvider(): ApiLoggerProvider {
      this.#loggerProvider ??= providerOf(this.runtime);
      return this.#loggerProvider;
    }
  }
  return WithLogsMixin as never;
}

function createLog(runtime: TracerRuntime): TenantLog {
  const functions = LOG_LEVELS.map((level): [LogLevel, LogFunction] => {
    const severityNumber = SEVERITIES[level];
    const severityText = level.toUpperCase();
    return [
      level,
      (body, attributes) => emitLog(runtime, { severityNumber, severityText, body, attributes }, contextApi.active()),
    ];
  });
  return Object.freeze(Object.fromEntries(functions)) as TenantLog;
}

function providerOf(runtime: TracerRuntime): ApiLoggerProvider {
  return createLoggerProvider({
    emit: (entry, context, scope) => emitLog(runtime, entry, context, scope),
    takes: (severityNumber) => takesLogs(runtime, severityNumber),
    scope: (name, version) => runtime.house.logScopes.scope(name, version),
    failed: (error) => runtime.guard.report('api', 'log', error),
  });
}
