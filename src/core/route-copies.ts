import { tenantResource } from '../infra/resources.ts';
import { CopyOutlet } from '../processing/copy-outlet.ts';
import type { LaneSettings, OutletTenant } from '../processing/destination-lane.ts';
import type { Pipeline } from '../processing/pipeline.ts';
import type { RecordKind } from '../processing/record-kind.ts';
import type { SpanCopier } from '../processing/span-copier.ts';
import { TenantCopier } from '../processing/tenant-copier.ts';
import { WireParts } from '../processing/wire-parts.ts';
import type { CopiedSignal, PlatformCopies } from './platform-copies.ts';
import type { RouteDestinations } from './route-destinations.ts';
import type { TracerDefaults } from './settings.ts';
import type { SpanRouteOptions } from './span-route-options.ts';

/** The way of copies of all tenants' spans, or log records, to the destinations of the platform tracer. */
export function openCopies<Item>(
  kind: RecordKind<Item>,
  pipeline: Pipeline,
  platform: OutletTenant,
  settings: LaneSettings,
  destinations: RouteDestinations,
): CopyOutlet<Item> {
  const { redaction } = destinations;
  return new CopyOutlet(kind, pipeline, platform, {
    ...settings,
    destinations: destinations.of(kind.signal),
    redaction,
  });
}

/** What copies a tenant's records to the platform, if anything does. */
export function copierOf<Item>(
  { baseResource, copies, pipeline, tenantId }: SpanRouteOptions,
  settings: TracerDefaults,
  signalOf: (copies: PlatformCopies) => CopiedSignal<Item>,
): SpanCopier<Item> | undefined {
  if (copies === undefined) return undefined;
  const { selects, target } = signalOf(copies);
  // Only here does the tenant's id go on the wire by itself.
  const resource = () => ({ ...tenantResource(baseResource, settings), 'tenant.id': tenantId });
  const parts = new WireParts(resource, copies.guard, pipeline.scopeBytes);
  return new TenantCopier({ tenantId, selects, target, parts });
}
