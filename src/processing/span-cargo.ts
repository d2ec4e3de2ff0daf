import type { StopSignal } from '../utils/stop-signal.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';
import type { BudgetUser, ByteBudget } from './byte-budget.ts';
import type { SpanBatch, SpanByteQueue } from './byte-queue.ts';
import type { ExportComponent } from './export-recorder.ts';
import type { LaneCargo } from './lane-cargo.ts';
import type { DeliveryOutcome } from './outcome.ts';
import { type AttemptParts, attemptSpans } from './span-attempt.ts';
import type { OtlpProtocol, WireSettings } from './span-sender.ts';

export interface SpanCargoOptions extends AttemptParts {
  readonly queue: SpanByteQueue;
  readonly maxBatchSize: number;
  readonly maxBatchBytes: number;
  readonly budget: ByteBudget;
  /** The body of a request, with the tenant's resource. */
  readonly frame: (batch: SpanBatch) => Uint8Array;
  /** Named behind the destination, to people, where one destination has several cargos. */
  readonly purpose?: string;
  /** Whether the process's budget takes from it before it takes from others. */
  readonly yields?: boolean;
  /** Told of a batch that is done with, while it still has its records. */
  readonly released?: (batch: SpanBatch) => void;
  /** Told how many waiting spans had to be given up for the process's budget. */
  readonly lost: (count: number) => void;
}

/** Values of `otel.component.type` (semantic conventions, OpenTelemetry attributes). */
const COMPONENT_TYPES: Readonly<Record<OtlpProtocol, string>> = {
  'http/protobuf': 'otlp_http',
  'http/json': 'otlp_http_json',
  grpc: 'otlp_grpc',
};
const EXPORTERS: Readonly<Record<TelemetrySignal, string>> = {
  traces: 'span_exporter',
  metrics: 'metric_exporter',
  logs: 'log_exporter',
};

/** What sends to a destination, for metrics. */
export function componentOf({ protocol, signal = 'traces', url }: WireSettings): ExportComponent {
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  return { type: `${COMPONENT_TYPES[protocol]}_${EXPORTERS[signal]}`, signal, address: url.hostname, port };
}

/** Encoded spans on their way to an OTLP receiver. Resource, scopes and credentials are added when a request is made. */
export class SpanCargo implements LaneCargo<SpanBatch>, BudgetUser {
  /** What a span that was not taken is counted under. */
  readonly refusal = 'queue_full';
  readonly #options: SpanCargoOptions;
  /** Bytes of batches that were taken and not yet released. */
  #takenBytes = 0;

  constructor(options: SpanCargoOptions) {
    this.#options = options;
    options.budget.join(this);
  }

  get destination(): string {
    const { destination, purpose } = this.#options;
    const { origin, pathname } = destination.url;
    return `${origin}${pathname}${purpose === undefined ? '' : ` (${purpose})`}`;
  }

  get origin(): string {
    return this.#options.destination.url.origin;
  }

  get component(): ExportComponent {
    return componentOf(this.#options.destination);
  }

  get yields(): boolean {
    return this.#options.yields === true;
  }

  get size(): number {
    return this.#options.queue.size;
  }

  /** Bytes that wait or are under way. */
  get bytes(): number {
    return this.#options.queue.bytes + this.#takenBytes;
  }

  get full(): boolean {
    const { queue, maxBatchSize, maxBatchBytes } = this.#options;
    return queue.size >= maxBatchSize || queue.bytes >= maxBatchBytes;
  }

  /** Copies an encoded span in; false when the queue or the process's budget is full. */
  push(scratch: Uint8Array, start: number, end: number, scopeIndex: number): boolean {
    const { budget, queue } = this.#options;
    const before = queue.bytes;
    // In this order, so that nobody makes room for a span that its own queue then refuses.
    if (!queue.push(scratch, start, end, scopeIndex)) return false;
    const bytes = queue.bytes - before;
    if (budget.reserve(this, bytes)) return true;
    queue.dropNewest(bytes);
    return false;
  }

  take(): SpanBatch | undefined {
    const { maxBatchBytes, maxBatchSize, queue } = this.#options;
    const batch = queue.take(maxBatchSize, maxBatchBytes);
    if (batch !== undefined) this.#takenBytes += batch.bytes;
    return batch;
  }

  attempt(batch: SpanBatch, signal: StopSignal): Promise<DeliveryOutcome> {
    return attemptSpans(this.#options, () => this.#options.frame(batch), signal);
  }

  split(batch: SpanBatch): readonly [SpanBatch, SpanBatch] | undefined {
    return batch.split();
  }

  release(batch: SpanBatch): void {
    this.#takenBytes -= batch.bytes;
    this.#options.budget.release(batch.bytes);
    this.#options.released?.(batch);
    batch.release();
  }

  clear(): number {
    const { budget, queue } = this.#options;
    budget.release(queue.bytes);
    budget.leave(this);
    return queue.clear();
  }

  shed(bytes: number): number {
    const { budget, lost, queue } = this.#options;
    const before = queue.bytes;
    const count = queue.dropNewest(bytes);
    const freed = before - queue.bytes;
    budget.release(freed);
    if (count > 0) lost(count);
    return freed;
  }
}
