import { SpanKind } from '@opentelemetry/api';
import type { RecordingSpan } from '../processing/span.ts';
import { type TappedRequest, TelemetryTap } from '../processing/telemetry-tap.ts';
import { integrationHostOf } from './integration-host.ts';
import type { TracerRegistry } from './registry.ts';
import { type TracerHealth, type TracerStats, tracerHealth, tracerStats } from './status.ts';
import type { TracerBase } from './tracer-base.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

export interface ObserveOptions {
  /** Bytes of ended spans, log records and metrics that may wait to be drained, of all tenants together. */
  readonly maxBytes: number;
  /** Open spans that are remembered. */
  readonly maxOpenSpans: number;
  /** Called when something waits where nothing did; must not throw. */
  readonly ready: () => void;
}

/** How one tenant does. */
export interface ObservedTenant {
  readonly tenantId: string;
  /** The process owner's own tracer, not a tenant that may have the same id. */
  readonly isPlatform: boolean;
  readonly stats: TracerStats;
  readonly health: TracerHealth;
  /** What it recorded and could not be shown, because too much waited or it could not be encoded. */
  readonly lost: number;
}

/** A span that has not ended. */
export interface ObservedSpan {
  readonly tenantId: string;
  readonly isPlatform: boolean;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for a root. */
  readonly parentSpanId: string;
  readonly kind: string;
  readonly startMillis: number;
  /** Empty while the tenant has no configuration that says what may be shown. */
  readonly name: string;
  /** Those that it has so far, as far as the tenant's redaction shows them. */
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** What somebody who was let in sees of a registry. */
export interface RegistryObservation {
  /** The tenants in memory, those included that still deliver, and the platform tracer. */
  tenants(): ObservedTenant[];
  /** The latest open spans that `isWanted` wants, the earliest first, and how many more of them are remembered. */
  openSpans(
    isWanted: (tenantId: string, isPlatform: boolean) => boolean,
    limit: number,
  ): { readonly spans: ObservedSpan[]; readonly more: number };
  /** OTLP requests with what was recorded since the last call. */
  drain(): TappedRequest[];
  /** Counts what could not be kept after all. */
  lose(request: TappedRequest, count: number): void;
  /** Ends the observation; spans cost nothing more. */
  close(): void;
}

/**
 * Observes the tenants of a registry: what they record from now on, and how they do. `undefined` for anything that is no
 * registry of this copy of the package, and for one that somebody observes already.
 */
export function observeRegistry(
  registry: TracerRegistry<TracerBase>,
  options: ObserveOptions,
): RegistryObservation | undefined {
  const host = integrationHostOf(registry);
  if (host === undefined || host.pipeline.tap.current !== undefined) return undefined;
  const { chunks, scratch, tap: slot } = host.pipeline;
  const tap = new TelemetryTap<RecordingSpan>({ chunks, scratch, ...options });
  slot.current = tap;
  return {
    tenants: () => host.runtimes().map((runtime) => describeTenant(runtime, tap.lostOf(runtime))),
    openSpans(isWanted, limit) {
      const wanted = [...tap.open].filter(([, { tenantId, isPlatform }]) => isWanted(tenantId, isPlatform));
      const shown = wanted.slice(Math.max(wanted.length - limit, 0));
      const spans = shown.map(([span, runtime]) => describeOpenSpan(span, runtime as TracerRuntime));
      return { spans, more: wanted.length - shown.length };
    },
    drain: () => tap.drain(),
    lose: (request, count) => tap.lose(request, count),
    close() {
      if (slot.current === tap) slot.current = undefined;
      tap.close();
    },
  };
}

function describeTenant(runtime: TracerRuntime, lost: number): ObservedTenant {
  const { tenantId, isPlatform } = runtime;
  return { tenantId, isPlatform, stats: tracerStats(runtime), health: tracerHealth(runtime), lost };
}

function describeOpenSpan(span: RecordingSpan, runtime: TracerRuntime): ObservedSpan {
  const { tenantId, isPlatform, path } = runtime;
  const { traceId, spanId } = span.spanContext();
  const shown = path.show(span);
  const { keys = [], values = [] } = shown?.attributeList ?? {};
  return {
    ...{ tenantId, isPlatform, traceId, spanId },
    parentSpanId: (span.parentSpanContext as { spanId: string } | undefined)?.spanId ?? '',
    kind: (SpanKind[span.kind] ?? 'INTERNAL').toLowerCase(),
    startMillis: span.startMillis ?? span.startTime[0] * 1_000 + span.startTime[1] / 1e6,
    name: shown?.name ?? '',
    attributes: Object.fromEntries(keys.map((key, index) => [key, values[index]])),
  };
}
