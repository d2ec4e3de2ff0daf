import type { Lane } from '../processing/lane.ts';

/**
 * Closes a way out with nothing in it, unless it knows something that is worth keeping: a rate in use, a destination in
 * trouble. Answers whether it did.
 */
export function closeIdle(way: { readonly lanes: readonly Lane[] } | undefined, perSecond: number): boolean {
  if (way === undefined || Number.isFinite(perSecond) || way.lanes.some(({ failures }) => failures > 0)) return false;
  for (const lane of way.lanes) void lane.close('evicted');
  return true;
}

/** Until nothing is left, or, with `attempted`, until the destination was tried. Never rejects, may never resolve. */
export async function deliverLane(lane: Lane, until: 'attempted' | 'empty'): Promise<void> {
  lane.hurry();
  await lane.settled(until);
  lane.relax();
}
