import { SIGNALS, type Signal } from '../../otlp/signal.ts';
import type { SignalCounts, TenantSummary } from '../store-figures.ts';
import { Segment } from './segment.ts';

/** One tenant's segments, oldest first, and what happened to others. */
export class TenantShelf {
  readonly tenant: string;
  readonly #segments: Readonly<Record<Signal, Segment[]>> = { traces: [], metrics: [], logs: [] };
  readonly #evicted = { traces: 0, metrics: 0, logs: 0 };
  rejected = 0;
  lastMillis = 0;
  bytes = 0;

  constructor(tenant: string) {
    this.tenant = tenant;
  }

  segmentsOf(signal: Signal): readonly Segment[] {
    return this.#segments[signal];
  }

  /** The segment that new rows go to; another one when the last holds `sealBytes` already. */
  openSegment(signal: Signal, sealBytes: number, nextId: () => number): Segment {
    const last = this.#segments[signal].at(-1);
    if (last !== undefined && last.length < sealBytes) return last;
    if (last !== undefined) {
      this.bytes -= last.bytes;
      last.trim();
      this.bytes += last.bytes;
    }
    return this.addSegment(signal, nextId());
  }

  addSegment(signal: Signal, id: number): Segment {
    const segment = new Segment(this.tenant, signal, id);
    this.#segments[signal].push(segment);
    this.bytes += segment.bytes;
    return segment;
  }

  /** Takes away the oldest segment of the signal that takes the most; undefined when there is none. */
  evictOldest(): Segment | undefined {
    const bytesOf = (signal: Signal): number => this.#segments[signal].reduce((sum, { bytes }) => sum + bytes, 0);
    const [largest] = [...SIGNALS].sort((left, right) => bytesOf(right) - bytesOf(left));
    const segment = largest === undefined ? undefined : this.#segments[largest].shift();
    if (segment === undefined) return undefined;
    segment.evicted = true;
    this.bytes -= segment.bytes;
    this.#evicted[segment.signal] += segment.count;
    return segment;
  }

  summary(): TenantSummary {
    const { tenant, bytes, rejected, lastMillis } = this;
    return { tenant, stored: this.stored(), evicted: { ...this.#evicted }, rejected, bytes, lastMillis };
  }

  stored(): SignalCounts {
    const countOf = (signal: Signal): number => this.#segments[signal].reduce((sum, { count }) => sum + count, 0);
    return { traces: countOf('traces'), metrics: countOf('metrics'), logs: countOf('logs') };
  }
}
