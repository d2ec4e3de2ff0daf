import { createHash } from 'node:crypto';
import type { RecordSignal, WireSettings } from './span-sender.ts';
import type { SegmentHeader } from './spool-frame.ts';

type Place = Pick<WireSettings, 'protocol' | 'url'>;

/** The header of files for the destination at `position` of `destinations`. */
export function createHeader(
  name: string,
  signal: RecordSignal,
  destination: Place,
  contentType: string,
  position: number,
  destinations: number,
): SegmentHeader {
  const version = signal === 'traces' ? 1 : 2;
  return Object.freeze({ version, signal, name, key: keyOf(destination), position, destinations, contentType });
}

/**
 * Which destination spans from the disk are for: one with the same endpoint and protocol, of several the one in the
 * same place; else, if there are as many as then, whichever is in that place now.
 */
export function findDestination(destinations: readonly Place[], header: SegmentHeader): number | undefined {
  const keys = destinations.map(keyOf);
  const { key, position } = header;
  if (keys[position] === key) return position;
  const moved = keys.indexOf(key);
  if (moved >= 0) return moved;
  return destinations.length === header.destinations && keys[position] !== undefined ? position : undefined;
}

/** Without the query and the headers, which may hold credentials. */
function keyOf({ protocol, url }: Place): string {
  return createHash('sha256').update(`${protocol} ${url.origin}${url.pathname}`).digest('hex').slice(0, 16);
}
