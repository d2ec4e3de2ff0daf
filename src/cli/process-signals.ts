import { constants } from 'node:os';

/** What stops a command. */
const STOPS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** What a program may give a meaning of its own; for a command they are what they are for every process. */
const OTHERS = ['SIGQUIT', 'SIGUSR2'] as const;

type Listener = (signal: NodeJS.Signals) => void;

/** The signals of this process: the first one stops the command, the second ends the process. */
export class ProcessSignals {
  readonly #controller = new AbortController();
  #taker: Listener | undefined;

  constructor() {
    for (const name of STOPS) process.on(name, () => this.#received(name));
  }

  /** Aborted when the command is to stop. */
  get stopped(): AbortSignal {
    return this.#controller.signal;
  }

  stop(): void {
    this.#controller.abort();
  }

  /** From now on signals are for `listener` alone, until what this returns is called. */
  readonly take = (listener: Listener): (() => void) => {
    this.#taker = listener;
    for (const name of OTHERS) process.on(name, listener);
    return () => {
      this.#taker = undefined;
      for (const name of OTHERS) process.off(name, listener);
    };
  };

  #received(name: NodeJS.Signals): void {
    if (this.#taker !== undefined) this.#taker(name);
    else if (this.stopped.aborted) process.exit(exitCodeOf(name));
    else this.stop();
  }
}

/** As shells have it. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
