import { AssertionError } from 'node:assert';
import { gunzipSync } from 'node:zlib';

/** What a tenant put in, and what arrived for it. */
export interface LeakCheckTenant {
  /** Texts that only this tenant's work carries: put them in names, attributes, arguments, errors, baggage. */
  readonly canaries: readonly string[];
  /**
   * What arrived for this tenant: recorded spans, received requests, bodies as text or bytes (also gzip), headers. Looked
   * through to the last text, key and byte.
   */
  readonly exports: unknown;
}

/** What is compared with what. */
export interface LeakCheckOptions {
  /** By tenant id. */
  readonly tenants: Readonly<Record<string, LeakCheckTenant>>;
  /**
   * Whether also trace and span ids of one tenant's spans must not be where another's arrive. `false` where tenants are
   * meant to be linked, or continue one trace of another process. Default: `true`.
   */
  readonly ids?: boolean | undefined;
}

const TRACE_ID = /^[\da-f]{32}$/;
const SPAN_ID = /^[\da-f]{16}$/;
const MAX_SHOWN = 20;
const MAX_UNPACKED_BYTES = 268_435_456;

/**
 * Fails with Node's `AssertionError` when something of one tenant is in what arrived for another; and when a canary is not
 * in what arrived for its own tenant, since looking for it elsewhere would prove nothing.
 */
export function expectNoLeak({ tenants, ids = true }: LeakCheckOptions): void {
  const contents = Object.entries(tenants).map(([tenantId, { canaries, exports }]) => {
    const content = readContent(exports);
    return { tenantId, canaries, content, ids: ids ? content.ids : new Set<string>() };
  });
  const problems: string[] = [];
  for (const { tenantId, canaries, content } of contents) {
    if (canaries.length === 0) problems.push(`${tenantId} has no canary: the check proves nothing`);
    for (const canary of canaries) {
      if (canary === '') problems.push(`a canary of ${tenantId} is empty`);
      else if (!holds(content, canary)) {
        problems.push(`the canary ${quote(canary)} of ${tenantId} is not in its own exports: the check proves nothing`);
      }
    }
  }
  for (const owner of contents) {
    for (const other of contents) {
      if (owner === other) continue;
      for (const canary of owner.canaries) {
        if (canary !== '' && holds(other.content, canary)) {
          problems.push(`${quote(canary)} of ${owner.tenantId} reached ${other.tenantId}`);
        }
      }
      for (const id of owner.ids) {
        if (holds(other.content, id)) problems.push(`the id ${id} of ${owner.tenantId} reached ${other.tenantId}`);
      }
    }
  }
  if (problems.length === 0) return;
  const shown = problems.slice(0, MAX_SHOWN);
  const more = problems.length - shown.length;
  const lines = more === 0 ? shown : [...shown, `and ${more} more`];
  throw new AssertionError({
    message: `tenants are not apart:\n  ${lines.join('\n  ')}`,
    actual: shown,
    expected: [],
    operator: 'expectNoLeak',
    stackStartFn: expectNoLeak,
  });
}

interface Content {
  readonly texts: readonly string[];
  /** One character a byte. */
  readonly bytes: readonly string[];
  /** Of spans: their own trace and span ids. */
  readonly ids: ReadonlySet<string>;
}

function holds({ texts, bytes }: Content, wanted: string): boolean {
  if (texts.some((text) => text.includes(wanted))) return true;
  if (bytes.length === 0) return false;
  const forms = [Buffer.from(wanted).toString('latin1')];
  if (TRACE_ID.test(wanted) || SPAN_ID.test(wanted)) forms.push(Buffer.from(wanted, 'hex').toString('latin1'));
  return bytes.some((text) => forms.some((form) => text.includes(form)));
}

function readContent(exports: unknown): Content {
  const texts: string[] = [];
  const bytes: string[] = [];
  const ids = new Set<string>();
  const seen = new Set<object>();
  const waiting: unknown[] = [exports];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'string') texts.push(value);
    else if (typeof value === 'number' || typeof value === 'bigint') texts.push(String(value));
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(value);
    if (value instanceof Uint8Array) bytes.push(...readBytes(value));
    else if (value instanceof Map) waiting.push(...value.keys(), ...value.values());
    else if (value instanceof Set || Array.isArray(value)) for (const item of value) waiting.push(item);
    else {
      addIds(value, ids);
      for (const key of Object.getOwnPropertyNames(value)) {
        texts.push(key);
        waiting.push((value as Record<string, unknown>)[key]);
      }
      if (value instanceof Headers) waiting.push([...value]);
    }
  }
  return { texts, bytes, ids };
}

/** A link has ids too, but they are another span's. */
function addIds(value: object, ids: Set<string>): void {
  const { name, traceId, spanId } = value as { name?: unknown; traceId?: unknown; spanId?: unknown };
  if (typeof name !== 'string' || typeof traceId !== 'string' || typeof spanId !== 'string') return;
  if (TRACE_ID.test(traceId)) ids.add(traceId);
  if (SPAN_ID.test(spanId)) ids.add(spanId);
}

function readBytes(value: Uint8Array): string[] {
  const raw = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const isGzip = raw.length > 2 && raw[0] === 0x1f && raw[1] === 0x8b;
  const unpacked = isGzip ? [gunzipSync(raw, { maxOutputLength: MAX_UNPACKED_BYTES })] : [];
  return [raw, ...unpacked].map((buffer) => buffer.toString('latin1'));
}

function quote(text: string): string {
  return JSON.stringify(text);
}
