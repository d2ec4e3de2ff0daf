import type { Segment } from './segment.ts';

/** Rows that came in together. */
export interface Arrival {
  readonly sequence: number;
  readonly segment: Segment;
  readonly fromRow: number;
  readonly toRow: number;
}

const MAX_ARRIVALS = 16_384;

/** The latest arrivals, by number; older ones are forgotten. */
export class ArrivalLog {
  readonly #arrivals: Arrival[] = [];
  #next = 0;

  /** The number of the next arrival. */
  get sequence(): number {
    return this.#next;
  }

  add(segment: Segment, fromRow: number, toRow: number): void {
    this.#arrivals[this.#next % MAX_ARRIVALS] = { sequence: this.#next, segment, fromRow, toRow };
    this.#next += 1;
  }

  /** Arrivals from that number on, oldest first, and how many of them are forgotten. */
  since(sequence: number): { readonly arrivals: readonly Arrival[]; readonly forgotten: number } {
    const first = Math.max(sequence, this.#next - MAX_ARRIVALS, 0);
    const arrivals: Arrival[] = [];
    for (let number = first; number < this.#next; number += 1) {
      const arrival = this.#arrivals[number % MAX_ARRIVALS];
      if (arrival !== undefined) arrivals.push(arrival);
    }
    return { arrivals, forgotten: first - sequence };
  }
}
