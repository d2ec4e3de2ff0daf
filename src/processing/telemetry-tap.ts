import { SpanByteQueue } from './byte-queue.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { EndedSpan } from './ended-span.ts';
import { recordLength } from './record-chunk.ts';
import type { ScratchWriters } from './scratch-writers.ts';
import type { Encoded } from './span-copier.ts';
import type { SpanScope } from './span-host.ts';
import type { SpanWire } from './span-wire.ts';
import { PROTOBUF, type WireFormat } from './wire-format.ts';

/** Where what all tenants record can be listened to; empty while nobody does. One for each registry. */
export interface TapSlot {
  current: TelemetryTap | undefined;
}

/** Whose telemetry it is. */
export interface TapTenant {
  readonly tenantId: string;
  /** The process owner's own tracer, not a tenant that may have the same id. */
  readonly isPlatform: boolean;
}

/** One tenant under one configuration, as its telemetry goes on the wire. */
export interface TapSource extends TapTenant {
  wire(format: WireFormat): SpanWire;
}

/** An OTLP request in protobuf. */
export interface TappedRequest extends TapTenant {
  readonly signal: 'traces' | 'metrics' | 'logs';
  readonly body: Uint8Array;
  /** Spans, log records or points in it. */
  readonly count: number;
}

export interface TelemetryTapOptions {
  readonly chunks: ChunkPool;
  readonly scratch: ScratchWriters;
  /** Bytes that may wait, of all tenants together. No tenant may have more waiting than is free. */
  readonly maxBytes: number;
  /** Open spans that are remembered; of more, the latest. */
  readonly maxOpenSpans: number;
  /** Called when something waits where nothing did; must not throw. */
  readonly ready: () => void;
}

/** A span as far as it can be told while it is open. */
export interface TappedSpan {
  readonly ended: boolean;
}

const MAX_RECORDS = 100_000;
/** Tenants whose losses are counted apart; those beyond are counted together. */
const MAX_COUNTED_TENANTS = 10_000;

interface Waiting {
  readonly source: TapSource;
  readonly wire: SpanWire;
  readonly queue: SpanByteQueue;
}

/**
 * Listens to what the tenants of one registry record: keeps what each shows of its ended spans, encoded as it is sent,
 * until somebody drains it, and which spans are open. What it keeps is bounded; what it cannot keep it counts, and the
 * tenants' own deliveries and accounts know nothing of it.
 */
export class TelemetryTap<O extends TappedSpan = TappedSpan> {
  readonly #options: TelemetryTapOptions;
  readonly #open = new Map<O, TapTenant>();
  readonly #lost = new Map<string, number>();
  #waiting = new Map<SpanWire, Waiting>();
  #bytes = 0;

  constructor(options: TelemetryTapOptions) {
    this.#options = options;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Open spans and whose they are, the earliest first. */
  get open(): Iterable<readonly [O, TapTenant]> {
    return this.#open;
  }

  started(tenant: TapTenant, span: O): void {
    this.#open.set(span, tenant);
    if (this.#open.size <= this.#options.maxOpenSpans) return;
    for (const earliest of this.#open.keys()) {
      this.#open.delete(earliest);
      return;
    }
  }

  ended(span: O): void {
    this.#open.delete(span);
  }

  /** Takes what a tenant shows of an ended span. Never throws. `encoded`: what need not be encoded again. */
  take(source: TapSource, scope: SpanScope, shown: EndedSpan, encoded: Encoded | undefined): void {
    const { scratch } = this.#options;
    if (encoded?.item === shown && encoded.format === PROTOBUF) {
      this.#push(source, scope, encoded.writer.written, encoded.writer.position);
      return;
    }
    const writer = scratch.borrow();
    try {
      PROTOBUF.encode(writer, shown);
      this.#push(source, scope, writer.written, writer.position);
    } catch {
      this.lose(source, 1);
    } finally {
      scratch.giveBack(writer);
    }
  }

  /** What waits, in one request for each tenant and configuration. */
  drain(): TappedRequest[] {
    const requests: TappedRequest[] = [];
    const waiting = this.#waiting;
    this.#waiting = new Map();
    this.#bytes = 0;
    for (const { source, wire, queue } of waiting.values()) {
      const batch = queue.take(MAX_RECORDS, Number.POSITIVE_INFINITY);
      if (batch === undefined) continue;
      const { tenantId, isPlatform } = source;
      try {
        requests.push({ tenantId, isPlatform, signal: 'traces', body: wire.frame(batch), count: batch.count });
      } catch {
        this.lose(source, batch.count);
      } finally {
        batch.release();
      }
    }
    return requests;
  }

  /** Counts what was recorded and cannot be shown. */
  lose(tenant: TapTenant, count: number): void {
    const key = keyOf(tenant);
    const counted = this.#lost.has(key) || this.#lost.size < MAX_COUNTED_TENANTS ? key : '';
    this.#lost.set(counted, (this.#lost.get(counted) ?? 0) + count);
  }

  /** What was lost of a tenant; without one, of those that are not counted by themselves. */
  lostOf(tenant?: TapTenant): number {
    return this.#lost.get(tenant === undefined ? '' : keyOf(tenant)) ?? 0;
  }

  /** Forgets all that it keeps. */
  close(): void {
    this.#open.clear();
    for (const { queue } of this.#waiting.values()) queue.clear();
    this.#waiting.clear();
    this.#bytes = 0;
  }

  #push(source: TapSource, scope: SpanScope, bytes: Uint8Array, end: number): void {
    const { maxBytes, chunks, ready } = this.#options;
    const wire = source.wire(PROTOBUF);
    let waiting = this.#waiting.get(wire);
    if (waiting === undefined) {
      const queue = new SpanByteQueue({ chunks, maxSize: MAX_RECORDS, maxBytes });
      waiting = { source, wire, queue };
      this.#waiting.set(wire, waiting);
    }
    const { queue } = waiting;
    const length = recordLength(end);
    wire.noteScope(scope);
    if (queue.bytes + length > maxBytes - this.#bytes || !queue.push(bytes, 0, end, scope.index)) {
      this.lose(source, 1);
      return;
    }
    const wasEmpty = this.#bytes === 0;
    this.#bytes += length;
    if (wasEmpty) ready();
  }
}

function keyOf({ tenantId, isPlatform }: TapTenant): string {
  return isPlatform ? 'platform' : `tenant ${tenantId}`;
}
