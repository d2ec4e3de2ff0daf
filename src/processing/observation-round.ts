import { types } from 'node:util';
import { type Attributes, context as contextApi, type Observable, ROOT_CONTEXT } from '@opentelemetry/api';
import type { Agenda, Job } from './agenda.ts';
import type { ObservableInstrument, RegisteredCallback } from './observable-instrument.ts';
import { enterScope, type ScopeOwner } from './scope.ts';

export interface ObservationRoundOptions {
  /** Whose callbacks they are; they run as this tenant. */
  readonly owner: ScopeOwner;
  readonly agenda: Agenda;
  /** A callback threw, rejected, or did not answer in time. */
  readonly failed: (name: string, error: unknown) => void;
}

/** What an asynchronous callback may take. */
const PATIENCE_MILLIS = 5_000;

/** Callbacks of the host's that have not answered an earlier round; they are not asked again meanwhile. */
const unanswered = new WeakSet<RegisteredCallback>();

/** Asks each callback once. One that fails, or never answers, loses nothing but its own observations. */
export class ObservationRound {
  readonly #options: ObservationRoundOptions;
  /** What comes later is not taken any more. */
  #open = true;

  constructor(options: ObservationRoundOptions) {
    this.#options = options;
  }

  /** `undefined` when all have answered at once; else resolves when they have, or the time is over. Never rejects. */
  ask(callbacks: readonly RegisteredCallback[]): Promise<void> | undefined {
    const waiting = new Set<RegisteredCallback>();
    const answers: Promise<void>[] = [];
    for (const callback of [...callbacks]) {
      const answer = this.#askOne(callback);
      if (answer === undefined) continue;
      waiting.add(callback);
      answers.push(answer.then(() => void waiting.delete(callback)));
    }
    if (answers.length > 0) return this.#wait(answers, waiting);
    this.#open = false;
    return undefined;
  }

  async #wait(answers: readonly Promise<void>[], waiting: ReadonlySet<RegisteredCallback>): Promise<void> {
    const { agenda, failed } = this.#options;
    let job: Job | undefined;
    const over = new Promise<void>((resolve) => {
      job = { due: () => resolve() };
      agenda.schedule(job, agenda.now() + PATIENCE_MILLIS);
    });
    await Promise.race([Promise.all(answers), over]);
    if (job !== undefined) agenda.cancel(job);
    this.#open = false;
    for (const callback of waiting) failed(nameOf(callback), `no answer within ${PATIENCE_MILLIS} ms`);
  }

  #askOne(callback: RegisteredCallback): Promise<void> | undefined {
    const { failed } = this.#options;
    if (unanswered.has(callback)) {
      failed(nameOf(callback), 'the callback has not answered the last time');
      return undefined;
    }
    try {
      const answer = contextApi.with(enterScope(ROOT_CONTEXT, this.#options.owner), () => this.#call(callback));
      if (!types.isPromise(answer)) return undefined;
      unanswered.add(callback);
      return answer.then(
        () => void unanswered.delete(callback),
        (error: unknown) => {
          unanswered.delete(callback);
          failed(nameOf(callback), error);
        },
      );
    } catch (error) {
      failed(nameOf(callback), error);
      return undefined;
    }
  }

  #call(callback: RegisteredCallback): unknown {
    if ('instrument' in callback) {
      const { instrument } = callback;
      return callback.observe({
        observe: (value: number, attributes?: Attributes) => this.#take(instrument, value, attributes),
      });
    }
    const { instruments } = callback;
    return callback.observe({
      observe: (metric: Observable, value: number, attributes?: Attributes) => {
        const instrument = instruments.find((candidate) => candidate === metric);
        if (instrument !== undefined) this.#take(instrument, value, attributes);
      },
    });
  }

  #take(instrument: ObservableInstrument, value: number, attributes: Attributes | undefined): void {
    if (this.#open) instrument.observe(value, attributes);
  }
}

function nameOf(callback: RegisteredCallback): string {
  return 'instrument' in callback ? callback.instrument.name : (callback.instruments[0]?.name ?? 'callback');
}
