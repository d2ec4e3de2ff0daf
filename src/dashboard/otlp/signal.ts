export const SIGNALS = ['traces', 'metrics', 'logs'] as const;
/** What telemetry can be. */
export type Signal = (typeof SIGNALS)[number];
