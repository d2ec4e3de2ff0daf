import { flatString } from '../utils/flat-string.ts';
import type { AttributeList } from './ended-span.ts';
import { attributesKey, copyAttributes, NO_ATTRIBUTES, OVERFLOW_ATTRIBUTES } from './metric-attributes.ts';
import type { PointBase } from './metric-model.ts';
import type { MetricSeries } from './metric-series.ts';

/** Whose series these are. */
export interface SeriesHost<S extends MetricSeries> {
  newSeries(attributes: AttributeList): S;
  /** Told of each measurement that went to the overflow. */
  seriesOverflowed(): void;
}

export interface SeriesRules {
  /** Attribute sets at most, the one of the overflow included. */
  readonly cardinalityLimit: number;
  /** Keys that count; all when absent. */
  readonly allowed: ReadonlySet<string> | undefined;
}

/** Key of the overflow; no text of {@link attributesKey}, which begins with a digit. */
const OVERFLOW = 'overflow';
/** Attribute sets that are compared before a key is made. */
const MAX_REMEMBERED_KEYS = 8;

/** The series of one instrument, by their attributes. */
export class SeriesTable<S extends MetricSeries> {
  readonly #host: SeriesHost<S>;
  readonly #rules: SeriesRules;
  #series = new Map<string, S>();
  #bare: S | undefined;
  /** Most call sites say the same again and again: the latest attribute set, of plain values only. */
  #lastKeys: readonly string[] = [];
  #lastValues: readonly unknown[] = [];
  #last: S | undefined;
  /** By key, the last time. */
  #found: S | undefined;
  #startMillis: number;

  constructor(host: SeriesHost<S>, rules: SeriesRules, startMillis: number) {
    this.#host = host;
    this.#rules = rules;
    this.#startMillis = startMillis;
  }

  /** Since when its series count. */
  get startMillis(): number {
    return this.#startMillis;
  }

  get size(): number {
    return this.#series.size;
  }

  /** May throw what the host's attributes throw when they are read. */
  find(attributes: object | undefined | null): S {
    if (typeof attributes !== 'object' || attributes === null) {
      this.#bare ??= this.#seriesOf('', undefined);
      return this.#bare;
    }
    const isRecord = isPlainObject(attributes);
    if (isRecord && this.#last !== undefined && this.#isLast(attributes)) return this.#last;
    return this.#search(attributes, isRecord);
  }

  /** The points of all series; the series go on. */
  read(atMillis: number): PointBase[] {
    return Array.from(this.#series.values(), (series) => series.point(this.#startMillis, atMillis));
  }

  /** The points of all series, which begin anew. */
  take(atMillis: number): PointBase[] {
    const points = this.read(atMillis);
    this.#series = new Map();
    this.#bare = undefined;
    this.#last = undefined;
    this.#found = undefined;
    this.#startMillis = atMillis;
    return points;
  }

  #search(attributes: object, isRecord: boolean): S {
    const { allowed } = this.#rules;
    const key = attributesKey(attributes, allowed);
    const series = this.#series.get(key) ?? this.#seriesOf(key, attributes);
    // Sets that take turns are not worth it.
    if (isRecord && allowed === undefined && series === this.#found) this.#remember(attributes, series);
    this.#found = series;
    return series;
  }

  #seriesOf(key: string, attributes: object | undefined): S {
    const { allowed, cardinalityLimit } = this.#rules;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    // One place is the overflow's.
    if (this.#series.size >= cardinalityLimit - 1) {
      this.#host.seriesOverflowed();
      return this.#series.get(OVERFLOW) ?? this.#add(OVERFLOW, OVERFLOW_ATTRIBUTES);
    }
    const own = key === '' || attributes === undefined ? NO_ATTRIBUTES : copyAttributes(attributes, allowed);
    return this.#add(key, own);
  }

  #add(key: string, attributes: AttributeList): S {
    const series = this.#host.newSeries(attributes);
    this.#series.set(flatString(key), series);
    return series;
  }

  /** Whether these are the keys and values of the last time, in the same order. */
  #isLast(attributes: object): boolean {
    const keys = this.#lastKeys;
    const values = this.#lastValues;
    let count = 0;
    for (const key in attributes) {
      if (keys[count] !== key || values[count] !== (attributes as Record<string, unknown>)[key]) return false;
      count += 1;
    }
    return count === keys.length;
  }

  #remember(attributes: object, series: S): void {
    const keys: string[] = [];
    const values: unknown[] = [];
    this.#last = undefined;
    for (const key in attributes) {
      const value = (attributes as Record<string, unknown>)[key];
      // What is inherited does not count; what is an object may change.
      if (keys.length >= MAX_REMEMBERED_KEYS || !isSteady(value) || !Object.hasOwn(attributes, key)) return;
      keys.push(key);
      values.push(value);
    }
    // What `push` has filled has room for more.
    this.#lastKeys = keys.slice();
    this.#lastValues = values.slice();
    this.#last = series;
  }
}

/** Of others, such as strings and buffers, each element is a key. */
function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A long text would be kept alive. */
function isSteady(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= 256;
  return typeof value === 'number' || typeof value === 'boolean' || value === undefined;
}
