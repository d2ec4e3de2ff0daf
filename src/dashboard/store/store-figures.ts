/** A service of a tenant. */
export interface ServiceSummary {
  readonly tenant: string;
  readonly service: string;
  readonly spans: number;
  readonly errors: number;
  readonly logs: number;
  readonly points: number;
  readonly lastMillis: number;
}

/** Spans, log records and points of metrics. */
export interface SignalCounts {
  readonly traces: number;
  readonly logs: number;
  readonly metrics: number;
}

/** A tenant, and what is kept of it. */
export interface TenantSummary {
  readonly tenant: string;
  /** Spans, log records and points that are there. */
  readonly stored: SignalCounts;
  /** Those that had to go to make room. */
  readonly evicted: SignalCounts;
  /** Those that came in and could not be used. */
  readonly rejected: number;
  /** About; 0 where the store cannot tell. */
  readonly bytes: number;
  /** Of the newest arrival, or of the newest row where the store does not know when it came. */
  readonly lastMillis: number;
}

/** What came in of one tenant. */
export interface TenantArrivals extends SignalCounts {
  readonly tenant: string;
  readonly errors: number;
}

/** What a store holds. */
export interface StoreStats {
  readonly store: string;
  /** Of the tenants in the scope; 0 where the store cannot tell. */
  readonly bytes: number;
  /** Absent where the store has no bound of its own. */
  readonly maxBytes: number | undefined;
  /** Whether room for new telemetry is made by evicting old. */
  readonly full: boolean;
  readonly stored: SignalCounts;
  readonly evicted: SignalCounts;
  readonly rejected: number;
  readonly oldestMillis: number | undefined;
  readonly newestMillis: number | undefined;
  /** What an operator should know, such as an index that is missing. */
  readonly notices: readonly string[];
}
