const STEPS = 60;
const MAX_STEPS = 2_000;
const NICE_STEPS = [1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 21_600, 86_400].map((seconds) => seconds * 1_000);

/** The step that was asked for, or one that makes about 60; so long that there are 2,000 at most. */
export function stepOf(step: number | undefined, startMillis: number, endMillis: number): number {
  const length = Math.max(endMillis - startMillis, 1);
  if (step !== undefined && length / step <= MAX_STEPS) return step;
  const smallest = step === undefined ? length / STEPS : length / MAX_STEPS;
  return NICE_STEPS.find((candidate) => candidate >= smallest) ?? Math.ceil(smallest);
}
