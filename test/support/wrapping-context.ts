import type { Context } from '@opentelemetry/api';

/** A context as another library might make it: layers of its own over whatever context it was given. */
export class WrappingContext implements Context {
  readonly #inner: Context;
  readonly #own: ReadonlyMap<symbol, unknown>;

  constructor(inner: Context, own: ReadonlyMap<symbol, unknown> = new Map()) {
    this.#inner = inner;
    this.#own = own;
  }

  getValue(key: symbol): unknown {
    return this.#own.has(key) ? this.#own.get(key) : this.#inner.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return new WrappingContext(this.#inner, new Map(this.#own).set(key, value));
  }

  deleteValue(key: symbol): Context {
    return this.setValue(key, undefined);
  }
}
