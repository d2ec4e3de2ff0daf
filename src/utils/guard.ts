import { types } from 'node:util';
import type { Clock } from './clock.ts';
import { cutString } from './cut-string.ts';
import type { DiagnosticLogger } from './diagnostics.ts';
import { describeError } from './errors.ts';

/** How forgiving isotrace is with a user-supplied hook that fails. Host code never sees the failure at any level. */
export type ResilienceLevel =
  /** A hook is switched off at its first failure. */
  | 'strict'
  /** A hook is switched off after 10 failures within a minute. The default. */
  | 'balanced'
  /** As `balanced`, but the hook is tried again after 30 seconds. */
  | 'resilient';

/** Who failed: a part of isotrace or a hook that the user supplied. */
export type GuardedComponent =
  /** A call that was given something it cannot work with. */
  | 'api'
  /** The registry's `configure`. */
  | 'configure'
  /** Entering or reading an asynchronous context. */
  | 'context'
  /** Sending, and reading answers. */
  | 'delivery'
  /** Encoding one span, log record or data point. */
  | 'encoder'
  /** The option `exporter`. */
  | 'exporter'
  /** The `headers` function of a destination. */
  | 'headers'
  /** A callback of the host's: `tenant`, `attributes`, `route`, `capture` and their like. */
  | 'host'
  /** The option `idGenerator`. */
  | 'idGenerator'
  /** The option `logger`. */
  | 'logger'
  /** An instrument, a callback that observes, or a meter of the host's. */
  | 'metrics'
  /** One of `spanProcessors`. */
  | 'processor'
  /** Reading or writing a carrier, or one of the functions in `propagation`. */
  | 'propagation'
  /** A function or expression in `redact`. */
  | 'redactor'
  /** The option `sampling`, where it is a sampler. */
  | 'sampler'
  /** The disk under the spool. */
  | 'spool';

/** A contained failure, as `health()` lists it. */
export interface ContainedError {
  readonly component: GuardedComponent;
  readonly operation: string;
  readonly message: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Whose it is; absent when it belongs to no tenant. */
  readonly tenantId?: string;
}

export interface GuardOptions {
  readonly clock: Clock;
  readonly level: ResilienceLevel;
  readonly logger?: DiagnosticLogger | undefined;
  /** Named in log lines and in what the parent remembers. */
  readonly tenantId?: string | undefined;
  /** Also told of every failure; a registry sees those of its tenants. */
  readonly parent?: Guard | undefined;
}

const RECENT_ERRORS = 20;
const MAX_OPERATION_LENGTH = 128;
const BURST_MILLIS = 60_000;
/** Kinds of failure whose bursts are told apart; operations may carry names from outside. */
const MAX_BURSTS = 100;
const FAILURE_WINDOW_MILLIS = 60_000;
const FAILURES_BEFORE_OFF = 10;
const RETRY_AFTER_MILLIS = 30_000;

/**
 * Keeps failures of telemetry out of the host: counts them by component, remembers the latest and logs one
 * line a minute for each kind. It never throws, whatever the logger or the error does.
 */
export class Guard {
  /** May change with the tenant's configuration. */
  level: ResilienceLevel;
  readonly #options: GuardOptions;
  #counts: Map<GuardedComponent, number> | undefined;
  #recent: ContainedError[] | undefined;
  #hooks: Map<string, HookSwitch> | undefined;
  #bursts: Map<string, { since: number; suppressed: number }> | undefined;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.level = options.level;
  }

  /** Runs `fn` and returns its result, or `fallback` when it throws. */
  run<T>(component: GuardedComponent, operation: string, fn: () => T, fallback: T): T {
    try {
      return fn();
    } catch (error) {
      this.report(component, operation, error);
      return fallback;
    }
  }

  /** Records a failure that was caught. */
  report(component: GuardedComponent, operation: string, error: unknown): void {
    try {
      const { clock, tenantId } = this.#options;
      const message = describeError(error);
      this.#record({ component, operation, message, at: clock.now(), ...(tenantId !== undefined && { tenantId }) });
    } catch {
      // A clock or logger of the host failed: there is nobody left to tell.
    }
  }

  /** Failures by component. */
  counts(): Partial<Record<GuardedComponent, number>> {
    return Object.fromEntries(this.#counts ?? []);
  }

  /** The latest failures, oldest first. */
  recent(): readonly ContainedError[] {
    return this.#recent?.slice() ?? [];
  }

  /** A switch for one user-supplied hook. A later switch of the same name takes its place. */
  hook(component: GuardedComponent, operation: string): HookSwitch {
    const hook = new HookSwitch(this, this.#options.clock, component, cutString(operation, MAX_OPERATION_LENGTH));
    this.#hooks ??= new Map();
    this.#hooks.set(hook.name, hook);
    return hook;
  }

  /** Lists none of the hooks there were: they are no longer in force. They go on counting their failures. */
  forgetHooks(): void {
    this.#hooks = undefined;
  }

  /** Names of the hooks that are switched off. */
  switchedOff(): readonly string[] {
    return [...(this.#hooks?.values() ?? [])].filter((hook) => hook.off).map((hook) => hook.name);
  }

  #record(error: ContainedError): void {
    this.#count(error.component);
    this.#recent ??= [];
    this.#recent.push(error);
    if (this.#recent.length > RECENT_ERRORS) this.#recent.shift();
    const { logger, parent } = this.#options;
    if (logger) this.#log(logger, error);
    if (parent) parent.#record(error);
  }

  #count(component: GuardedComponent): void {
    this.#counts ??= new Map();
    this.#counts.set(component, (this.#counts.get(component) ?? 0) + 1);
  }

  #log(logger: DiagnosticLogger, { component, operation, message, tenantId }: ContainedError): void {
    const now = this.#options.clock.monotonic();
    const kind = `${component}.${operation}`;
    this.#bursts ??= new Map();
    const burst = this.#bursts.get(kind);
    if (burst && now - burst.since < BURST_MILLIS) {
      burst.suppressed += 1;
      return;
    }
    this.#bursts.delete(kind);
    this.#bursts.set(kind, { since: now, suppressed: 0 });
    if (this.#bursts.size > MAX_BURSTS) this.#forgetOldestBurst();
    const fields = { tenantId, component, operation, error: message, suppressed: burst?.suppressed ?? 0 };
    const failed = (): void => this.#count('logger');
    try {
      const written: unknown = logger.warn(fields, 'isotrace contained an error');
      if (types.isPromise(written)) written.catch(failed);
    } catch {
      failed();
    }
  }

  #forgetOldestBurst(): void {
    const [oldest] = this.#bursts?.keys() ?? [];
    if (oldest !== undefined) this.#bursts?.delete(oldest);
  }
}

/** Stands before one user-supplied hook and switches it off when it fails again and again. */
export class HookSwitch {
  readonly #guard: Guard;
  readonly #clock: Clock;
  readonly #component: GuardedComponent;
  readonly #operation: string;
  /** When the latest failures were, oldest first; as many as switch the hook off. */
  #failures: number[] | undefined;
  #offSince: number | undefined;

  constructor(guard: Guard, clock: Clock, component: GuardedComponent, operation: string) {
    this.#guard = guard;
    this.#clock = clock;
    this.#component = component;
    this.#operation = operation;
  }

  get name(): string {
    return `${this.#component}.${this.#operation}`;
  }

  get off(): boolean {
    if (this.#offSince === undefined) return false;
    return this.#guard.level !== 'resilient' || this.#clock.monotonic() - this.#offSince < RETRY_AFTER_MILLIS;
  }

  /** Whether the hook may be called now; asked just before it is. */
  get on(): boolean {
    if (this.#offSince === undefined) return true;
    if (this.off) return false;
    // On probation: the next failure within a minute switches it off again.
    const now = this.#clock.monotonic();
    this.#failures = Array.from({ length: FAILURES_BEFORE_OFF - 1 }, () => now);
    this.#offSince = undefined;
    return true;
  }

  /**
   * Runs the hook, or returns `fallback` when it is off or throws. A promise that it returns is watched, so that its
   * rejection counts as a failure and as nothing else.
   */
  run<T>(fn: () => T, fallback: T): T {
    if (!this.on) return fallback;
    try {
      const result = fn();
      if (types.isPromise(result)) result.catch((error: unknown) => this.failed(error));
      return result;
    } catch (error) {
      this.failed(error);
      return fallback;
    }
  }

  /** Records a failure of the hook; for those that fail later than their call returns. */
  failed(error: unknown): void {
    const switchedOff = this.#offSince === undefined && this.#failedTooOften();
    if (switchedOff) this.#offSince = this.#clock.monotonic();
    this.#guard.report(this.#component, switchedOff ? `${this.#operation} (switched off)` : this.#operation, error);
  }

  #failedTooOften(): boolean {
    const now = this.#clock.monotonic();
    this.#failures ??= [];
    this.#failures.push(now);
    if (this.#failures.length > FAILURES_BEFORE_OFF) this.#failures.shift();
    const allowed = this.#guard.level === 'strict' ? 1 : FAILURES_BEFORE_OFF;
    const first = this.#failures.at(-allowed);
    return first !== undefined && now - first <= FAILURE_WINDOW_MILLIS;
  }
}
