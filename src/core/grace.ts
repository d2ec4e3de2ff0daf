import type { Agenda, Job } from '../processing/agenda.ts';

/** A time that somebody is given; over when it ends, unless it is taken back first. */
export class Grace {
  readonly #agenda: Agenda;
  readonly #job: Job;

  /** `over` must not throw. */
  constructor(agenda: Agenda, over: () => void) {
    this.#agenda = agenda;
    this.#job = { due: over };
  }

  /** Begins, or begins again. */
  begin(millis: number): void {
    this.#agenda.schedule(this.#job, this.#agenda.now() + millis);
  }

  end(): void {
    this.#agenda.cancel(this.#job);
  }
}
