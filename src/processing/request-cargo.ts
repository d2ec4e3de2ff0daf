import type { StopSignal } from '../utils/stop-signal.ts';
import type { BudgetUser } from './byte-budget.ts';
import type { ExportComponent } from './export-recorder.ts';
import type { Batch, LaneCargo } from './lane-cargo.ts';
import type { DeliveryOutcome } from './outcome.ts';
import { attemptSpans } from './span-attempt.ts';
import { componentOf, type SpanCargoOptions } from './span-cargo.ts';

/** A whole request, encoded. */
export interface EncodedRequest extends Batch {
  /** Data points in it. */
  readonly count: number;
  readonly body: Uint8Array;
}

export interface RequestCargoOptions
  extends Pick<SpanCargoOptions, 'agenda' | 'budget' | 'clock' | 'destination' | 'lost' | 'send'> {
  /** Data points that may wait. */
  readonly maxQueueSize: number;
  readonly maxQueueBytes: number;
}

/** Requests that somebody else has encoded, on their way to an OTLP receiver; each is sent as it is, as soon as it may be. */
export class RequestCargo implements LaneCargo<EncodedRequest>, BudgetUser {
  readonly #options: RequestCargoOptions;
  #requests: EncodedRequest[] = [];
  #size = 0;
  #waitingBytes = 0;
  #takenBytes = 0;

  constructor(options: RequestCargoOptions) {
    this.#options = options;
    options.budget.join(this);
  }

  get destination(): string {
    const { origin, pathname } = this.#options.destination.url;
    return `${origin}${pathname}`;
  }

  get origin(): string {
    return this.#options.destination.url.origin;
  }

  get component(): ExportComponent {
    return componentOf(this.#options.destination);
  }

  /** Data points that wait. */
  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#waitingBytes + this.#takenBytes;
  }

  get full(): boolean {
    return this.#requests.length > 0;
  }

  /** False when the queue or the process's budget is full. The body is kept: nobody may write to it any more. */
  push(request: EncodedRequest): boolean {
    const { budget, maxQueueBytes, maxQueueSize } = this.#options;
    const { body, count } = request;
    if (this.#size + count > maxQueueSize || this.#waitingBytes + body.length > maxQueueBytes) return false;
    if (!budget.reserve(this, body.length)) return false;
    this.#requests.push(request);
    this.#size += count;
    this.#waitingBytes += body.length;
    return true;
  }

  take(): EncodedRequest | undefined {
    const request = this.#requests.shift();
    if (request === undefined) return undefined;
    this.#forget(request);
    this.#takenBytes += request.body.length;
    return request;
  }

  attempt({ body }: EncodedRequest, signal: StopSignal): Promise<DeliveryOutcome> {
    return attemptSpans(this.#options, () => body, signal);
  }

  split(): undefined {
    return undefined;
  }

  release({ body }: EncodedRequest): void {
    this.#takenBytes -= body.length;
    this.#options.budget.release(body.length);
  }

  clear(): number {
    const { budget } = this.#options;
    const size = this.#size;
    budget.release(this.#waitingBytes);
    budget.leave(this);
    this.#requests = [];
    this.#size = 0;
    this.#waitingBytes = 0;
    return size;
  }

  shed(bytes: number): number {
    const { budget, lost } = this.#options;
    const before = { bytes: this.#waitingBytes, size: this.#size };
    while (before.bytes - this.#waitingBytes < bytes) {
      const newest = this.#requests.pop();
      if (newest === undefined) break;
      this.#forget(newest);
    }
    const freed = before.bytes - this.#waitingBytes;
    budget.release(freed);
    if (before.size > this.#size) lost(before.size - this.#size);
    return freed;
  }

  #forget({ body, count }: EncodedRequest): void {
    this.#size -= count;
    this.#waitingBytes -= body.length;
  }
}
