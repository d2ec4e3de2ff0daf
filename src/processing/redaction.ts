import { types } from 'node:util';
import { type AttributeValue, copyAttributeValue } from '../utils/attribute-value.ts';
import { type Clock, systemClock } from '../utils/clock.ts';
import { IsotraceError } from '../utils/errors.ts';
import type { HookSwitch } from '../utils/guard.ts';
import { isCardNumber, maskSecretShapes, REDACTED } from '../utils/secret-shapes.ts';
import { AttributeMap } from './attribute-map.ts';
import type { AttributeList, EndedEvent, EndedLink, EndedSpan } from './ended-span.ts';
import { KeyRules } from './key-rules.ts';
import type { LogRecord } from './log-record.ts';

/** What is hidden before it leaves the process. */
export interface RedactOptions {
  /**
   * Keys whose values are hidden, beside those that name a secret (`password`, `token`, `api_key`, `authorization`,
   * `cookie` …). A string is found as whole words anywhere in the key, in any case and spelling; a regular expression
   * is tested in any case. They apply to keys inside values too, also where a value is a text of JSON. Default: none.
   */
  keys?: readonly (string | RegExp)[] | undefined;
  /**
   * Whether to hide what has the shape of a credential in strings: in attributes, in the names of spans and events, in
   * status messages and in what is logged. Default: `true`.
   */
  values?: boolean | undefined;
  /**
   * Asked for each attribute of spans, events, links and log records that no key hides; the value that it answers takes the place
   * of the old one and is then searched as above. `undefined` removes the attribute. When it throws, answers a promise
   * or takes longer than a second, the value is hidden. It must not write to the value. Default: none.
   */
  custom?: RedactFunction | undefined;
  /** Stands for what is hidden. Default: `[REDACTED]`. */
  replacement?: string | undefined;
}

/** What stands for an attribute's value; `undefined` takes it away. */
export type RedactFunction = (key: string, value: AttributeValue) => AttributeValue | undefined;

/** Nodes and characters of one span that are looked at; what comes after them is hidden. */
const MAX_ROOM = 4_194_304;
/** Longest string that `custom` may answer with. */
const MAX_ANSWER_LENGTH = 1_048_576;
const MAX_CALL_MILLIS = 1_000;

const OPENING_BRACE = 0x7b;
const OPENING_BRACKET = 0x5b;

const REMOVED = Symbol('removed');

/**
 * A function that answers what may be shown of a span: the span itself when there is nothing to hide, else a redacted
 * view, with the span left as it is. In doubt a value is hidden: when a hook of the user's fails, which is told to
 * `hook` without the error's message (it may repeat the value), and all that the hook would have judged while it is
 * switched off. Never throws but what reading the span throws. Bounded in time for everything but a hook that does
 * not return.
 */
export function createRedactor(
  options: RedactOptions,
  hook: HookSwitch,
  clock: Clock = systemClock,
): (span: EndedSpan) => EndedSpan {
  const { span } = createRedaction(options, hook, clock);
  return span;
}

/** What {@link createRedactor} answers, for each kind of telemetry, with one judgement for all of them. */
export interface Redaction {
  readonly span: (span: EndedSpan) => EndedSpan;
  readonly log: (record: LogRecord) => LogRecord;
  readonly attributes: (list: AttributeList) => AttributeList;
}

export function createRedaction(options: RedactOptions, hook: HookSwitch, clock: Clock = systemClock): Redaction {
  const redactor = new Redactor(options, hook, clock);
  return {
    span: (span) => redactor.redact(() => redactor.span(span)),
    log: (record) => redactor.redact(() => redactor.log(record)),
    attributes: (list) => redactor.redact(() => redactor.list(list)),
  };
}

class Redactor {
  readonly #keys: KeyRules;
  readonly #values: boolean;
  readonly #custom: RedactFunction | undefined;
  readonly #replacement: string;
  readonly #hook: HookSwitch;
  readonly #clock: Clock;
  #room = 0;
  /** Whether `custom` is running: a span that it ends itself must not lead to it again. */
  #asking = false;

  constructor({ keys, values, custom, replacement }: RedactOptions, hook: HookSwitch, clock: Clock) {
    this.#keys = new KeyRules(keys ?? [], (test) => this.#call('keys', test, true));
    this.#values = values ?? true;
    this.#custom = custom;
    this.#replacement = replacement ?? REDACTED;
    this.#hook = hook;
    this.#clock = clock;
  }

  /** Gives what `show` looks at a room of its own: it may be called inside of another call. */
  redact<T>(show: () => T): T {
    const room = this.#room;
    this.#room = MAX_ROOM;
    const redacted = show();
    this.#room = room;
    return redacted;
  }

  log(record: LogRecord): LogRecord {
    const { attributeList, body, eventName } = record;
    const shownBody = this.#value(body);
    const shownName = eventName === undefined ? undefined : this.#text(eventName);
    const attributes = this.list(attributeList);
    const same = Object.is(shownBody, body) && shownName === eventName && attributes === attributeList;
    return same ? record : { ...record, body: shownBody, eventName: shownName, attributeList: attributes };
  }

  span(span: EndedSpan): EndedSpan {
    const { name, status, attributeList, eventList, linkList } = span;
    const shownName = this.#text(name);
    const message = status.message === undefined ? undefined : this.#text(status.message);
    const attributes = this.list(attributeList);
    const events = mapChanged(eventList, (event) => this.#event(event));
    const links = mapChanged(linkList, (link) => this.#link(link));
    const same =
      shownName === name &&
      message === status.message &&
      attributes === attributeList &&
      events === eventList &&
      links === linkList;
    if (same) return span;
    return {
      name: shownName,
      kind: span.kind,
      context: span.context,
      parentContext: span.parentContext,
      startTime: span.startTime,
      endTime: span.endTime,
      startMillis: span.startMillis,
      endMillis: span.endMillis,
      status: message === status.message || message === undefined ? status : { ...status, message },
      attributeList: attributes,
      eventList: events,
      linkList: links,
      droppedAttributesCount: span.droppedAttributesCount,
      droppedEventsCount: span.droppedEventsCount,
      droppedLinksCount: span.droppedLinksCount,
    };
  }

  #event(event: EndedEvent): EndedEvent {
    const name = this.#text(event.name);
    const attributes = this.list(event.attributes);
    return name === event.name && attributes === event.attributes ? event : { ...event, name, attributes };
  }

  #link(link: EndedLink): EndedLink {
    const attributes = this.list(link.attributes);
    return attributes === link.attributes ? link : { ...link, attributes };
  }

  list(list: AttributeList): AttributeList {
    const { keys, values } = list;
    let copy: AttributeMap | undefined;
    for (const [index, key] of keys.entries()) {
      const value = values[index];
      const shown = this.#attribute(key, value);
      if (copy === undefined) {
        if (Object.is(shown, value)) continue;
        copy = new AttributeMap();
        copy.keys.push(...keys.slice(0, index));
        copy.values.push(...values.slice(0, index));
      }
      if (shown === REMOVED) continue;
      copy.keys.push(key);
      copy.values.push(shown);
    }
    return copy ?? list;
  }

  #attribute(key: string, value: AttributeValue): AttributeValue | typeof REMOVED {
    if (this.#hides(key)) return this.#replacement;
    if (this.#custom === undefined) return this.#value(value);
    const answer = this.#ask(this.#custom, key, value);
    return answer === REMOVED ? REMOVED : this.#value(answer);
  }

  #ask(custom: RedactFunction, key: string, value: AttributeValue): AttributeValue | typeof REMOVED {
    return this.#call<AttributeValue | typeof REMOVED>(
      'custom',
      () => {
        if (this.#asking) throw new RangeError('a span was ended inside of the function');
        this.#asking = true;
        try {
          // A copy, since what it writes to would be seen by the other destinations of the span.
          const own = typeof value === 'object' ? copyAttributeValue(value, Number.POSITIVE_INFINITY) : value;
          const answer: unknown = custom(key, own);
          return answer === undefined ? REMOVED : copyAnswer(answer);
        } finally {
          this.#asking = false;
        }
      },
      this.#replacement,
    );
  }

  #value(value: AttributeValue): AttributeValue {
    this.#room -= 1;
    if (this.#room < 0) return this.#replacement;
    if (typeof value === 'string') return isJsonLike(value) ? this.#json(value) : this.#text(value);
    if (typeof value === 'number') return this.#values && isCardNumber(value) ? this.#replacement : value;
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Uint8Array) return this.#bytes(value);
    return isList(value) ? mapChanged(value, (item) => this.#value(item)) : this.#record(value);
  }

  #record(value: { readonly [key: string]: AttributeValue }): AttributeValue {
    let copy: Record<string, AttributeValue> | undefined;
    for (const [key, nested] of Object.entries(value)) {
      this.#room -= key.length;
      const shown = this.#hides(key) ? this.#replacement : this.#value(nested);
      if (Object.is(shown, nested)) continue;
      copy ??= Object.assign(Object.create(null) as Record<string, AttributeValue>, value);
      copy[key] = shown;
    }
    return copy ?? value;
  }

  /** Keys inside a text of JSON are keys like others: captured arguments and messages are such texts. */
  #json(text: string): string {
    this.#room -= text.length;
    if (this.#room < 0) return this.#replacement;
    let parsed: AttributeValue;
    try {
      parsed = JSON.parse(text) as AttributeValue;
    } catch {
      return this.#text(text);
    }
    try {
      const shown = this.#value(parsed);
      return this.#text(Object.is(shown, parsed) ? text : JSON.stringify(shown));
    } catch {
      // Nested too deeply to be followed.
      return this.#replacement;
    }
  }

  /** Bytes are text to most who send them. */
  #bytes(value: Uint8Array): AttributeValue {
    if (!this.#values) return value;
    const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1');
    return this.#text(text) === text ? value : this.#replacement;
  }

  #text(text: string): string {
    if (!this.#values) return text;
    this.#room -= text.length;
    return this.#room < 0 ? this.#replacement : maskSecretShapes(text, this.#replacement);
  }

  #hides(key: string): boolean {
    return this.#keys.hides(key);
  }

  /** Calls a hook of the user's; `hidden` when it is switched off, fails or takes too long. */
  #call<T>(what: 'custom' | 'keys', call: () => T, hidden: T): T {
    if (!this.#hook.on) return hidden;
    const startedAt = this.#clock.monotonic();
    try {
      const answer = call();
      if (this.#clock.monotonic() - startedAt <= MAX_CALL_MILLIS) return answer;
      this.#hook.failed(new IsotraceError('hook_failed', `redact.${what} took longer than ${MAX_CALL_MILLIS} ms`));
    } catch (error) {
      this.#hook.failed(new IsotraceError('hook_failed', `redact.${what} failed: ${kindOf(error)}`));
    }
    return hidden;
  }
}

/** The very same array when `change` changes none of its items. */
function mapChanged<T>(items: readonly T[], change: (item: T) => T): readonly T[] {
  let copy: T[] | undefined;
  for (const [index, item] of items.entries()) {
    const changed = change(item);
    if (copy === undefined && Object.is(changed, item)) continue;
    copy ??= items.slice(0, index);
    copy.push(changed);
  }
  return copy ?? items;
}

function isJsonLike(text: string): boolean {
  const first = text.charCodeAt(0);
  return first === OPENING_BRACE || first === OPENING_BRACKET;
}

function isList(value: object): value is readonly AttributeValue[] {
  return Array.isArray(value);
}

function copyAnswer(answer: unknown): AttributeValue {
  if (types.isPromise(answer)) {
    answer.catch(() => {});
    throw new TypeError('a promise is no attribute');
  }
  const copy = copyAttributeValue(answer, MAX_ANSWER_LENGTH);
  if (copy === undefined) throw new TypeError(`a ${typeof answer} is no attribute`);
  return copy;
}

/** The name of an error's class; its message may repeat the value that was to be hidden. */
function kindOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.name).slice(0, 64) : `a ${typeof error}`;
  } catch {
    return 'an error that cannot be read';
  }
}
