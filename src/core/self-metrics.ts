import type { Attributes, BatchObservableResult, Meter, Observable } from '@opentelemetry/api';
import type { LedgerSnapshot } from '../processing/ledger.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';
import type { ExportMeter } from './export-meter.ts';
import type { House } from './house.ts';
import type { RegistryStats } from './registry-status.ts';
import type { SelfMetricsSettings } from './settings.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

export interface SelfMetricsSource {
  readonly meter: Meter;
  readonly exports: ExportMeter;
  /** Tenants that get figures of their own. */
  readonly tenants: number;
  stats(): RegistryStats;
  /** All tenants in use, the most recently used first. */
  runtimes(): Iterable<TracerRuntime>;
  /** All of them, those that only deliver and the platform tracer too. */
  all(): Iterable<TracerRuntime>;
}

/** Dropped after they were handed to an exporter; all other reasons are the queue's, or what is before it. */
const EXPORT_REASONS: ReadonlySet<string> = new Set(['rejected', 'retry_exhausted', 'unauthorized']);
/** Turned away on purpose: in `otel.sdk.span.started`. */
const SAMPLED = 'sampled';
const PROCESSOR: Attributes = {
  'otel.component.type': 'batching_span_processor',
  'otel.component.name': 'batching_span_processor/isotrace',
};

/**
 * isotrace's metrics about itself: OpenTelemetry's `otel.sdk.*` where a convention has a name, else `isotrace.*`. All
 * are read when they are collected, from counts that are kept anyway.
 */
export class SelfMetrics {
  readonly #source: SelfMetricsSource;
  readonly #instruments: ReturnType<typeof createInstruments>;
  readonly #observables: Observable[];
  readonly #callback = (result: BatchObservableResult): void => this.#observe(result);
  /** Spans of tenants that are out of use, and how many of them are in there already. */
  readonly #retired = { started: 0, unsampled: 0 };
  readonly #counted = new WeakMap<TracerRuntime, { readonly started: number; readonly unsampled: number }>();

  constructor(source: SelfMetricsSource) {
    this.#source = source;
    this.#instruments = createInstruments(source.meter);
    this.#observables = Object.values(this.#instruments);
    source.meter.addBatchObservableCallback(this.#callback, this.#observables);
  }

  /** A tenant is out of use, and may be gone when metrics are collected next. */
  retire(runtime: TracerRuntime): void {
    const { started, unsampled } = this.#uncounted(runtime);
    this.#retired.started += started;
    this.#retired.unsampled += unsampled;
    this.#counted.set(runtime, { started: runtime.started, unsampled: runtime.unsampled });
  }

  /** Takes the callback back, which would keep the registry alive with the meter provider. */
  stop(): void {
    this.#source.meter.removeBatchObservableCallback(this.#callback, this.#observables);
  }

  #observe(result: BatchObservableResult): void {
    const stats = this.#source.stats();
    this.#observeSpans(result);
    this.#observeProcessor(result, stats.traces);
    this.#observeExports(result);
    this.#observeRegistry(result, stats);
    this.#observeTenants(result);
  }

  #observeSpans(result: BatchObservableResult): void {
    const { live, started } = this.#instruments;
    const total = { ...this.#retired };
    let open = 0;
    for (const runtime of this.#source.all()) {
      const more = this.#uncounted(runtime);
      total.started += more.started;
      total.unsampled += more.unsampled;
      open += runtime.open;
    }
    const recorded = { 'otel.span.sampling_result': 'RECORD_AND_SAMPLE' };
    result.observe(live, open, recorded);
    result.observe(started, total.started - total.unsampled, recorded);
    result.observe(started, total.unsampled, { 'otel.span.sampling_result': 'DROP' });
  }

  #observeProcessor(result: BatchObservableResult, { dropped, exported }: LedgerSnapshot): void {
    const { capacity, processed, queueSize } = this.#instruments;
    let size = 0;
    let room = 0;
    for (const { path } of this.#source.all()) {
      size += path.queued;
      for (const { inflight } of path.lanes) {
        if ((inflight.component?.signal ?? 'traces') !== 'traces') continue;
        size -= inflight.count;
        room += path.settings.limits.maxQueueSize;
      }
    }
    let handedOver = exported;
    for (const [reason, count] of Object.entries(dropped)) {
      if (EXPORT_REASONS.has(reason)) handedOver += count;
      else if (reason !== SAMPLED) result.observe(processed, count, { ...PROCESSOR, 'error.type': reason });
    }
    result.observe(processed, handedOver, PROCESSOR);
    result.observe(queueSize, size, PROCESSOR);
    result.observe(capacity, room, PROCESSOR);
  }

  #observeExports(result: BatchObservableResult): void {
    const { exports } = this.#source;
    const held = new Map<Attributes, number>();
    for (const { path } of this.#source.all()) {
      for (const { inflight: now } of path.lanes) {
        const { attributes } = exports.tallyOf(now.component);
        held.set(attributes, (held.get(attributes) ?? 0) + now.count);
      }
    }
    for (const { attributes, exported: count, failed, signal } of exports.tallies) {
      const { exported, inflight } = this.#exporterOf(signal);
      result.observe(inflight, held.get(attributes) ?? 0, attributes);
      result.observe(exported, count, attributes);
      for (const [reason, lost] of failed) result.observe(exported, lost, { ...attributes, 'error.type': reason });
    }
  }

  #exporterOf(signal: TelemetrySignal): { readonly exported: Observable; readonly inflight: Observable } {
    const { exported, inflight, logsExported, logsInflight, pointsExported, pointsInflight } = this.#instruments;
    if (signal === 'traces') return { exported, inflight };
    return signal === 'logs'
      ? { exported: logsExported, inflight: logsInflight }
      : { exported: pointsExported, inflight: pointsInflight };
  }

  #observeRegistry(result: BatchObservableResult, stats: RegistryStats): void {
    const { bytes, connections, logsSpooled, requests, spooled, tenants, transitions } = this.#instruments;
    for (const state of ['live', 'waiting', 'draining'] as const) {
      result.observe(tenants, stats[state], { 'isotrace.tenant.state': state });
    }
    for (const transition of ['created', 'evicted', 'revived', 'unknown', 'refused'] as const) {
      result.observe(transitions, stats[transition], { 'isotrace.tenant.transition': transition });
    }
    result.observe(bytes, stats.bytes);
    result.observe(connections, stats.sockets);
    result.observe(requests, stats.requests);
    result.observe(spooled, stats.traces.spooled);
    result.observe(logsSpooled, stats.logs.spooled);
  }

  #observeTenants(result: BatchObservableResult): void {
    const { tenantCreated, tenantDropped, tenantExported, tenantQueued } = this.#instruments;
    let left = this.#source.tenants;
    if (left === 0) return;
    for (const { ledgers, path, tenantId } of this.#source.runtimes()) {
      const tenant = { 'tenant.id': tenantId };
      const { created, dropped, exported, queued } = ledgers.snapshot('traces', path.queued);
      result.observe(tenantCreated, created, tenant);
      result.observe(tenantExported, exported, tenant);
      result.observe(tenantQueued, queued, tenant);
      for (const [reason, count] of Object.entries(dropped)) {
        result.observe(tenantDropped, count, { ...tenant, 'error.type': reason });
      }
      left -= 1;
      if (left === 0) return;
    }
  }

  #uncounted(runtime: TracerRuntime): { started: number; unsampled: number } {
    const counted = this.#counted.get(runtime);
    return {
      started: runtime.started - (counted?.started ?? 0),
      unsampled: runtime.unsampled - (counted?.unsampled ?? 0),
    };
  }
}

/** `undefined` where nobody measures, or the host's meter fails. */
export function measureRegistry(
  { exports, guard, meter }: House,
  { tenants }: SelfMetricsSettings,
  source: Omit<SelfMetricsSource, 'meter' | 'exports' | 'tenants'>,
): SelfMetrics | undefined {
  if (meter === undefined || exports === undefined) return undefined;
  return guard.run('metrics', 'instruments', () => new SelfMetrics({ ...source, tenants, meter, exports }), undefined);
}

function createInstruments(meter: Meter) {
  const counter = (name: string, unit: string, description: string) =>
    meter.createObservableCounter(name, { unit, description });
  const level = (name: string, unit: string, description: string) =>
    meter.createObservableUpDownCounter(name, { unit, description });
  return {
    live: level('otel.sdk.span.live', '{span}', 'Spans that record and have not ended.'),
    started: counter('otel.sdk.span.started', '{span}', 'Spans that were started.'),
    queueSize: level('otel.sdk.processor.span.queue.size', '{span}', 'Spans that wait in queues.'),
    capacity: level('otel.sdk.processor.span.queue.capacity', '{span}', 'Spans that may wait in the queues in use.'),
    processed: counter('otel.sdk.processor.span.processed', '{span}', 'Spans that left a queue, or never came to it.'),
    inflight: level('otel.sdk.exporter.span.inflight', '{span}', 'Spans in requests, or between two attempts.'),
    exported: counter('otel.sdk.exporter.span.exported', '{span}', 'Spans whose export is over.'),
    logsInflight: level(
      'otel.sdk.exporter.log.inflight',
      '{log_record}',
      'Log records in requests, or between attempts.',
    ),
    logsExported: counter('otel.sdk.exporter.log.exported', '{log_record}', 'Log records whose export is over.'),
    pointsInflight: level(
      'otel.sdk.exporter.metric_data_point.inflight',
      '{data_point}',
      'Data points in requests, or between attempts.',
    ),
    pointsExported: counter(
      'otel.sdk.exporter.metric_data_point.exported',
      '{data_point}',
      'Data points whose export is over.',
    ),
    tenants: level('isotrace.tenant.count', '{tenant}', 'Tenants by state.'),
    transitions: counter('isotrace.tenant.transitions', '{transition}', 'What became of tenants.'),
    bytes: level('isotrace.queue.bytes', 'By', 'Bytes that wait or are under way, of all tenants.'),
    connections: level('isotrace.connection.count', '{connection}', 'Open connections.'),
    requests: level('isotrace.request.count', '{request}', 'Requests under way, not counting overdue ones.'),
    spooled: level('isotrace.span.spooled', '{span}', 'Spans that wait on disk.'),
    logsSpooled: level('isotrace.log.spooled', '{log_record}', 'Log records that wait on disk.'),
    tenantCreated: counter('isotrace.tenant.span.created', '{span}', 'Spans of a tenant, for each destination.'),
    tenantExported: counter('isotrace.tenant.span.exported', '{span}', 'Spans of a tenant that were accepted.'),
    tenantDropped: counter('isotrace.tenant.span.dropped', '{span}', 'Spans of a tenant that were dropped.'),
    tenantQueued: level('isotrace.tenant.span.queued', '{span}', 'Spans of a tenant that wait or are under way.'),
  };
}
