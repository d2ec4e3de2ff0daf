import {
  cargoParts,
  createLane,
  type LaneDestination,
  type LaneSettings,
  type OutletTenant,
} from './destination-lane.ts';
import type { Lane } from './lane.ts';
import type { Pipeline } from './pipeline.ts';
import type { SpanCargo } from './span-cargo.ts';
import type { RecordSignal } from './span-sender.ts';
import type { Spool } from './spool.ts';
import { SpoolCargo, type SpoolWire } from './spool-cargo.ts';
import { createHeader, findDestination } from './spool-header.ts';
import type { SpoolSegment } from './spool-segment.ts';

/** Where records wait for a destination, besides memory. */
export interface OutletSpool {
  readonly home: Spool;
  /** Whose records they are, in the files. */
  readonly name: string;
  readonly maxBytes: number;
  readonly fsync: 'interval' | 'always';
}

/** What a lane with a spool has to know of the outlet that it is in. */
export interface SpoolLaneSettings extends LaneSettings {
  readonly destinations: readonly LaneDestination[];
}

/** A lane for encoded records that wait in memory and on the disk, to the destination at `position`. */
export function createSpoolLane(
  pipeline: Pipeline,
  tenant: OutletTenant,
  settings: SpoolLaneSettings,
  { fsync, home, maxBytes, name }: OutletSpool,
  signal: RecordSignal,
  position: number,
  wire: SpoolWire,
): { readonly cargo: SpoolCargo; readonly lane: Lane } {
  const { destinations, limits } = settings;
  const destination = destinations[position] as LaneDestination;
  const cargo = new SpoolCargo({
    ...cargoParts(pipeline, destination, settings),
    home,
    account: home.account(name, maxBytes),
    header: createHeader(name, signal, destination, wire.format.contentType, position, destinations.length),
    wire,
    ledger: tenant.ledger,
    syncAlways: fsync === 'always',
    chunks: pipeline.chunks,
    maxQueueSize: limits.maxQueueSize,
    maxQueueBytes: limits.maxQueueBytes,
    lost: (count, reason) => lane.lost(count, reason),
    ready: () => lane.due(),
  });
  const lane: Lane = createLane(pipeline, tenant, settings, cargo, destination.group);
  return { cargo, lane };
}

/**
 * Takes over records of a tenant from the disk: for the destination that they were meant for, else the one in its place
 * if there are as many as then. False when that one cannot read them; they stay where they are.
 *
 * @param cargos those of the outlet, one for each of the destinations
 */
export function claimSegment(
  segment: SpoolSegment,
  destinations: readonly LaneDestination[],
  cargos: readonly (SpanCargo | SpoolCargo)[],
  { guard, ledger }: OutletTenant,
  spool: OutletSpool | undefined,
): boolean {
  const index = findDestination(destinations, segment.header);
  const cargo = index === undefined ? undefined : cargos[index];
  if (cargo instanceof SpoolCargo) {
    if (cargo.accepts(segment)) cargo.adopt(segment);
    else guard.report('spool', 'replay', 'records on the disk are not in the format of their destination');
    return cargo.accepts(segment);
  }
  spool?.home.discard(segment, ledger, 'no_destination');
  return true;
}
