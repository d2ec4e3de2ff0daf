/** What a flush or a shutdown of one tenant came to. */
export interface TenantReport {
  readonly tenantId: string;
  /** Spans, log records and data points that destinations accepted meanwhile. */
  readonly delivered: number;
  /** Those that still wait in memory. Spans of open traces that sampling has still to decide do not count. */
  readonly pending: number;
  /** Those that still wait on disk only: not delivered, and not lost when the process ends. */
  readonly spooled: number;
  /** Those that were given up meanwhile, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Why something is pending or was dropped, when that is known. */
  readonly error?: string;
}

/** What a flush or a shutdown came to. */
export interface FlushReport {
  /**
   * True when nothing is pending and nothing was lost. What sampling turned away is not lost; nor is what is `spooled`,
   * which has not been delivered either.
   */
  readonly ok: boolean;
  /** Spans, log records and data points that destinations accepted meanwhile, of all tenants. */
  readonly delivered: number;
  /** Those that still wait in memory. */
  readonly pending: number;
  /** Those that still wait on disk only. */
  readonly spooled: number;
  /** Those that were given up meanwhile, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** One entry for each tenant that had something to deliver, or lost something. */
  readonly tenants: readonly TenantReport[];
}

/** How long delivering may take. */
export interface FlushOptions {
  /** How long to wait at most, in milliseconds. Default: the profile's, 10,000 in the default one. */
  readonly timeoutMillis?: number | undefined;
}

export const DEFAULT_FLUSH_TIMEOUT_MILLIS = 10_000;

/** Turned away on purpose. */
const INTENDED = 'sampled';

/** Adds up the reports of several tenants; those with nothing to tell are left out. */
export function combineReports(reports: readonly TenantReport[]): FlushReport {
  let delivered = 0;
  let pending = 0;
  let spooled = 0;
  const dropped: Record<string, number> = {};
  for (const report of reports) {
    delivered += report.delivered;
    pending += report.pending;
    spooled += report.spooled;
    for (const [reason, count] of Object.entries(report.dropped)) dropped[reason] = (dropped[reason] ?? 0) + count;
  }
  const tenants = reports.filter((report) => report.delivered > 0 || report.spooled > 0 || !isComplete(report));
  return { ok: tenants.every(isComplete), delivered, pending, spooled, dropped, tenants };
}

/** Whether nothing of a tenant is pending and nothing was lost. */
export function isComplete({ pending, dropped }: TenantReport): boolean {
  return pending === 0 && Object.keys(dropped).every((reason) => reason === INTENDED);
}

/** The wait that a caller asked for: a number of milliseconds that is not negative, else the default. */
export function resolveTimeout(options: unknown, fallback = DEFAULT_FLUSH_TIMEOUT_MILLIS): number {
  try {
    const value = (options as FlushOptions | undefined)?.timeoutMillis;
    return typeof value === 'number' && value >= 0 ? value : fallback;
  } catch {
    return fallback;
  }
}
