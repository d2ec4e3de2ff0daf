import { type Baggage, type BaggageEntry, baggageEntryMetadataFromString, propagation } from '@opentelemetry/api';

import { isToken, joinHeaderLines, trimOws } from './carrier.ts';

/** Decides by its key whether a member may pass; one that throws refuses. */
export type BaggageFilter = (key: string) => boolean;

/** W3C Baggage, "Limits": at least this many members … */
const MAX_MEMBERS = 64;
/** … and this many bytes, over all headers together, one member alone included. */
const MAX_BYTES = 8_192;
/** A foreign `Baggage` may hold any number of entries; those after this many are not looked at. */
const MAX_ENTRIES = 1_000;

const BAGGAGE_OCTETS = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;
/** Runs of what must be percent-encoded: everything but `baggage-octet`, and the percent sign. */
const TO_ENCODE = /[^\x21\x23\x24\x26-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+/g;

/**
 * Parses a `baggage` header, or its lines in order, by W3C Baggage. `undefined` when nothing usable is left.
 *
 * Of all lines together, 8,192 characters are looked at and 64 members kept; a member cut off by the limit is
 * dropped whole, like a malformed one (the rest stays). Values are percent-decoded, bytes that are not UTF-8
 * become U+FFFD; properties are kept verbatim as metadata. Of duplicate keys the last one wins. With `allow`,
 * only members whose key it returns true for are kept. Never throws, whatever is passed.
 */
export function parseBaggage(header: unknown, allow?: BaggageFilter): Baggage | undefined {
  const joined = joinHeaderLines(header, MAX_BYTES);
  if (joined === undefined) return undefined;
  const text = joined.length > MAX_BYTES ? joined.slice(0, Math.max(joined.lastIndexOf(','), 0)) : joined;

  const entries = new Map<string, BaggageEntry>();
  for (const part of text.split(',')) {
    const member = parseMember(part, allow);
    if (member === undefined) continue;
    if (entries.size < MAX_MEMBERS || entries.has(member.key)) entries.set(member.key, member.entry);
  }
  if (entries.size === 0) return undefined;

  // Not createBaggage(record): a record loses `__proto__` and moves keys like "1" to the front.
  let baggage = propagation.createBaggage();
  for (const [key, entry] of entries) baggage = baggage.setEntry(key, entry);
  return baggage;
}

/**
 * The `baggage` header for any implementation of `Baggage`; `undefined` when there is nothing to send.
 *
 * Values are percent-encoded. Members are sent whole or not at all: those whose key is not a token, whose
 * value is not a string, whose metadata is not a well-formed list of properties, or that no longer fit into
 * 64 members and 8,192 bytes are left out. With `allow`, only members whose key it returns true for are sent.
 * Never throws; an entry that does is left out.
 */
export function serializeBaggage(baggage: Baggage | undefined, allow?: BaggageFilter): string | undefined {
  const members: string[] = [];
  let room = MAX_BYTES;
  try {
    let looked = 0;
    for (const [key, entry] of baggage?.getAllEntries() ?? []) {
      if (++looked > MAX_ENTRIES || members.length === MAX_MEMBERS) break;
      const member = formatMember(key, entry, allow, room);
      if (member === undefined) continue;
      members.push(member);
      room -= member.length + 1;
    }
  } catch {
    // A foreign baggage failed half way; the members read so far are whole.
  }
  return members.length === 0 ? undefined : members.join(',');
}

function parseMember(member: string, allow?: BaggageFilter): { key: string; entry: BaggageEntry } | undefined {
  const [pair, properties] = cut(member, ';');
  const [key, value] = cut(pair, '=');
  if (value === undefined || !isToken(key) || !BAGGAGE_OCTETS.test(value) || !isAllowed(key, allow)) return undefined;
  if (!properties) return { key, entry: { value: percentDecode(value) } };
  if (!areProperties(properties)) return undefined;
  return { key, entry: { value: percentDecode(value), metadata: baggageEntryMetadataFromString(properties) } };
}

/** The member as text, at most `room` characters long; the lengths are checked before any work is done. */
function formatMember(key: unknown, entry: BaggageEntry, allow: BaggageFilter | undefined, room: number) {
  try {
    if (!isToken(key) || !isAllowed(key, allow)) return undefined;
    const { value, metadata } = entry;
    const properties = metadata?.toString() ?? '';
    if (typeof value !== 'string' || typeof properties !== 'string') return undefined;
    if (key.length + 1 + value.length + properties.length > room) return undefined;

    const trimmed = trimOws(properties);
    if (trimmed !== '' && !areProperties(trimmed)) return undefined;
    const member = `${key}=${percentEncode(value)}${trimmed === '' ? '' : `;${trimmed}`}`;
    return member.length > room ? undefined : member;
  } catch {
    return undefined;
  }
}

function areProperties(text: string): boolean {
  return text.split(';').every((property) => {
    const [key, value] = cut(property, '=');
    return isToken(key) && BAGGAGE_OCTETS.test(value ?? '');
  });
}

function isAllowed(key: string, allow: BaggageFilter | undefined): boolean {
  try {
    return allow === undefined || allow(key) === true;
  } catch {
    return false;
  }
}

function percentEncode(value: string): string {
  return value.replace(TO_ENCODE, (run) =>
    Buffer.from(run, 'utf8').toString('hex').toUpperCase().replace(/../g, '%$&'),
  );
}

/** Decodes `%` with two hex digits; any other `%` stands for itself, as in the reference implementation. */
function percentDecode(value: string): string {
  if (!value.includes('%')) return value;
  const bytes = Buffer.alloc(value.length);
  let length = 0;
  for (let index = 0; index < value.length; index++) {
    const octet = value[index] === '%' ? hexOctet(value, index + 1) : undefined;
    bytes[length++] = octet ?? value.charCodeAt(index);
    if (octet !== undefined) index += 2;
  }
  return bytes.toString('utf8', 0, length);
}

function hexOctet(text: string, index: number): number | undefined {
  const digits = text.slice(index, index + 2);
  return /^[0-9a-f]{2}$/i.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

/** The trimmed texts before and after the first `separator`. */
function cut(text: string, separator: string): [string, string?] {
  const index = text.indexOf(separator);
  return index === -1 ? [trimOws(text)] : [trimOws(text.slice(0, index)), trimOws(text.slice(index + 1))];
}
