import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { outsideOfRequests } from '../infra/untraced.ts';
import type { Agenda, Job } from '../processing/agenda.ts';
import type { Clock } from '../utils/clock.ts';
import { type ConfigIssue, describeError } from '../utils/errors.ts';
import { resolveTracerSettings } from './config.ts';
import type { ConfigureFunction, EndpointPolicy } from './registry-options.ts';
import type { TracerDefaults } from './settings.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

export interface ConfiguratorOptions {
  readonly configure: ConfigureFunction | undefined;
  readonly endpointPolicy: EndpointPolicy;
  readonly defaults: TracerDefaults;
  readonly clock: Clock;
  readonly agenda: Agenda;
  readonly configured: (runtime: TracerRuntime, settings: TracerDefaults, issues: readonly ConfigIssue[]) => void;
  readonly unknown: (runtime: TracerRuntime) => void;
  readonly failed: (runtime: TracerRuntime, reason: string) => void;
}

/** What asking for a tenant's configuration came to. */
export type ConfigureOutcome = 'configured' | 'unknown' | 'failed';

/** What `reconfigure` came to. `'unchanged'`: the configuration is what it was, and nothing was touched. */
export type ReconfigureOutcome = 'changed' | 'unchanged' | 'unknown' | 'failed';

interface Asking {
  readonly outcome: Promise<ConfigureOutcome>;
  readonly giveUp: Job;
}

/** `configure` is given this long; a later answer still counts. */
const ANSWER_MILLIS = 2_000;
const RETRY_MIN_MILLIS = 5_000;
const RETRY_MAX_MILLIS = 30_000;

/**
 * Asks the user's `configure` for a tenant's options: once however many wait, with a time limit, again after a
 * jittered pause when it throws, rejects, hangs or returns rubbish. Nothing it does reaches the host.
 */
export class TenantConfigurator {
  readonly #options: ConfiguratorOptions;
  readonly #asking = new Map<TracerRuntime, Asking>();
  readonly #retries = new Map<TracerRuntime, Job>();

  constructor(options: ConfiguratorOptions) {
    this.#options = options;
  }

  /** Asks unless it is asking already. With a synchronous `configure` the outcome is in force when this returns. */
  ask(runtime: TracerRuntime): Promise<ConfigureOutcome> {
    const asking = this.#asking.get(runtime);
    if (asking !== undefined) return asking.outcome;
    this.#cancelRetry(runtime);
    const { configure, defaults } = this.#options;
    if (configure === undefined) {
      const { settings, issues } = resolveTracerSettings(undefined, { tenantId: runtime.tenantId, defaults });
      this.#options.configured(runtime, settings, issues);
      return Promise.resolve('configured');
    }
    try {
      // The code that asked may be a request of another tenant.
      const answer: unknown = outsideOfRequests(() => context.with(ROOT_CONTEXT, () => configure(runtime.tenantId)));
      return isThenable(answer) ? this.#wait(runtime, answer) : Promise.resolve(this.#accept(runtime, answer));
    } catch (error) {
      return Promise.resolve(this.#fail(runtime, error));
    }
  }

  /** Resolves when the question that is under way, if any, is answered or given up. */
  async settled(runtime: TracerRuntime): Promise<void> {
    await this.#asking.get(runtime)?.outcome;
  }

  /** Forgets a tenant that is no longer in use. */
  forget(runtime: TracerRuntime): void {
    this.#cancelRetry(runtime);
    const asking = this.#asking.get(runtime);
    if (asking === undefined) return;
    this.#options.agenda.cancel(asking.giveUp);
    this.#asking.delete(runtime);
  }

  #wait(runtime: TracerRuntime, answer: PromiseLike<unknown>): Promise<ConfigureOutcome> {
    const { agenda, clock } = this.#options;
    let timedOut = (): void => undefined;
    const giveUp: Job = { due: () => timedOut() };
    const settle = (handle: () => ConfigureOutcome): ConfigureOutcome => {
      const current = this.#asking.get(runtime)?.giveUp === giveUp;
      // A late answer counts unless somebody has asked again, or nobody wants it any more.
      const late = !this.#asking.has(runtime) && this.#retries.has(runtime);
      if (!current && !late) return 'failed';
      agenda.cancel(giveUp);
      this.#asking.delete(runtime);
      this.#cancelRetry(runtime);
      return handle();
    };
    const outcome = new Promise<ConfigureOutcome>((resolve) => {
      timedOut = () => {
        this.#asking.delete(runtime);
        resolve(this.#fail(runtime, `configure did not answer within ${ANSWER_MILLIS} ms`));
      };
      // By way of a promise of our own: a thenable may throw, answer at once or answer twice.
      Promise.resolve(answer).then(
        (value) => resolve(settle(() => this.#accept(runtime, value))),
        (error: unknown) => resolve(settle(() => this.#fail(runtime, error))),
      );
    });
    this.#asking.set(runtime, { outcome, giveUp });
    agenda.schedule(giveUp, clock.monotonic() + ANSWER_MILLIS);
    return outcome;
  }

  #accept(runtime: TracerRuntime, answer: unknown): ConfigureOutcome {
    // `null` as well: what a database has no row for, in `return row && { … }`.
    if (answer === undefined || answer === null) {
      this.#options.unknown(runtime);
      return 'unknown';
    }
    if (typeof answer !== 'object') return this.#fail(runtime, 'configure returned no options object');
    const { defaults, endpointPolicy } = this.#options;
    const { tenantId } = runtime;
    const { settings, issues } = resolveTracerSettings(answer, { tenantId, defaults, endpointPolicy });
    this.#options.configured(runtime, settings, issues);
    return 'configured';
  }

  #fail(runtime: TracerRuntime, error: unknown): ConfigureOutcome {
    const { agenda, clock } = this.#options;
    runtime.guard.report('configure', 'configure', error);
    const retry: Job = {
      due: () => {
        this.#retries.delete(runtime);
        void this.ask(runtime);
      },
    };
    this.#retries.set(runtime, retry);
    const pause = RETRY_MIN_MILLIS + clock.random() * (RETRY_MAX_MILLIS - RETRY_MIN_MILLIS);
    agenda.schedule(retry, clock.monotonic() + pause);
    this.#options.failed(runtime, describeError(error));
    return 'failed';
  }

  #cancelRetry(runtime: TracerRuntime): void {
    const retry = this.#retries.get(runtime);
    if (retry === undefined) return;
    this.#options.agenda.cancel(retry);
    this.#retries.delete(runtime);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
  );
}
