import { AssertionError } from 'node:assert';
import { inspect, isDeepStrictEqual } from 'node:util';
import type { RecordedKind, RecordedSpan } from './recorded-span.ts';

/** What an attribute must be: equal to a value, matched by a pattern, or accepted by a function. */
export type ExpectedValue = unknown;
/** Attributes by key; each a value, or a condition on it. */
export type ExpectedAttributes = Readonly<Record<string, ExpectedValue>>;

/**
 * What must be true of one span. Each method narrows down the spans of that name that still fit, and throws Node's
 * `AssertionError`, which says what was there instead, when none is left.
 */
export class SpanExpectation {
  readonly #name: string;
  readonly #all: readonly RecordedSpan[];
  #fitting: readonly RecordedSpan[];

  /** Made by `expectSpan` of a record; or by hand, for spans that came from elsewhere. */
  constructor(name: string, all: readonly RecordedSpan[], hint = '') {
    this.#name = name;
    this.#all = all;
    this.#fitting = all.filter((span) => span.name === name);
    if (this.#fitting.length > 0) return;
    const names = [...new Set(all.map((span) => span.name))];
    const found = names.length === 0 ? 'nothing was exported' : `there are: ${names.map(quote).join(', ')}`;
    fail(`no span ${quote(name)} was exported; ${found}${hint}`, names, name);
  }

  /** The first span that fits. */
  get span(): RecordedSpan {
    return this.#fitting[0] as RecordedSpan;
  }

  /** All spans that fit. */
  get spans(): readonly RecordedSpan[] {
    return this.#fitting;
  }

  /** There are so many spans that fit so far. */
  times(count: number): this {
    if (this.#fitting.length === count) return this;
    return fail(
      `expected ${count} spans ${quote(this.#name)}, got ${this.#fitting.length}`,
      this.#fitting.length,
      count,
    );
  }

  /** It has at least these attributes. */
  withAttributes(expected: ExpectedAttributes): this {
    return this.#narrow(
      ({ attributes }) => fits(attributes, expected),
      ({ attributes }) => {
        const actual = Object.fromEntries(Object.keys(expected).map((key) => [key, attributes[key]]));
        return ['with these attributes', actual, expected, differences(attributes, expected)];
      },
    );
  }

  /** It has none of these attributes. */
  withoutAttributes(...keys: readonly string[]): this {
    return this.#narrow(
      ({ attributes }) => keys.every((key) => !(key in attributes)),
      ({ attributes }) => {
        const present = keys.filter((key) => key in attributes);
        return ['without these attributes', present, [], present.map((key) => `${key}: ${show(attributes[key])}`)];
      },
    );
  }

  /** It is of this kind. */
  withKind(kind: RecordedKind): this {
    return this.#narrow(
      (span) => span.kind === kind,
      (span) => ['of this kind', span.kind, kind, [`expected ${kind}, got ${span.kind}`]],
    );
  }

  /** It ended with this status, and this message where one is given. */
  withStatus(code: RecordedSpan['status']['code'], message?: string | RegExp): this {
    return this.#narrow(
      ({ status }) => status.code === code && (message === undefined || matches(status.message, message)),
      ({ status }) => ['with this status', status, { code, message }, [`got ${show(status)}`]],
    );
  }

  /** It has an event of this name, with at least these attributes. */
  withEvent(name: string, attributes: ExpectedAttributes = {}): this {
    return this.#narrow(
      ({ events }) => events.some((event) => event.name === name && fits(event.attributes, attributes)),
      ({ events }) => ['with this event', events, { name, attributes }, events.map((event) => `got ${show(event)}`)],
    );
  }

  /** It recorded an exception with this message. */
  withException(message?: string | RegExp): this {
    return this.withEvent('exception', message === undefined ? {} : { 'exception.message': message });
  }

  /** It is in this session. */
  inSession(id: string): this {
    return this.withAttributes({ 'session.id': id });
  }

  /** Its parent is a span of this name, or one that fits another expectation. */
  childOf(parent: string | SpanExpectation): this {
    const parents = typeof parent === 'string' ? this.#all.filter(({ name }) => name === parent) : parent.spans;
    const name = typeof parent === 'string' ? parent : parent.#name;
    const isParent = ({ traceId, parentSpanId }: RecordedSpan): boolean =>
      parents.some((span) => span.traceId === traceId && span.spanId === parentSpanId);
    return this.#narrow(isParent, (span) => {
      const actual = this.#all.find(({ spanId }) => spanId === span.parentSpanId)?.name ?? span.parentSpanId;
      const got = actual === undefined ? 'it is a root span' : `its parent is ${quote(actual)}`;
      return [`that is a child of ${quote(name)}`, actual, name, [got]];
    });
  }

  /** It has no parent. */
  asRoot(): this {
    return this.#narrow(
      ({ parentSpanId }) => parentSpanId === undefined,
      ({ parentSpanId }) => ['that is a root', parentSpanId, undefined, [`its parent is ${String(parentSpanId)}`]],
    );
  }

  #narrow(
    isFitting: (span: RecordedSpan) => boolean,
    explain: (
      closest: RecordedSpan,
    ) => readonly [what: string, actual: unknown, expected: unknown, lines: readonly string[]],
  ): this {
    const fitting = this.#fitting.filter(isFitting);
    if (fitting.length > 0) {
      this.#fitting = fitting;
      return this;
    }
    const [what, actual, expected, lines] = explain(this.span);
    return fail([`no span ${quote(this.#name)} ${what}`, ...lines].join('\n  '), actual, expected);
  }
}

/** Fails when there is a span of this name. */
export function expectNoSpan(name: string, all: readonly RecordedSpan[]): void {
  const found = all.filter((span) => span.name === name);
  if (found.length > 0) fail(`expected no span ${quote(name)}, got ${found.length}`, found.length, 0);
}

function fail(message: string, actual: unknown, expected: unknown): never {
  throw new AssertionError({ message, actual, expected, operator: 'expectSpan', stackStartFn: fail });
}

function fits(actual: Readonly<Record<string, unknown>>, expected: ExpectedAttributes): boolean {
  return Object.entries(expected).every(([key, value]) => matches(actual[key], value));
}

function matches(actual: unknown, expected: ExpectedValue): boolean {
  if (typeof expected === 'function') return Boolean((expected as (value: unknown) => unknown)(actual));
  if (expected instanceof RegExp) return typeof actual === 'string' && new RegExp(expected).test(actual);
  return isDeepStrictEqual(actual, expected);
}

function differences(actual: Readonly<Record<string, unknown>>, expected: ExpectedAttributes): string[] {
  return Object.entries(expected)
    .filter(([key, value]) => !matches(actual[key], value))
    .map(([key, value]) => `${key}: expected ${show(value)}, got ${key in actual ? show(actual[key]) : 'nothing'}`);
}

function show(value: unknown): string {
  return typeof value === 'function'
    ? `what ${value.name || 'a function'} accepts`
    : inspect(value, { breakLength: 120 });
}

function quote(text: string): string {
  return JSON.stringify(text);
}
