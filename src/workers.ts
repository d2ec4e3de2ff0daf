import { createTracer } from './core/create-tracer.ts';
import type { TracerRegistry } from './core/registry.ts';
import type { CreateTracerOptions } from './core/registry-options.ts';
import type { Tracer } from './core/tracer.ts';
import type { TracerBase } from './core/tracer-base.ts';
import type { WorkerTarget } from './integration/worker-endpoint.ts';
import { WorkerExporter } from './integration/worker-exporter.ts';
import { WorkerReceiver } from './integration/worker-receiver.ts';

export type { WorkerTarget } from './integration/worker-endpoint.ts';
export type { SpanMessage, SpansMessage, TakenMessage, WorkerAccount } from './integration/worker-message.ts';
export type { WorkerReceiver, WorkerStats } from './integration/worker-receiver.ts';
export { captureScope, continueScope, type ScopedTracer, type SerializedScope } from './integration/worker-scope.ts';

/** What a tracer in a worker can be told; where its spans go is settled. */
export type WorkerTracerOptions = Omit<CreateTracerOptions, 'destination' | 'exporter' | 'spool'>;

const WORKER_BATCH = { delayMillis: 200 };

/**
 * In a worker or child process: a tracer whose spans go to the parent, which exports them as those of the tenant that it
 * has this worker for. `target` is a `MessagePort`, `parentPort`, or `process`. Spans wait in a bounded queue until the
 * parent has taken them; `shutdown()` before the end hands over what is left. Batches are sent after 200 ms unless
 * `batch.delayMillis` says otherwise.
 *
 * @throws IsotraceError with code `config_invalid`, under `strict: true` only
 */
export function createWorkerTracer(target: WorkerTarget, options: WorkerTracerOptions = {}): Tracer {
  const exporter: WorkerExporter = new WorkerExporter(target, () => {
    const { created, dropped } = tracer.stats().traces;
    return { ended: created, dropped: Object.values(dropped).reduce((sum, count) => sum + count, 0) };
  });
  const propagation = { baggage: () => true };
  const tracer: Tracer = createTracer({
    propagation,
    ...options,
    batch: { ...WORKER_BATCH, ...options.batch },
    exporter,
  });
  return tracer;
}

/**
 * In the parent: takes over the spans that a worker's tracer sends, as those of `tenantId`, whatever the worker says.
 * `target` is the `Worker`, its `MessagePort`, or the `ChildProcess`. Never throws.
 */
export function receiveSpans(
  registry: TracerRegistry<TracerBase>,
  tenantId: string,
  target: WorkerTarget,
): WorkerReceiver {
  return new WorkerReceiver(registry, tenantId, target);
}
