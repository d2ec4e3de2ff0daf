import { MalformedOtlpError } from './malformed.ts';
import { isMessageName, type MessageName, SCHEMA } from './otlp-schema.ts';
import { WIRE_BYTES, type WireReader } from './wire-reader.ts';

/**
 * Nested messages, as protobuf's own readers bound them. The specification gives no limit; what isotrace sends has 93
 * at most.
 */
export const MAX_NESTED_MESSAGES = 100;

const FIELDS = 32;
const names = [...SCHEMA.keys()];

/** The number of a message, for {@link checkMessage}. */
export function messageKind(name: MessageName): number {
  return names.indexOf(name);
}

/** For each message and field number the kind of message that the field holds, or -1. */
const children = new Int8Array(names.length * FIELDS).fill(-1);
for (const [kind, name] of names.entries()) {
  for (const { number, type } of SCHEMA.get(name)?.values() ?? []) {
    if (isMessageName(type)) children[kind * FIELDS + number] = names.indexOf(type);
  }
}

/**
 * Walks the whole message of that kind which the reader's current field holds, however its content is nested, without
 * recursion. Throws {@link MalformedOtlpError} where it is malformed or nested too deeply; leaves the reader behind it.
 */
export function checkMessage(reader: WireReader, kind: number, ends: Int32Array, depth: number): void {
  const outerEnd = reader.end;
  let current = kind;
  let level = 0;
  reader.enter();
  for (;;) {
    if (!reader.next()) {
      if (level === 0) break;
      level -= 1;
      reader.end = ends[2 * level] as number;
      current = ends[2 * level + 1] as number;
      continue;
    }
    if ((reader.tag & 7) !== WIRE_BYTES) continue;
    const field = reader.tag >>> 3;
    const child = field < FIELDS ? (children[current * FIELDS + field] as number) : -1;
    if (child < 0) continue;
    if (level + depth >= MAX_NESTED_MESSAGES) throw new MalformedOtlpError('messages are nested too deeply');
    ends[2 * level] = reader.end;
    ends[2 * level + 1] = current;
    level += 1;
    current = child;
    reader.enter();
  }
  reader.end = outerEnd;
}

/** What {@link checkMessage} notes its way in; one can be used for message after message. */
export function createCheckStack(): Int32Array {
  return new Int32Array(2 * (MAX_NESTED_MESSAGES + 1));
}
