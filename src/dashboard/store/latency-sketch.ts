/** Quantiles are within 1 %: neighbouring buckets are 2 % apart, and a bucket stands for its middle. */
const GAMMA = 1.02;
const LOG_GAMMA = Math.log(GAMMA);

/** Counts durations in buckets that grow exponentially, as many as the durations need. */
export class LatencySketch {
  #counts: number[] = [];
  /** The bucket that `#counts` begins with. */
  #first = 0;
  count = 0;
  max = 0;

  add(nanos: number, weight = 1): void {
    this.count += weight;
    if (nanos > this.max) this.max = nanos;
    const bucket = nanos < 1 ? 0 : Math.ceil(Math.log(nanos) / LOG_GAMMA);
    if (this.#counts.length === 0) this.#first = bucket;
    while (bucket < this.#first) {
      this.#counts.unshift(0);
      this.#first -= 1;
    }
    while (bucket >= this.#first + this.#counts.length) this.#counts.push(0);
    this.#counts[bucket - this.#first] = (this.#counts[bucket - this.#first] ?? 0) + weight;
  }

  /** The duration that so large a part of all, from 0 to 1, does not exceed; 0 without any. */
  quantile(part: number): number {
    let left = Math.max(Math.ceil(part * this.count), 1);
    for (const [index, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) {
        const bucket = this.#first + index;
        return bucket === 0 ? Math.min(this.max, 1) : Math.min((2 * GAMMA ** bucket) / (GAMMA + 1), this.max);
      }
    }
    return this.max;
  }
}
