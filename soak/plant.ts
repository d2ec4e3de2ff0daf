import type { Arrival } from './messages.ts';
import type { Oracle } from './oracle.ts';

/** A fault in what the oracle is told, once, to see that it notices. */
export type Plant = 'none' | 'lost' | 'swapped' | 'corrupted' | 'repeated' | 'invented';

/** What the oracle is told; with a plant the first span that arrives well is its victim. */
export type OracleInput = Pick<Oracle, 'created' | 'arrived' | 'dropped' | 'doubt'>;

export function plantedInput(oracle: Oracle, plant: Plant): OracleInput {
  if (plant === 'none') return oracle;
  let victim: string | undefined;
  return {
    created: (span) => oracle.created(span),
    dropped: (tenantId, count) => oracle.dropped(tenantId, count),
    doubt: (tenantId) => {
      if (plant !== 'repeated') oracle.doubt(tenantId);
    },
    arrived: (arrival) => {
      if (arrival.acknowledged) victim ??= arrival.spanId;
      if (victim !== arrival.spanId) oracle.arrived(arrival);
      else for (const told of PLANTED[plant](arrival)) oracle.arrived(told);
    },
  };
}

const PLANTED: Record<Exclude<Plant, 'none'>, (arrival: Arrival) => Arrival[]> = {
  lost: () => [],
  swapped: (arrival) => [{ ...arrival, sentAs: 'tenant-0', owner: 'tenant-1' }],
  corrupted: (arrival) => [{ ...arrival, hash: 'not what was sent' }],
  repeated: (arrival) => [arrival, arrival],
  invented: (arrival) => [arrival, { ...arrival, spanId: 'ffffffffffffffff' }],
};
