import { integrationEngine } from '../core/integration-host.ts';
import type { TracerRegistry } from '../core/registry.ts';
import { createTracedFetch, type FetchFunction } from '../core/traced-fetch.ts';
import type { TracerBase } from '../core/tracer-base.ts';

/**
 * Wraps a `fetch` as `tracer.fetch` wraps the process's own: for a tracer's tenant, or, given a registry, for the tenant
 * that the code runs for at each call; outside every tenant the call is passed on. Default: the process's `fetch`.
 */
export function traceFetch(
  tracerOrRegistry: TracerBase | TracerRegistry<TracerBase>,
  fetch?: FetchFunction,
): FetchFunction {
  return createTracedFetch(integrationEngine(tracerOrRegistry), fetch);
}
