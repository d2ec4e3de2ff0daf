/** Finer is pointless: beyond this, neighbours of a double fall into one bucket (the OpenTelemetry SDKs' limit). */
const MAX_SCALE = 20;
const MIN_NORMAL_EXPONENT = -1_022;
const EXPONENT_BIAS = 1_023;
const MANTISSA_HIGH = 0x000f_ffff;

const bits = new DataView(new ArrayBuffer(8));

/**
 * The buckets of an exponential histogram (OTLP, "ExponentialHistogram"): bucket `i` is from `base ** i`, exclusive, to
 * `base ** (i + 1)`, inclusive, with `base = 2 ** (2 ** -scale)`. The scale goes down whenever more than `maxSize`
 * buckets would be needed.
 */
export class ExponentialBuckets {
  readonly #maxSize: number;
  #scale = MAX_SCALE;
  #offset = 0;
  #counts: number[] = [];

  /** @param maxSize at least 2 */
  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  get scale(): number {
    return this.#counts.length === 0 ? 0 : this.#scale;
  }

  /** The index of the first bucket in `counts`. */
  get offset(): number {
    return this.#offset;
  }

  get counts(): readonly number[] {
    return this.#counts;
  }

  /** @param value above zero and finite */
  add(value: number): void {
    let index = bucketIndex(value, this.#scale);
    if (this.#counts.length === 0) this.#offset = index;
    const low = Math.min(index, this.#offset);
    const high = Math.max(index, this.#offset + this.#counts.length - 1);
    const change = this.#tooFineBy(low, high);
    if (change > 0) {
      this.#coarsen(change);
      index >>= change;
    }
    this.#reach(index);
    const position = index - this.#offset;
    this.#counts[position] = (this.#counts[position] ?? 0) + 1;
  }

  #tooFineBy(low: number, high: number): number {
    let change = 0;
    while ((high >> change) - (low >> change) >= this.#maxSize) change += 1;
    return change;
  }

  /** Each bucket takes in `2 ** change` of the old ones. */
  #coarsen(change: number): void {
    const offset = this.#offset >> change;
    const counts: number[] = [];
    for (const [position, count] of this.#counts.entries()) {
      const target = ((this.#offset + position) >> change) - offset;
      counts[target] = (counts[target] ?? 0) + count;
    }
    this.#scale -= change;
    this.#offset = offset;
    this.#counts = counts;
  }

  #reach(index: number): void {
    if (index < this.#offset) {
      this.#counts = [...new Array<number>(this.#offset - index).fill(0), ...this.#counts];
      this.#offset = index;
    }
    while (this.#counts.length <= index - this.#offset) this.#counts.push(0);
  }
}

function bucketIndex(value: number, scale: number): number {
  bits.setFloat64(0, value);
  const high = bits.getUint32(0);
  const rawExponent = high >>> 20;
  // Subnormal numbers count as the smallest normal one.
  const exponent = rawExponent === 0 ? MIN_NORMAL_EXPONENT : rawExponent - EXPONENT_BIAS;
  const isPowerOfTwo = rawExponent === 0 || ((high & MANTISSA_HIGH) === 0 && bits.getUint32(4) === 0);
  // Upper bounds are inclusive.
  if (scale <= 0) return (isPowerOfTwo ? exponent - 1 : exponent) >> -scale;
  if (isPowerOfTwo) return exponent * 2 ** scale - 1;
  return Math.floor(Math.log(value) * (2 ** scale / Math.LN2));
}
