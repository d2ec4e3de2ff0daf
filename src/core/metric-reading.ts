import type { Attributes } from '@opentelemetry/api';
import type { ScopeMetrics } from '../processing/metric-model.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/** The metrics of one tenant as they are. */
export interface MetricReading {
  /** `undefined`: the platform tracer's. */
  readonly tenantId: string | undefined;
  readonly resource: Readonly<Attributes>;
  readonly scopes: readonly ScopeMetrics[];
}

/** Asks all at once. Never rejects, and takes as long as the slowest callback may. */
export async function readMetrics(
  platform: TracerRuntime | undefined,
  tenants: Iterable<TracerRuntime>,
  maxTenants: number,
): Promise<readonly MetricReading[]> {
  const wanted: Promise<MetricReading>[] = [];
  if (platform?.measured !== undefined) wanted.push(readOne(platform, undefined));
  let left = maxTenants;
  for (const runtime of tenants) {
    if (left <= 0) break;
    if (runtime.measured === undefined) continue;
    wanted.push(readOne(runtime, runtime.tenantId));
    left -= 1;
  }
  return Promise.all(wanted);
}

async function readOne({ metering }: TracerRuntime, tenantId: string | undefined): Promise<MetricReading> {
  return { tenantId, resource: metering.resource, scopes: await metering.read() };
}
