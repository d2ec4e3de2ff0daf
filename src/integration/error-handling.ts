import { createDefaultLogger } from '../infra/logger.ts';
import { type Clock, systemClock } from '../utils/clock.ts';
import type { DiagnosticLogger } from '../utils/diagnostics.ts';
import {
  type ContainedError,
  Guard,
  type GuardedComponent,
  type HookSwitch,
  type ResilienceLevel,
} from '../utils/guard.ts';

/** How failures are contained. */
export interface ErrorHandlingOptions {
  /** How soon a function that fails again and again is switched off. Default: `'balanced'`. */
  readonly resilience?: ResilienceLevel | undefined;
  /** Where failures are logged, one line a minute for each function. Default: a pino logger at level `warn`. */
  readonly logger?: DiagnosticLogger | undefined;
  /** Time, for tests. Default: the system's. */
  readonly clock?: Clock | undefined;
}

/** What a contained function answers instead of a failure. */
export interface ContainOptions<R> {
  /** Names the function in `health()` and in log lines. Default: the function's own name. */
  readonly operation?: string | undefined;
  /** Returned, or resolved with, when the function fails or is switched off. Default: `undefined`. */
  readonly fallback?: R | undefined;
}

/** Failures that an {@link ErrorHandling} has contained. */
export interface ErrorHandlingHealth {
  readonly errors: number;
  readonly recentErrors: readonly ContainedError[];
  /** Functions that were switched off. */
  readonly switchedOff: readonly string[];
}

/** Keeps functions that only serve telemetry from breaking the code that calls them. */
export interface ErrorHandling {
  /**
   * A function that calls `fn` with the same `this` and arguments and never throws or rejects: a failure is counted and
   * logged and the fallback answered in its place. When `fn` fails again and again it is no longer called. Only for
   * telemetry's own code (enrichers, callbacks, mixins): an error of the application must not be swallowed.
   */
  contain<This, Args extends unknown[], R>(
    fn: (this: This, ...args: Args) => R,
    options?: ContainOptions<Awaited<R>>,
  ): (this: This, ...args: Args) => R;
  /** What was contained, and which functions are switched off. */
  health(): ErrorHandlingHealth;
}

const COMPONENT: GuardedComponent = 'host';

/**
 * The error-handling middleware for telemetry code of your own: the same containment, levels and bursts with which
 * isotrace guards samplers, processors and exporters. State is its own; nothing is shared between two of them.
 */
export function createErrorHandling(options: ErrorHandlingOptions = {}): ErrorHandling {
  const { resilience, logger, clock } = readOptions(options);
  const guard = new Guard({ clock, level: resilience, logger });
  let contained = 0;
  return {
    contain(fn, options) {
      contained += 1;
      const { operation, fallback } = readContainOptions(fn, options);
      if (typeof fn !== 'function') return () => fallback as never;
      const hook = guard.hook(COMPONENT, operation === '' ? `function ${contained}` : operation);
      return function (this, ...args) {
        if (!hook.on) return fallback as ReturnType<typeof fn>;
        try {
          return settle(Reflect.apply(fn, this, args), hook, fallback);
        } catch (error) {
          hook.failed(error);
          return fallback as ReturnType<typeof fn>;
        }
      };
    },
    health: () => ({
      errors: guard.counts()[COMPONENT] ?? 0,
      recentErrors: guard.recent(),
      switchedOff: guard.switchedOff(),
    }),
  };
}

function settle<R>(result: R, hook: HookSwitch, fallback: unknown): R {
  if (!(result instanceof Promise)) return result;
  return result.catch((error: unknown) => {
    hook.failed(error);
    return fallback;
  }) as R;
}

/** Whatever cannot be read or used counts as not given. */
function readOptions(
  given: unknown,
): Required<{ [K in keyof ErrorHandlingOptions]: NonNullable<ErrorHandlingOptions[K]> }> {
  const read = <K extends keyof ErrorHandlingOptions>(
    key: K,
    isGood: (value: unknown) => boolean,
    fallback: () => NonNullable<ErrorHandlingOptions[K]>,
  ) => {
    try {
      const value = (given as ErrorHandlingOptions)[key];
      return isGood(value) ? (value as NonNullable<ErrorHandlingOptions[K]>) : fallback();
    } catch {
      return fallback();
    }
  };
  return {
    resilience: read(
      'resilience',
      (value) => value === 'strict' || value === 'resilient',
      () => 'balanced',
    ),
    logger: read(
      'logger',
      (value) => typeof (value as Partial<DiagnosticLogger>).warn === 'function',
      createDefaultLogger,
    ),
    clock: read(
      'clock',
      (value) => typeof (value as Partial<Clock>).monotonic === 'function',
      () => systemClock,
    ),
  };
}

function readContainOptions<R>(
  fn: unknown,
  given: ContainOptions<R> | undefined,
): { operation: string; fallback: R | undefined } {
  try {
    const { operation = (fn as { name?: unknown }).name, fallback } = given ?? {};
    return { operation: typeof operation === 'string' ? operation : '', fallback };
  } catch {
    return { operation: '', fallback: undefined };
  }
}
