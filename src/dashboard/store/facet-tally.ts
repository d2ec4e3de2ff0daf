import type { FacetAnswer } from './telemetry-store.ts';

/** Different values that are counted; later ones are left out. */
const MAX_VALUES = 10_000;
const MAX_LENGTH = 200;

/** Counts the values of a field that begin with a prefix, whatever the case of their letters. */
export class FacetTally {
  readonly #prefix: string;
  readonly #limit: number;
  readonly #counts = new Map<string, number>();

  constructor(prefix: string, limit: number) {
    this.#prefix = prefix.toLowerCase();
    this.#limit = limit;
  }

  add(value: string, weight = 1): void {
    const known = this.#counts.get(value);
    if (known !== undefined) this.#counts.set(value, known + weight);
    else if (value !== '' && this.#counts.size < MAX_VALUES && value.length <= MAX_LENGTH)
      this.#counts.set(value, weight);
  }

  /** The most frequent first. */
  top(): FacetAnswer['values'] {
    return [...this.#counts]
      .filter(([value]) => value.toLowerCase().startsWith(this.#prefix))
      .sort(([left, leftCount], [right, rightCount]) => rightCount - leftCount || (left < right ? -1 : 1))
      .slice(0, this.#limit)
      .map(([value, count]) => ({ value, count }));
  }
}
