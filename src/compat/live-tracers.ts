const SWEEP_AT = 64;

/** Objects that are in use, for as long as anybody else holds them; keeps none of them in memory. */
export class LiveTracers<T extends object> implements Iterable<T> {
  #refs = new Map<object, WeakRef<T>>();
  #sweepAt = SWEEP_AT;
  readonly #keys = new WeakMap<T, object>();

  get size(): number {
    return this.#refs.size;
  }

  add(tracer: T): void {
    const key = {};
    this.#keys.set(tracer, key);
    this.#refs.set(key, new WeakRef(tracer));
    if (this.#refs.size < this.#sweepAt) return;
    this.#refs = new Map([...this.#refs].filter(([, ref]) => ref.deref() !== undefined));
    this.#sweepAt = Math.max(SWEEP_AT, 2 * this.#refs.size);
  }

  delete(tracer: T): void {
    const key = this.#keys.get(tracer);
    if (key !== undefined) this.#refs.delete(key);
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const ref of this.#refs.values()) {
      const tracer = ref.deref();
      if (tracer !== undefined) yield tracer;
    }
  }
}
