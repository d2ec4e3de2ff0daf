import { createTracer } from '../core/create-tracer.ts';
import type { TracerOptions } from '../core/options.ts';
import { TracerRegistry } from '../core/registry.ts';
import type { CreateTracerOptions, RegistryOptions } from '../core/registry-options.ts';
import type { Tracer } from '../core/tracer.ts';
import type { TracerBase } from '../core/tracer-base.ts';
import { expectNoSpan, SpanExpectation } from './expect-span.ts';
import { MemoryExporter } from './memory-exporter.ts';
import type { RecordedSpan } from './recorded-span.ts';

/** What one tenant exported, in memory. */
export interface TenantRecord {
  /** Its spans, in the order in which they ended, as far as they were flushed. */
  readonly spans: readonly RecordedSpan[];
  /** Expects a span of this name; say more about it with the methods of the answer. */
  expectSpan(name: string): SpanExpectation;
  /** Expects that there is no span of this name. */
  expectNoSpan(name: string): void;
}

/** A tracer that exports into memory. Disposing of it shuts it down. */
export interface TestTracer extends TenantRecord, AsyncDisposable {
  readonly tracer: Tracer;
  /** Delivers what ended; call it before expecting spans. */
  flush(): Promise<void>;
  /** Forgets what was exported. */
  reset(): void;
}

/** A registry whose tenants export into memory, each into a record of its own. Disposing of it shuts it down. */
export interface TestRegistry<T extends TracerBase = Tracer> extends AsyncDisposable {
  readonly registry: TracerRegistry<T>;
  /** What a tenant exported; also of one that exported nothing. `platform` is the platform tracer. */
  tenant(tenantId: string): TenantRecord;
  /** Delivers what ended, of all tenants; call it before expecting spans. */
  flush(): Promise<void>;
  /** Forgets what was exported. */
  reset(): void;
}

const HINT = ' (await flush() delivers what ended)';
/** Nothing leaves the process. */
const NOWHERE = { destination: [] } as const;

/** A tracer for tests: the real one with its sampling, limits and redaction, but its destinations and exporter are memory. */
export function createTestTracer(options: CreateTracerOptions = {}): TestTracer {
  const exporter = new MemoryExporter();
  const tracer = createTracer({ ...options, ...NOWHERE, exporter });
  const close = async (): Promise<void> => void (await tracer.shutdown());
  return Object.assign(recordOf(exporter), {
    tracer,
    flush: async () => void (await tracer.flush()),
    reset: () => exporter.clear(),
    [Symbol.asyncDispose]: close,
  });
}

/**
 * A registry for tests: `configure`, eviction and all else are the real ones, but each tenant's destinations and exporter
 * are a memory of its own. There is no platform tracer unless `platform` says so.
 */
export function createTestRegistry<T extends TracerBase = Tracer>(options: RegistryOptions<T> = {}): TestRegistry<T> {
  const exporters = new Map<string, MemoryExporter>();
  const exporterOf = (tenantId: string): MemoryExporter => {
    const known = exporters.get(tenantId) ?? new MemoryExporter();
    exporters.set(tenantId, known);
    return known;
  };
  const inMemory = (tenantId: string, given: TracerOptions): TracerOptions => {
    return { ...given, ...NOWHERE, exporter: exporterOf(tenantId) };
  };
  const { configure, platform = false } = options;
  const registry = new TracerRegistry<T>({
    ...options,
    ...NOWHERE,
    platform: platform === false ? false : inMemory('platform', platform),
    configure: (tenantId) => {
      const answer = configure === undefined ? {} : configure(tenantId);
      if (answer instanceof Promise) return answer.then((given) => given && inMemory(tenantId, given));
      return answer && inMemory(tenantId, answer as TracerOptions);
    },
  });
  const close = async (): Promise<void> => void (await registry.shutdown());
  return {
    registry,
    tenant: (tenantId) => recordOf(exporterOf(tenantId)),
    flush: async () => void (await registry.flush()),
    reset: () => {
      for (const exporter of exporters.values()) exporter.clear();
    },
    [Symbol.asyncDispose]: close,
  };
}

function recordOf(exporter: MemoryExporter): TenantRecord {
  return {
    get spans() {
      return exporter.spans;
    },
    expectSpan: (name) => new SpanExpectation(name, exporter.spans, HINT),
    expectNoSpan: (name) => expectNoSpan(name, exporter.spans),
  };
}
