import type { ConfigIssue } from './errors.ts';
import { describeKind, maskKey, maskSecrets } from './secret.ts';

/** Tells whether an option's value is acceptable. */
export interface Check<T> {
  /** What is accepted, in words. */
  readonly accepted: string;
  /** The value to use, copied if it is plain data; `undefined` when it is not acceptable. May throw what the value throws. */
  parse(value: unknown): T | undefined;
  /** How a refused value is shown; {@link maskSecrets} unless given. */
  describe?(value: unknown): string;
}

/** Stands for an option that was given but is not acceptable, where that must not be taken for not given. */
export const REFUSED = Symbol('refused');

const MAX_ISSUES = 100;
const MAX_UNKNOWN_KEYS = 20;
const UNREADABLE = 'a value that throws when it is read';

/** Gathers what is wrong with a set of options, up to 100 problems. */
export class IssueLog {
  readonly #issues: ConfigIssue[] = [];
  #more = 0;

  get count(): number {
    return this.#issues.length + this.#more;
  }

  add(option: string, accepted: string, received: string): void {
    if (this.#issues.length < MAX_ISSUES) this.#issues.push({ option, accepted, received });
    else this.#more += 1;
  }

  addAll(issues: readonly ConfigIssue[]): void {
    for (const { option, accepted, received } of issues) this.add(option, accepted, received);
  }

  list(): readonly ConfigIssue[] {
    if (this.#more === 0) return this.#issues;
    return [
      ...this.#issues,
      { option: 'options', accepted: `up to ${MAX_ISSUES} problems`, received: `${this.#more} more` },
    ];
  }
}

/**
 * Reads the known properties of an options object that may be anything: what cannot be read or is not acceptable
 * becomes an issue and counts as not given. Never throws and never writes to the object.
 */
export class OptionReader {
  readonly issues: IssueLog;
  readonly #source: Readonly<Record<string, unknown>>;
  readonly #path: string;

  private constructor(source: object, path: string, issues: IssueLog) {
    this.#source = source as Record<string, unknown>;
    this.#path = path;
    this.issues = issues;
  }

  /** A reader of `value`, or `undefined` when it was not given or is no object; keys that are not `known` are issues. */
  static open(value: unknown, path: string, known: ReadonlySet<string>, issues: IssueLog): OptionReader | undefined {
    if (value === undefined) return undefined;
    if (!isOptionsObject(value)) {
      issues.add(path === '' ? 'options' : path, 'an object', describeKind(value));
      return undefined;
    }
    const reader = new OptionReader(value, path, issues);
    reader.#reportUnknown(known);
    return reader;
  }

  /** A reader of the same object that reports elsewhere. */
  reportingTo(issues: IssueLog): OptionReader {
    return new OptionReader(this.#source, this.#path, issues);
  }

  /** The path of a property, for issues. */
  pathOf(key: string): string {
    return this.#path === '' ? key : `${this.#path}.${key}`;
  }

  /** The property as it is, or `undefined` when it cannot be read. */
  get(key: string): unknown {
    const value = this.getOrRefused(key);
    return value === REFUSED ? undefined : value;
  }

  /** The property as it is, or {@link REFUSED} when it cannot be read. */
  getOrRefused(key: string): unknown {
    try {
      // An option never comes from a polluted Object.prototype.
      return Object.hasOwn(this.#source, key) || !(key in Object.prototype) ? this.#source[key] : undefined;
    } catch {
      this.issues.add(this.pathOf(key), 'a readable property', UNREADABLE);
      return REFUSED;
    }
  }

  read<T>(key: string, check: Check<T>): T | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : applyCheck(value, check, this.#path, key, this.issues);
  }

  /** As `read`, but tells an option that was given and is not acceptable from one that was not given. */
  readOrRefused<T>(key: string, check: Check<T>): T | typeof REFUSED | undefined {
    const value = this.getOrRefused(key);
    if (value === undefined || value === REFUSED) return value;
    return applyCheck(value, check, this.#path, key, this.issues) ?? REFUSED;
  }

  /** The acceptable elements of an array, up to `maxLength`; each of the others is an issue. */
  readList<T>(key: string, check: Check<T>, maxLength: number): readonly T[] | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    const elements = elementsOf(value, maxLength);
    if (elements === undefined) {
      this.issues.add(this.pathOf(key), `an array of up to ${maxLength}, each ${check.accepted}`, describeKind(value));
      return undefined;
    }
    const list: T[] = [];
    for (const [index, element] of elements.entries()) {
      const parsed = applyCheck(element, check, this.#path, `${key}[${index}]`, this.issues);
      if (parsed !== undefined) list.push(parsed);
    }
    return Object.freeze(list);
  }

  open(key: string, known: ReadonlySet<string>): OptionReader | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : OptionReader.open(value, this.pathOf(key), known, this.issues);
  }

  #reportUnknown(known: ReadonlySet<string>): void {
    let keys: string[];
    try {
      keys = Object.keys(this.#source);
    } catch {
      this.issues.add(this.#path === '' ? 'options' : this.#path, 'an object', UNREADABLE);
      return;
    }
    let unknown = 0;
    for (const key of keys) {
      if (known.has(key)) continue;
      unknown += 1;
      if (unknown <= MAX_UNKNOWN_KEYS)
        this.issues.add(this.pathOf(maskKey(key)), `one of ${[...known].join(', ')}`, 'an unknown option');
    }
    const more = unknown - MAX_UNKNOWN_KEYS;
    if (more > 0) this.issues.add(this.pathOf('*'), 'known options', `${more} more unknown options`);
  }
}

/** A group of independent options, each with its check, as one table. */
export interface OptionGroup<T extends object> {
  readonly checks: readonly (readonly [key: string, check: Check<unknown>])[];
  readonly known: ReadonlySet<string>;
  /** Only for the type. */
  readonly settings?: T;
}

export function defineGroup<T extends object>(
  checks: {
    readonly [K in keyof T]-?: Check<Exclude<T[K], undefined>>;
  },
): OptionGroup<T> {
  return { checks: Object.entries(checks) as [string, Check<unknown>][], known: new Set(Object.keys(checks)) };
}

/** `base` with what the group at `key` gives; `base` itself when that is nothing. `noted` is told the names given. */
export function readGroup<T extends object>(
  reader: OptionReader,
  key: string,
  group: OptionGroup<T>,
  base: T,
  noted?: (name: string) => void,
): T {
  const groupReader = reader.open(key, group.known);
  if (groupReader === undefined) return base;
  const given: Record<string, unknown> = {};
  for (const [name, check] of group.checks) {
    const value = groupReader.read(name, check);
    if (value === undefined) continue;
    given[name] = value;
    noted?.(name);
  }
  return Object.keys(given).length === 0 ? base : Object.freeze({ ...base, ...given });
}

/**
 * Whether `value` can hold options: a plain object or an instance of a class. Arrays, promises, maps, dates and the
 * like would pass for objects without any option.
 */
export function isOptionsObject(value: unknown): value is object {
  try {
    return Object.prototype.toString.call(value) === '[object Object]';
  } catch {
    return false;
  }
}

/** Up to `maxLength` elements of an array, `undefined` when it is none, is longer, or cannot be read. */
export function elementsOf(value: unknown, maxLength: number): unknown[] | undefined {
  try {
    if (!Array.isArray(value)) return undefined;
    const { length } = value;
    return length <= maxLength ? Array.from({ length }, (_, index): unknown => value[index]) : undefined;
  } catch {
    return undefined;
  }
}

function applyCheck<T>(value: unknown, check: Check<T>, path: string, key: string, issues: IssueLog): T | undefined {
  let parsed: T | undefined;
  let received: string | undefined;
  try {
    parsed = check.parse(value);
  } catch {
    received = UNREADABLE;
  }
  if (parsed === undefined) {
    received ??= check.describe === undefined ? maskSecrets(value) : check.describe(value);
    issues.add(path === '' ? key : `${path}.${key}`, check.accepted, received);
  }
  return parsed;
}
