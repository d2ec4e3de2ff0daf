/** Longer than what a busy process adds by itself. */
const MIN_PATIENCE_MILLIS = 500;
const MAX_PATIENCE_MILLIS = 1_000;
/** What takes so many times as long as half of the answers is not usual. */
const USUAL_FACTOR = 8;
const STEP = 1.1;

/** How long an origin usually takes to answer. */
export class AnswerPace {
  /**
   * The median, estimated in one number: each answer moves it a step up or down (Ma, Muthukrishnan and Sandler, "Frugal
   * Streaming for Estimating Quantiles", 2013). So a few slow tenants do not move it, as they would a mean.
   */
  #medianMillis: number | undefined;

  /**
   * How long a request may take before it is overdue: a second at most, also where everything takes long; half as long
   * for a lane that was never answered.
   */
  patienceMillis(unproven: boolean): number {
    // Before anybody was answered: a new connection needs its time.
    if (this.#medianMillis === undefined) return MAX_PATIENCE_MILLIS;
    const patience = Math.min(this.#usualMillis, MAX_PATIENCE_MILLIS);
    return unproven ? patience / 2 : patience;
  }

  /** Whether an answer was no slower than can be expected there. */
  isUsual(millis: number): boolean {
    return millis <= this.#usualMillis;
  }

  note(millis: number): void {
    const median = this.#medianMillis;
    if (median === undefined) this.#medianMillis = Math.max(millis, 1);
    else if (millis > median) this.#medianMillis = median * STEP;
    else this.#medianMillis = Math.max(median / STEP, 1);
  }

  get #usualMillis(): number {
    return Math.max(USUAL_FACTOR * (this.#medianMillis ?? 0), MIN_PATIENCE_MILLIS);
  }
}
