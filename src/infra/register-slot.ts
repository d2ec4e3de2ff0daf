/** What `isotrace/register` prepared before the application was loaded, for the registry that is installed later. */
export interface RegisterSlot {
  /** OpenTelemetry instrumentations, enabled but without a provider. */
  readonly instrumentations: readonly unknown[];
  /** What kept it from preparing more. */
  readonly problem: string | undefined;
  /** Whether a registry has the instrumentations. */
  taken: boolean;
}

/** Shared by all copies of the package: the application may load another one than `--import` did. */
const SLOT: unique symbol = Symbol.for('isotrace.register') as never;

interface Slots {
  [SLOT]?: RegisterSlot;
}

/** What was prepared; `undefined` when `isotrace/register` was not loaded. */
export function registerSlot(): RegisterSlot | undefined {
  return (globalThis as Slots)[SLOT];
}

/** Leaves what was prepared. */
export function fillRegisterSlot(instrumentations: readonly unknown[], problem: string | undefined): void {
  (globalThis as Slots)[SLOT] = { instrumentations, problem, taken: false };
}
