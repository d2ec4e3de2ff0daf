import type { Agenda, Job } from '../processing/agenda.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

export interface IdleSweepHost {
  runtimes(): Iterable<TracerRuntime>;
  idle(runtime: TracerRuntime): void;
}

/** A tenant is idle when so many sweeps in a row found it unused. */
const SWEEPS_PER_TIMEOUT = 4;

/**
 * Finds tenants that were not used for the idle timeout. Using a tenant only sets a flag, which costs next to nothing;
 * the sweep reads no clock, and finds an idle tenant up to a quarter of the timeout late. A tenant that one sweep found
 * unused gives back what is soon made anew.
 */
export class IdleSweep implements Job {
  readonly #agenda: Agenda;
  readonly #intervalMillis: number;
  readonly #host: IdleSweepHost;
  readonly #unused = new WeakMap<TracerRuntime, number>();
  #running = false;

  constructor(agenda: Agenda, idleTimeoutMillis: number, host: IdleSweepHost) {
    this.#agenda = agenda;
    this.#intervalMillis = idleTimeoutMillis / SWEEPS_PER_TIMEOUT;
    this.#host = host;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#agenda.schedule(this, this.#agenda.now() + this.#intervalMillis);
  }

  stop(): void {
    this.#running = false;
    this.#agenda.cancel(this);
  }

  due(): void {
    this.#running = false;
    let live = 0;
    for (const runtime of [...this.#host.runtimes()]) {
      live += 1;
      const sweeps = runtime.touched || runtime.open > 0 ? 0 : (this.#unused.get(runtime) ?? 0) + 1;
      runtime.touched = false;
      this.#unused.set(runtime, sweeps);
      if (sweeps === 1) runtime.path.route?.rest();
      if (sweeps >= SWEEPS_PER_TIMEOUT) {
        this.#unused.delete(runtime);
        this.#host.idle(runtime);
      }
    }
    if (live > 0) this.start();
  }
}
