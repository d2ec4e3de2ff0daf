import { types } from 'node:util';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Clock } from '../utils/clock.ts';
import { describeError, IsotraceError } from '../utils/errors.ts';
import type { HookSwitch } from '../utils/guard.ts';
import type { StopSignal } from '../utils/stop-signal.ts';
import type { Agenda } from './agenda.ts';
import { limitAttempt } from './attempt-limit.ts';
import type { ExportComponent } from './export-recorder.ts';
import type { Batch, LaneCargo } from './lane-cargo.ts';
import type { DeliveryOutcome } from './outcome.ts';

export interface SpanObjects extends Batch {
  readonly spans: ReadableSpan[];
}

export interface ObjectCargoOptions {
  readonly exporter: SpanExporter;
  readonly hook: HookSwitch;
  readonly agenda: Agenda;
  readonly clock: Clock;
  readonly maxQueueSize: number;
  readonly maxBatchSize: number;
  /** An export that has not answered by then counts as failed. */
  readonly timeoutMillis: number;
}

type ExportResult = Parameters<Parameters<SpanExporter['export']>[1]>[0];

/** `ExportResultCode.SUCCESS` of OpenTelemetry's exporter contract. */
const SUCCESS = 0;
const DEFAULT_NAME = 'span_exporter';
const MAX_NAME_LENGTH = 100;
const NO_RESULT = 'the exporter did not answer with a result';
const NO_ANSWER = 'the exporter did not answer in time';

/** Spans as objects, for a tenant with an OpenTelemetry `SpanExporter` of the user's. */
export class ObjectCargo implements LaneCargo<SpanObjects> {
  readonly destination = 'exporter';
  /** Tenants that share an exporter share its slots: many exporters refuse more than a few exports at a time. */
  readonly origin: SpanExporter;
  readonly bytes = 0;
  readonly #options: ObjectCargoOptions;
  #spans: ReadableSpan[] = [];

  constructor(options: ObjectCargoOptions) {
    this.#options = options;
    this.origin = options.exporter;
  }

  /** By the conventions the name of the type, where they have none for it. */
  get component(): ExportComponent {
    try {
      const { name } = this.origin.constructor;
      return { type: typeof name === 'string' && name !== '' ? name.slice(0, MAX_NAME_LENGTH) : DEFAULT_NAME };
    } catch {
      return { type: DEFAULT_NAME };
    }
  }

  get size(): number {
    return this.#spans.length;
  }

  get full(): boolean {
    return this.#spans.length >= this.#options.maxBatchSize;
  }

  /** False when the queue is full. */
  push(span: ReadableSpan): boolean {
    if (this.#spans.length >= this.#options.maxQueueSize) return false;
    this.#spans.push(span);
    return true;
  }

  take(): SpanObjects | undefined {
    if (this.#spans.length === 0) return undefined;
    const spans = this.#spans.splice(0, this.#options.maxBatchSize);
    return { spans, count: spans.length };
  }

  /** Calls the exporter once. Only its first answer counts; throwing, failing and silence are all retryable. */
  async attempt(batch: SpanObjects, signal: StopSignal): Promise<DeliveryOutcome> {
    const { agenda, clock, hook, timeoutMillis } = this.#options;
    if (!hook.on) return { status: 'failure', reason: 'rejected', message: 'the exporter is switched off' };
    const endsAt = clock.monotonic() + timeoutMillis;
    try {
      const outcome = await limitAttempt(this.#export(batch.spans), { agenda, endsAt, signal });
      if (outcome === 'aborted') return { status: 'retryable', reason: 'aborted', message: 'given up' };
      if (outcome !== 'timeout') return outcome;
      hook.failed(NO_ANSWER);
      return { status: 'retryable', reason: 'timeout', message: NO_ANSWER };
    } catch (error) {
      hook.failed(error);
      return { status: 'retryable', reason: 'hook', message: describeError(error) };
    }
  }

  split(): undefined {
    return undefined;
  }

  release(): void {}

  clear(): number {
    const { length } = this.#spans;
    this.#spans = [];
    return length;
  }

  #export(spans: ReadableSpan[]): Promise<DeliveryOutcome> {
    return new Promise((resolve, reject) => {
      // What is thrown in the callback would be thrown into the exporter.
      const answer = (result: unknown): void => {
        try {
          const { code, error } = result as Partial<ExportResult>;
          if (code === SUCCESS) resolve({ status: 'success', rejected: 0 });
          else if (code === undefined) reject(new IsotraceError('hook_failed', NO_RESULT));
          else resolve({ status: 'retryable', reason: 'hook', message: describeError(error ?? 'the exporter failed') });
        } catch (unreadable) {
          reject(unreadable);
        }
      };
      const returned: unknown = this.#options.exporter.export(spans, answer);
      if (types.isPromise(returned)) returned.catch(reject);
    });
  }
}
