import { createHash } from 'node:crypto';
import type { SpanRecord } from '../otlp/telemetry-model.ts';
import type { ErrorGroup, ErrorPage } from './telemetry-store.ts';

const MAX_OPERATIONS = 20;
const MAX_TEXT = 500;
const NANOS_PER_MILLI = 1e6;
/** Frames of these are not the application's own. */
const FOREIGN_FRAME = /node_modules|\bnode:|<anonymous>|site-packages|\/vendor\/|\(native\)/;

interface OpenGroup {
  readonly id: string;
  readonly service: string;
  readonly type: string;
  readonly frame: string;
  message: string;
  count: number;
  firstMillis: number;
  lastMillis: number;
  readonly tenants: Map<string, number>;
  readonly operations: Set<string>;
  example: ErrorGroup['example'];
}

/** Groups failed spans by service, type of error and the place in the code. */
export class ErrorTable {
  readonly #groups = new Map<string, OpenGroup>();

  add(span: SpanRecord): void {
    const { type, message, frame } = describeFailure(span);
    const { service, tenant, traceId, spanId, name } = span;
    const key = JSON.stringify([service, type, frame]);
    const at = Number(span.startTimeUnixNano) / NANOS_PER_MILLI;
    let group = this.#groups.get(key);
    if (group === undefined) {
      const id = createHash('sha256').update(key).digest('hex').slice(0, 16);
      const example = { tenant, traceId, spanId };
      const counts = { count: 0, firstMillis: at, lastMillis: Number.NEGATIVE_INFINITY };
      group = { id, service, type, frame, message, ...counts, tenants: new Map(), operations: new Set(), example };
      this.#groups.set(key, group);
    }
    group.count += 1;
    group.tenants.set(tenant, (group.tenants.get(tenant) ?? 0) + 1);
    if (group.operations.size < MAX_OPERATIONS) group.operations.add(name);
    group.firstMillis = Math.min(group.firstMillis, at);
    if (at < group.lastMillis) return;
    group.lastMillis = at;
    group.message = message;
    group.example = { tenant, traceId, spanId };
  }

  answer(limit: number): Pick<ErrorPage, 'groups' | 'more'> {
    const sorted = [...this.#groups.values()].sort(
      (left, right) => right.count - left.count || right.lastMillis - left.lastMillis,
    );
    const groups = sorted.slice(0, limit).map((group) => ({
      ...group,
      tenants: [...group.tenants].map(([tenant, count]) => ({ tenant, count })),
      operations: [...group.operations],
    }));
    return { groups, more: sorted.length > limit };
  }
}

function describeFailure(span: SpanRecord): Pick<ErrorGroup, 'type' | 'message' | 'frame'> {
  const exception = span.events.findLast(({ name }) => name === 'exception')?.attributes;
  const type = textAt(exception, 'exception.type') || textAt(span.attributes, 'error.type');
  const message = textAt(exception, 'exception.message') || span.status.message;
  return {
    // Without a type the message tells errors apart, less its numbers and ids.
    type: (type || withoutNumbers(message) || 'error').slice(0, MAX_TEXT),
    message: message.slice(0, MAX_TEXT),
    frame: ownFrame(textAt(exception, 'exception.stacktrace')).slice(0, MAX_TEXT),
  };
}

function textAt(attributes: SpanRecord['attributes'] | undefined, key: string): string {
  const value = attributes?.[key];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** The first line of a stack that is a frame of the application's, without its line number. */
function ownFrame(stack: string): string {
  const frames = stack.split('\n', 200).filter((line) => /^\s*(?:at\s|File\s")/.test(line));
  const frame = frames.find((line) => !FOREIGN_FRAME.test(line)) ?? frames[0] ?? '';
  return frame
    .trim()
    .replace(/^at /, '')
    .replaceAll(/:\d+/g, '')
    .replace(/, line \d+/, '');
}

function withoutNumbers(message: string): string {
  return message.slice(0, MAX_TEXT).replaceAll(/[\da-f]{8,}|\d+/gi, '#');
}
