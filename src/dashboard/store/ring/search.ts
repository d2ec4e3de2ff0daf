import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../../utils/clock.ts';

/**
 * A search that can be interrupted at each `yield`, one for `STEP_ROWS` rows. Meanwhile segments only grow, or are dropped:
 * the rows that a segment had when its turn began stay what they are.
 */
export type SearchSteps<T> = Generator<void, T>;

const SLICE_MILLIS = 15;
/** A row that has to be decoded takes some 3 to 30 µs. */
const STEP_ROWS = 256;

/** Whether it is time to `yield`, after so many rows. */
export function isStep(row: number): boolean {
  return row % STEP_ROWS === 0;
}

/** Runs a search, and lets others run now and then. */
export async function runSearch<T>(search: SearchSteps<T>, clock: Clock): Promise<T> {
  for (let since = clock.monotonic(); ; ) {
    const step = search.next();
    if (step.done === true) return step.value;
    if (clock.monotonic() - since < SLICE_MILLIS) continue;
    await setImmediate();
    since = clock.monotonic();
  }
}
