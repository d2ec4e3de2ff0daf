/** OpenTelemetry's signals, by the names that endpoints and variables have for them. */
export const TELEMETRY_SIGNALS = ['traces', 'metrics', 'logs'] as const;

/** What telemetry can be. */
export type TelemetrySignal = (typeof TELEMETRY_SIGNALS)[number];
