import type { TelemetrySignal } from '../utils/telemetry-signal.ts';
import { SpanByteQueue } from './byte-queue.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { ProtoWriter } from './proto-writer.ts';
import { recordLength } from './record-chunk.ts';
import type { ScratchWriters } from './scratch-writers.ts';
import type { Encoded } from './span-copier.ts';
import type { SpanScope } from './span-host.ts';
import type { SpanWire } from './span-wire.ts';

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

/** An OTLP request in protobuf. */
export interface TappedRequest extends TapTenant {
  readonly signal: TelemetrySignal;
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

/** What one tenant has waiting, of all signals together. */
interface Share {
  bytes: number;
}

/** Records of one signal of one tenant under one configuration. */
interface Waiting {
  readonly tenant: TapTenant;
  readonly share: Share;
  readonly wire: Pick<SpanWire<never>, 'frame' | 'noteScope'>;
  readonly signal: TelemetrySignal;
  readonly queue: SpanByteQueue;
}

/**
 * Listens to what the tenants of one registry record: keeps what each shows of its ended spans and log records, encoded
 * as it is sent, and its collected metrics, until somebody drains it, and which spans are open. What it keeps is
 * bounded; what it cannot keep it counts, and the tenants' own deliveries and accounts know nothing of it.
 */
export class TelemetryTap<O extends TappedSpan = TappedSpan> {
  readonly #options: TelemetryTapOptions;
  readonly #open = new Map<O, TapTenant>();
  readonly #lost = new Map<string, number>();
  /** By the wire of their records. */
  #waiting = new Map<object, Waiting>();
  #requests: TappedRequest[] = [];
  #shares = new Map<string, Share>();
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

  /**
   * Takes what a tenant shows of an ended span or of a log record. Never throws.
   *
   * @param wire the tenant's, in protobuf
   * @param encoded what need not be encoded again
   */
  take<Item>(
    tenant: TapTenant,
    wire: SpanWire<Item>,
    scope: SpanScope,
    shown: Item,
    encoded: Encoded<Item> | undefined,
  ): void {
    if (encoded?.item === shown && encoded.format === wire.format) {
      this.#push(tenant, wire, scope, encoded.writer);
      return;
    }
    const { scratch } = this.#options;
    const writer = scratch.borrow();
    try {
      wire.format.encode(writer, shown);
      this.#push(tenant, wire, scope, writer);
    } catch {
      this.lose(tenant, 1);
    } finally {
      scratch.giveBack(writer);
    }
  }

  /**
   * Takes collected metrics: an `ExportMetricsServiceRequest` in protobuf with `count` data points, to which nobody may
   * write any more. Never throws.
   */
  takeMetrics(tenant: TapTenant, body: Uint8Array, count: number): void {
    const share = this.#shareOf(tenant);
    if (!this.#hasRoom(share, body.length)) {
      this.lose(tenant, count);
      return;
    }
    const { tenantId, isPlatform } = tenant;
    this.#requests.push({ tenantId, isPlatform, signal: 'metrics', body, count });
    this.#grow(share, body.length);
  }

  /** What waits, in one request for each tenant, configuration and signal; metrics as they were collected. */
  drain(): TappedRequest[] {
    const requests: TappedRequest[] = [];
    const waiting = this.#waiting;
    const metrics = this.#requests;
    this.#forget();
    for (const { tenant, signal, wire, queue } of waiting.values()) {
      const batch = queue.take(MAX_RECORDS, Number.POSITIVE_INFINITY);
      if (batch === undefined) continue;
      const { tenantId, isPlatform } = tenant;
      try {
        requests.push({ tenantId, isPlatform, signal, body: wire.frame(batch), count: batch.count });
      } catch {
        this.lose(tenant, batch.count);
      } finally {
        batch.release();
      }
    }
    return requests.concat(metrics);
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
    this.#forget();
  }

  #forget(): void {
    this.#waiting = new Map();
    this.#requests = [];
    this.#shares = new Map();
    this.#bytes = 0;
  }

  #push<Item>(tenant: TapTenant, wire: SpanWire<Item>, scope: SpanScope, writer: ProtoWriter): void {
    const { maxBytes, chunks } = this.#options;
    let waiting = this.#waiting.get(wire);
    if (waiting === undefined) {
      const queue = new SpanByteQueue({ chunks, maxSize: MAX_RECORDS, maxBytes });
      waiting = { tenant, share: this.#shareOf(tenant), wire, signal: wire.format.signal, queue };
      this.#waiting.set(wire, waiting);
    }
    const { share, queue } = waiting;
    const length = recordLength(writer.position);
    wire.noteScope(scope);
    if (this.#hasRoom(share, length) && queue.push(writer.written, 0, writer.position, scope.index)) {
      this.#grow(share, length);
    } else this.lose(tenant, 1);
  }

  #shareOf(tenant: TapTenant): Share {
    const key = keyOf(tenant);
    let share = this.#shares.get(key);
    if (share === undefined) {
      share = { bytes: 0 };
      this.#shares.set(key, share);
    }
    return share;
  }

  #hasRoom(share: Share, bytes: number): boolean {
    return share.bytes + bytes <= this.#options.maxBytes - this.#bytes;
  }

  #grow(share: Share, bytes: number): void {
    const wasEmpty = this.#bytes === 0;
    share.bytes += bytes;
    this.#bytes += bytes;
    if (wasEmpty) this.#options.ready();
  }
}

function keyOf({ tenantId, isPlatform }: TapTenant): string {
  return isPlatform ? 'platform' : `tenant ${tenantId}`;
}
