import type { TraceState } from '@opentelemetry/api';

import { joinHeaderLines, trimOws } from './carrier.ts';

/** "There can be a maximum of 32 list-members in a list." */
const MAX_MEMBERS = 32;
/** A header longer than Node's own limit for all headers is not parsed. */
const MAX_INPUT_LENGTH = 16_384;
/**
 * Characters that are kept and sent. The specification asks for 512 at least; twice that keeps a list which
 * an upstream filled to 512 whole when an entry is put in front.
 */
const MAX_LENGTH = 1_024;
/** "Entries larger than 128 characters long SHOULD be removed first." */
const LARGE_MEMBER_LENGTH = 128;

/** Level 2 lets `@` stand anywhere but first; the tenant and system parts of Level 1 are a subset. */
const KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/;
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

type Member = [key: string, value: string];

/** Immutable and always well formed: whatever it holds can be sent. */
class WellFormedTraceState implements TraceState {
  readonly #members: ReadonlyMap<string, string>;

  constructor(members: ReadonlyMap<string, string>) {
    this.#members = members;
  }

  static serialized(state: TraceState): string | undefined {
    if (!(#members in state)) return undefined;
    return Array.from(state.#members, ([key, value]) => `${key}=${value}`).join(',');
  }

  get(key: string): string | undefined {
    return this.#members.get(key);
  }

  /** Puts the member in front; it always stays, others make room. Returns `this` if key or value is invalid. */
  set(key: string, value: string): TraceState {
    if (!isKey(key) || !isValue(value)) return this;
    const others = new Map(this.#members);
    others.delete(key);
    const member: Member = [key, value];
    const kept = shorten([...others].slice(0, MAX_MEMBERS - 1), MAX_LENGTH - memberLength(member) - 1);
    return new WellFormedTraceState(new Map([member, ...kept]));
  }

  unset(key: string): TraceState {
    if (!this.#members.has(key)) return this;
    const others = new Map(this.#members);
    others.delete(key);
    return new WellFormedTraceState(others);
  }

  serialize(): string {
    return WellFormedTraceState.serialized(this) ?? '';
  }
}

/**
 * Parses a `tracestate` header, or its lines in order, by W3C Trace Context Level 2. `undefined` means that
 * there is no tracestate to keep, which never concerns the `traceparent`.
 *
 * One malformed member, or more than 32, discards the whole list (as the specification's test suite demands
 * of strict implementations). Empty members are skipped; of duplicate keys the first, most recent, one stays.
 * At most 1,024 characters are kept: members over 128 characters go first, then those at the end, always whole.
 * Never throws, whatever is passed.
 */
export function parseTracestate(header: unknown): TraceState | undefined {
  const text = joinHeaderLines(header, MAX_INPUT_LENGTH);
  if (text === undefined || text.length > MAX_INPUT_LENGTH) return undefined;

  const members = new Map<string, string>();
  let count = 0;
  for (const part of text.split(',')) {
    const member = trimOws(part);
    if (member === '') continue;
    const equals = member.indexOf('=');
    const key = member.slice(0, Math.max(equals, 0));
    const value = member.slice(equals + 1);
    if (++count > MAX_MEMBERS || !isKey(key) || !isValue(value)) return undefined;
    if (!members.has(key)) members.set(key, value);
  }
  return members.size === 0 ? undefined : new WellFormedTraceState(new Map(shorten([...members], MAX_LENGTH)));
}

/**
 * The `tracestate` header for any implementation of `TraceState`. What a foreign one serializes is parsed
 * first, so the result is always well formed; `undefined` when there is nothing to send. Never throws.
 */
export function serializeTracestate(state: TraceState | undefined): string | undefined {
  try {
    if (state === undefined) return undefined;
    const own = WellFormedTraceState.serialized(state);
    if (own !== undefined) return own === '' ? undefined : own;
    const foreign = parseTracestate(state.serialize());
    return foreign && WellFormedTraceState.serialized(foreign);
  } catch {
    return undefined;
  }
}

/** The members that stay when `maxLength` characters, commas included, are allowed; in their order. */
function shorten(members: Member[], maxLength: number): Member[] {
  let excess = members.reduce((sum, member) => sum + memberLength(member) + 1, -1) - maxLength;
  if (excess <= 0) return members;

  const dropFromEnd = (candidates: Member[], longerThan: number) =>
    candidates
      .toReversed()
      .filter((member) => {
        const isDropped = excess > 0 && memberLength(member) > longerThan;
        if (isDropped) excess -= memberLength(member) + 1;
        return !isDropped;
      })
      .toReversed();
  return dropFromEnd(dropFromEnd(members, LARGE_MEMBER_LENGTH), 0);
}

function memberLength([key, value]: Member): number {
  return key.length + 1 + value.length;
}

function isKey(key: unknown): key is string {
  return typeof key === 'string' && KEY.test(key);
}

function isValue(value: unknown): value is string {
  return typeof value === 'string' && VALUE.test(value);
}
