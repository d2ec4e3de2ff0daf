import type { Agenda, Job } from './agenda.ts';
import type { ByteBudget } from './byte-budget.ts';

export interface Loaded {
  readonly data: Buffer;
  /** To be called once, when the memory is free again. */
  readonly release: () => void;
}

interface Request {
  readonly bytes: number;
  readonly admit: (release: () => void) => void;
}

const MAX_READS = 4;
const LOOK_AGAIN_MILLIS = 50;

/**
 * Lets what is on disk back into memory: a few reads at a time, within the process's byte budget, and nobody has to
 * make room for it. One in all may exceed the budget, so that a full one never stops delivery from the disk.
 */
export class LoadGate implements Job {
  readonly #budget: ByteBudget;
  readonly #agenda: Agenda;
  readonly #line: Request[] = [];
  #reads = 0;
  #exceeding = false;

  constructor(budget: ByteBudget, agenda: Agenda) {
    this.#budget = budget;
    this.#agenda = agenda;
  }

  /** Reads `bytes` when it is their turn. Rejects as `read` does. */
  async load(bytes: number, read: () => Promise<Buffer>): Promise<Loaded> {
    const release = await new Promise<() => void>((resolve) => {
      this.#line.push({ bytes, admit: resolve });
      this.due();
    });
    try {
      return { data: await read(), release };
    } catch (error) {
      release();
      throw error;
    } finally {
      this.#reads -= 1;
      this.due();
    }
  }

  due(): void {
    for (let first = this.#line[0]; first !== undefined && this.#reads < MAX_READS; first = this.#line[0]) {
      const release = this.#claim(first.bytes);
      if (release === undefined) {
        this.#agenda.schedule(this, this.#agenda.now() + LOOK_AGAIN_MILLIS);
        return;
      }
      this.#line.shift();
      this.#reads += 1;
      first.admit(release);
    }
  }

  #claim(bytes: number): (() => void) | undefined {
    const fits = this.#budget.claim(bytes, false);
    if (!fits && this.#exceeding) return undefined;
    if (!fits) {
      this.#exceeding = true;
      this.#budget.claim(bytes, true);
    }
    return () => {
      this.#budget.release(bytes);
      if (fits) return;
      this.#exceeding = false;
      this.due();
    };
  }
}
