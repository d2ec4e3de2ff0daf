import type { Attributes } from '@opentelemetry/api';
import { context as contextApi } from '@opentelemetry/api';
import { type LogLevel, SEVERITIES, SEVERITY_TEXTS } from '../processing/log-record.ts';
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
  /** A function for each level: `tracer.log.info('paid', { amount: 5 })`. Always the same object. */
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
    #log: LogFunctions | undefined;
    #loggerProvider: ApiLoggerProvider | undefined;

    get log(): TenantLog {
      this.#log ??= new LogFunctions(this.runtime);
      return this.#log;
    }

    get loggerProvider(): ApiLoggerProvider {
      this.#loggerProvider ??= providerOf(this.runtime);
      return this.#loggerProvider;
    }
  }
  return WithLogsMixin as never;
}

/** Each function is made when it is first asked for: six of them are much for a tenant that logs at one level. */
class LogFunctions implements TenantLog {
  readonly #runtime: TracerRuntime;
  #trace: LogFunction | undefined;
  #debug: LogFunction | undefined;
  #info: LogFunction | undefined;
  #warn: LogFunction | undefined;
  #error: LogFunction | undefined;
  #fatal: LogFunction | undefined;

  constructor(runtime: TracerRuntime) {
    this.#runtime = runtime;
  }

  get trace(): LogFunction {
    this.#trace ??= createLogFunction(this.#runtime, 'trace');
    return this.#trace;
  }

  get debug(): LogFunction {
    this.#debug ??= createLogFunction(this.#runtime, 'debug');
    return this.#debug;
  }

  get info(): LogFunction {
    this.#info ??= createLogFunction(this.#runtime, 'info');
    return this.#info;
  }

  get warn(): LogFunction {
    this.#warn ??= createLogFunction(this.#runtime, 'warn');
    return this.#warn;
  }

  get error(): LogFunction {
    this.#error ??= createLogFunction(this.#runtime, 'error');
    return this.#error;
  }

  get fatal(): LogFunction {
    this.#fatal ??= createLogFunction(this.#runtime, 'fatal');
    return this.#fatal;
  }
}

function createLogFunction(runtime: TracerRuntime, level: LogLevel): LogFunction {
  const severityNumber = SEVERITIES[level];
  const severityText = SEVERITY_TEXTS[level];
  return (body, attributes) =>
    emitLog(runtime, { severityNumber, severityText, body, attributes }, contextApi.active());
}

function providerOf(runtime: TracerRuntime): ApiLoggerProvider {
  return createLoggerProvider({
    emit: (entry, context, scope) => emitLog(runtime, entry, context, scope),
    takes: (severityNumber) => takesLogs(runtime, severityNumber),
    scope: (name, version) => runtime.house.logScopes.scope(name, version),
    failed: (error) => runtime.guard.report('api', 'log', error),
  });
}
