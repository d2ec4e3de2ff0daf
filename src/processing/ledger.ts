import { publishDiagnostic } from '../utils/diagnostics.ts';
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../utils/telemetry-signal.ts';

/** Why telemetry was not delivered. */
export const DROP_REASONS = [
  /** The tenant's queue, or the process's byte budget, was full. */
  'queue_full',
  /** Above the tenant's `limits.spansPerSecond`, or `limits.logsPerSecond`. */
  'rate_limited',
  /** Not selected by sampling. */
  'sampled',
  /** The destination refused it for good: a permanent answer, or its share of a partial success. */
  'rejected',
  /** It could not be encoded. */
  'unserializable',
  /** Retried until the give-up time. */
  'retry_exhausted',
  /** Still undelivered, or ended, when shutdown was over. */
  'shutdown_deadline',
  /** The destination refused the credentials until the give-up time. */
  'unauthorized',
  /** `configure` said that there is no such tenant. */
  'tenant_unknown',
  /** Recorded by instrumentation outside every tenant, while `unassigned` is `'drop'` or there is no platform tracer. */
  'unassigned',
  /** Still undelivered when the grace of an evicted tenant was over. */
  'evicted',
  /** The tenant has no destination and no exporter. */
  'no_destination',
  /** Neither memory nor the spool on disk had room for it. */
  'spool_full',
  /** Its copy in the spool was damaged or gone. */
  'corrupted',
] as const;

/** Why telemetry was not delivered. */
export type DropReason = (typeof DROP_REASONS)[number];

/** How much was not delivered, by reason. */
export type DropCounts = { readonly [Reason in DropReason]?: number };

/** The account of one signal: `created = exported + queued + spooled + sum of dropped`, at any time. */
export interface LedgerSnapshot {
  /**
   * Ended spans handed over for export, and spans that sampling turned away, log records, or data points; once for each
   * destination.
   */
  readonly created: number;
  /** Accepted by the destination. */
  readonly exported: number;
  /** Waiting in memory or in a request. */
  readonly queued: number;
  /** Waiting on disk. */
  readonly spooled: number;
  /** Not delivered, by reason; reasons that never happened are absent. */
  readonly dropped: DropCounts;
}

/** Most tenants never lose anything. */
const NOTHING: ReadonlyMap<DropReason, number> = new Map();

/** Counts what happened to telemetry. What is counted here is also counted in `parent`. */
export class Ledger {
  created = 0;
  exported = 0;
  #dropped: Map<DropReason, number> | undefined;
  readonly #parent: Ledger | undefined;

  constructor(parent?: Ledger) {
    this.#parent = parent;
  }

  get dropped(): ReadonlyMap<DropReason, number> {
    return this.#dropped ?? NOTHING;
  }

  countCreated(count: number): void {
    this.created += count;
    this.#parent?.countCreated(count);
  }

  countExported(count: number): void {
    this.exported += count;
    this.#parent?.countExported(count);
  }

  countDropped(reason: DropReason, count: number): void {
    if (count <= 0) return;
    this.#dropped ??= new Map();
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + count);
    this.#parent?.countDropped(reason, count);
  }

  /** Takes back what was counted as dropped too early. */
  uncountDropped(reason: DropReason, count: number): void {
    const left = (this.#dropped?.get(reason) ?? 0) - count;
    if (left > 0) this.#dropped?.set(reason, left);
    else this.#dropped?.delete(reason);
    this.#parent?.uncountDropped(reason, count);
  }

  /** Takes over what another account of the same parent has counted as created. */
  takeOver(count: number): void {
    this.created += count;
  }

  /** The account, with what the queues and the spool say they hold at this moment. */
  snapshot(queued: number, spooled = 0): LedgerSnapshot {
    const { created, exported, dropped } = this;
    return { created, exported, queued, spooled, dropped: Object.fromEntries(dropped) };
  }
}

/** Counts a loss of a tenant's and tells the diagnostics channel of it. */
export function recordDrop(ledger: Ledger, tenantId: string, reason: DropReason, count: number): void {
  if (count <= 0) return;
  ledger.countDropped(reason, count);
  publishDiagnostic('isotrace:dropped', { tenantId, reason, count });
}

/** The accounts of a tenant, or of a registry, by signal; that of a signal which is not used does not exist. */
export class Ledgers {
  readonly traces: Ledger;
  readonly #parent: Ledgers | undefined;
  #metrics: Ledger | undefined;
  #logs: Ledger | undefined;

  constructor(parent?: Ledgers) {
    this.#parent = parent;
    this.traces = new Ledger(parent?.traces);
  }

  get metrics(): Ledger {
    this.#metrics ??= new Ledger(this.#parent?.metrics);
    return this.#metrics;
  }

  get logs(): Ledger {
    this.#logs ??= new Ledger(this.#parent?.logs);
    return this.#logs;
  }

  /** Whether anything of a signal was ever counted. */
  uses(signal: TelemetrySignal): boolean {
    return this.#opened(signal) !== undefined;
  }

  /** The account of a signal as it is; all zeros when nothing was ever counted. */
  snapshot(signal: TelemetrySignal, queued: number, spooled = 0): LedgerSnapshot {
    return (this.#opened(signal) ?? EMPTY).snapshot(queued, spooled);
  }

  /** What all signals together were exported. */
  get exported(): number {
    return this.#all.reduce((sum, { exported }) => sum + exported, 0);
  }

  /** What all signals together lost, by reason. */
  get dropped(): ReadonlyMap<DropReason, number> {
    const sums = new Map<DropReason, number>();
    for (const ledger of this.#all) {
      for (const [reason, count] of ledger.dropped) sums.set(reason, (sums.get(reason) ?? 0) + count);
    }
    return sums;
  }

  get #all(): readonly Ledger[] {
    return TELEMETRY_SIGNALS.map((signal) => this.#opened(signal)).filter((ledger) => ledger !== undefined);
  }

  #opened(signal: TelemetrySignal): Ledger | undefined {
    if (signal === 'traces') return this.traces;
    return signal === 'metrics' ? this.#metrics : this.#logs;
  }
}

const EMPTY = new Ledger();
