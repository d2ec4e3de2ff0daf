import type { Pipeline } from '../processing/pipeline.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import type { Guard } from '../utils/guard.ts';
import { House } from './house.ts';
import type { SpanEngine } from './operations.ts';
import type { TracerRegistry } from './registry.ts';
import { TracerBase } from './tracer-base.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/** What an integration may use of the registry that it was given, beside its public methods. */
export interface IntegrationHost {
  /** Contains failures that belong to no tenant. */
  readonly guard: Guard;
  readonly pipeline: Pick<Pipeline, 'clock' | 'chunks' | 'scratch' | 'tap'>;
  /** The engines in memory: of the tenants, also of those that are leaving, and of the platform. */
  runtimes(): readonly TracerRuntime[];
  /**
   * Makes problems in the options of an integration known, as those in the registry's own.
   *
   * @throws IsotraceError with code `config_invalid`, under `strict: true` only
   */
  refuse(issues: readonly ConfigIssue[]): void;
}

/** The host behind a registry; `undefined` for anything that is none of this copy of the package. */
export function integrationHostOf(registry: TracerRegistry<TracerBase>): IntegrationHost | undefined {
  try {
    // No tenant has this id: it leads to the tracer that stands in for all that do not exist.
    const { house } = TracerBase.runtimeOf(registry.get(''));
    return house instanceof House ? house : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Makes problems in the options of an integration known, in the `health()` of the registry, and of the tracer that it
 * was given.
 *
 * @throws IsotraceError with code `config_invalid`, if the registry has `strict: true`
 */
export function refuseOptions(given: TracerBase | TracerRegistry<TracerBase>, issues: readonly ConfigIssue[]): void {
  if (issues.length === 0) return;
  if (!(given instanceof TracerBase)) {
    integrationHostOf(given)?.refuse(issues);
    return;
  }
  const runtime = TracerBase.runtimeOf(given);
  if (runtime.house instanceof House) runtime.house.refuse(issues);
  runtime.issues = [...runtime.issues, ...issues];
}

/** The engine of a tenant's tracer. */
export function runtimeOf(registry: TracerRegistry<TracerBase>, tenantId: string): TracerRuntime {
  return TracerBase.runtimeOf(registry.get(tenantId));
}

/** The engine of the process owner's own tracer. */
export function platformRuntimeOf(registry: TracerRegistry<TracerBase>): TracerRuntime {
  return TracerBase.runtimeOf(registry.platform);
}

/**
 * Who makes spans for what was given, at the time of each call: a tracer's tenant, or, of a registry, the tenant that the
 * code runs for, also if that is not known yet. Never throws.
 */
export function integrationEngine(given: TracerBase | TracerRegistry<TracerBase>): () => SpanEngine | undefined {
  return () => {
    try {
      return given instanceof TracerBase ? TracerBase.runtimeOf(given) : given.routing.starterIn();
    } catch {
      return undefined;
    }
  };
}
