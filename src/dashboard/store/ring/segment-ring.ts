import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../../../utils/clock.ts';
import { MalformedOtlpError } from '../../otlp/malformed.ts';
import { jsonToProtobuf } from '../../otlp/otlp-json.ts';
import { RowBatch } from '../../otlp/row-batch.ts';
import { scanRequest } from '../../otlp/scan-request.ts';
import { SIGNALS, type Signal } from '../../otlp/signal.ts';
import { decodeUtf8 } from '../../otlp/utf8.ts';
import type { ServiceSummary, StoreStats, TenantSummary } from '../store-figures.ts';
import type {
  AppendRequest,
  AppendResult,
  ErrorPage,
  FacetAnswer,
  FacetQuestion,
  LogCountAnswer,
  LogCountQuestion,
  LogPage,
  MetricAnswer,
  MetricQuestion,
  MetricSummary,
  PointPage,
  RedAnswer,
  RedQuestion,
  Search,
  TailAnswer,
  TailQuestion,
  TelemetryStore,
  TimeRange,
  TracePage,
  TraceSearch,
  TraceSpans,
} from '../telemetry-store.ts';
import { isInScope, type TenantScope } from '../tenant-scope.ts';
import { ArrivalLog } from './arrival-log.ts';
import { ringErrors } from './ring-errors.ts';
import { ringFacets, ringServices } from './ring-facets.ts';
import { countRingLogs, getRingLogs } from './ring-logs.ts';
import { getRingPoints, listRingMetrics, queryRingMetric } from './ring-metrics.ts';
import { ringRed } from './ring-red.ts';
import { ringTail } from './ring-tail.ts';
import { getRingTrace, listRingTraces } from './ring-traces.ts';
import { runSearch, type SearchSteps } from './search.ts';
import type { Segment } from './segment.ts';
import { type RecoveredSegment, SegmentFiles } from './segment-files.ts';
import { TenantShelf } from './tenant-shelf.ts';

/** Bounds of the store in memory, and where it keeps a copy. */
export interface SegmentRingOptions {
  /** Memory for telemetry and its index, in bytes, of all tenants together. Default 256 MiB, at least 1 MiB. */
  readonly maxBytes?: number;
  /** Telemetry of more tenants is refused. Default 10,000. */
  readonly maxTenants?: number;
  /** Keeps the same telemetry in this directory too, and reads it again at the start. One process at a time. */
  readonly directory?: string;
  /** The resource attribute that names a tenant. Default `tenant.id`. */
  readonly tenantAttribute?: string;
  /** Time, for tests. Default: the system's. */
  readonly clock?: Clock;
}

const DEFAULT_MAX_BYTES = 256 * 1_048_576;
const MIN_MAX_BYTES = 1_048_576;
const DEFAULT_MAX_TENANTS = 10_000;
const MAX_SEGMENT_BYTES = 4 * 1_048_576;
const MIN_SEGMENT_BYTES = 16_384;
/** A tenant's share is made up of so many segments at least, so that making room takes little at a time. */
const SEGMENTS_OF_SHARE = 8;
const SEGMENTS_OF_STORE = 64;

/**
 * Keeps the OTLP bytes of each tenant in segments, within a budget of bytes. When it is exceeded, the tenant that takes
 * the most loses its oldest segment: a noisy one cannot evict the rest.
 */
export class SegmentRing implements TelemetryStore {
  readonly shared = false;
  readonly #maxBytes: number;
  readonly #maxTenants: number;
  readonly #tenantAttribute: string;
  readonly #clock: Clock;
  readonly #files: SegmentFiles | undefined;
  readonly #shelves = new Map<string, TenantShelf>();
  readonly #batch = new RowBatch();
  readonly #arrivals = new ArrivalLog();
  /** Tells cursors of this store from those of another, or of an earlier run. */
  readonly #run = randomBytes(6).toString('hex');
  #bytes = 0;
  #nextSegment = 1;
  #full = false;
  #closed = false;

  /** Reads the `directory` again, if there is one. Throws what the disk says when it cannot be used. */
  constructor(options: SegmentRingOptions = {}) {
    this.#maxBytes = Math.max(options.maxBytes ?? DEFAULT_MAX_BYTES, MIN_MAX_BYTES);
    this.#maxTenants = options.maxTenants ?? DEFAULT_MAX_TENANTS;
    this.#tenantAttribute = options.tenantAttribute ?? 'tenant.id';
    this.#clock = options.clock ?? systemClock;
    if (options.directory === undefined) return;
    this.#files = new SegmentFiles(options.directory);
    for (const recovered of this.#files.recover()) this.#restore(recovered);
  }

  append({ signal, format, bytes, tenantOf }: AppendRequest): Promise<AppendResult> {
    if (this.#closed) return Promise.resolve({ outcome: 'overloaded', message: 'the store is closed' });
    try {
      const request = format === 'json' ? jsonToProtobuf(decodeUtf8(bytes), signal) : bytes;
      return Promise.resolve(this.#take(signal, request, this.#clock.now(), tenantOf));
    } catch (error) {
      if (error instanceof MalformedOtlpError) return Promise.resolve({ outcome: 'malformed', message: error.message });
      return Promise.reject(error as Error);
    }
  }

  listTraces(search: TraceSearch): Promise<TracePage> {
    const ofTenant = (tenant: string) => this.#shelves.get(tenant)?.segmentsOf('traces') ?? [];
    return this.#search(listRingTraces(this.#segments(search.scope, 'traces'), ofTenant, search));
  }

  getTrace(scope: TenantScope, traceId: string, limit: number): Promise<TraceSpans> {
    return answer(() => getRingTrace(this.#segments(scope, 'traces'), traceId, limit));
  }

  getLogs(search: Search): Promise<LogPage> {
    return this.#search(getRingLogs(this.#segments(search.scope, 'logs'), search));
  }

  countLogs(question: LogCountQuestion): Promise<LogCountAnswer> {
    return this.#search(countRingLogs(this.#segments(question.scope, 'logs'), question));
  }

  getPoints(search: Search): Promise<PointPage> {
    return this.#search(getRingPoints(this.#segments(search.scope, 'metrics'), search));
  }

  listMetrics(search: Search): Promise<readonly MetricSummary[]> {
    return this.#search(listRingMetrics(this.#segments(search.scope, 'metrics'), search));
  }

  queryMetric(question: MetricQuestion): Promise<MetricAnswer> {
    return this.#search(queryRingMetric(this.#segments(question.scope, 'metrics'), question));
  }

  red(question: RedQuestion): Promise<RedAnswer> {
    return this.#search(ringRed(this.#segments(question.scope, 'traces'), question));
  }

  errors(search: Search): Promise<ErrorPage> {
    return this.#search(ringErrors(this.#segments(search.scope, 'traces'), search));
  }

  services(scope: TenantScope, range: TimeRange): Promise<readonly ServiceSummary[]> {
    const segments = SIGNALS.flatMap((signal) => this.#segments(scope, signal));
    return this.#search(ringServices(segments, range));
  }

  tenants(scope: TenantScope): Promise<readonly TenantSummary[]> {
    return answer(() => this.#shelvesIn(scope).map((shelf) => shelf.summary()));
  }

  facets(question: FacetQuestion): Promise<FacetAnswer> {
    return this.#search(ringFacets(this.#segments(question.scope, question.signal), question));
  }

  tail(question: TailQuestion): Promise<TailAnswer> {
    return answer(() => {
      const cursor = `${this.#run}-${this.#arrivals.sequence}`;
      const [, run, number = ''] = /^([\da-f]+)-(\d{1,15})$/.exec(question.cursor ?? '') ?? [];
      // Of an earlier run: everything that is known now came after it.
      const foreign = question.cursor !== undefined && run !== this.#run;
      const sequence = foreign ? 0 : Math.min(Number(number || this.#arrivals.sequence), this.#arrivals.sequence);
      const ofTenant = (tenant: string) => this.#shelves.get(tenant)?.segmentsOf('traces') ?? [];
      return { cursor, ...ringTail(this.#arrivals, sequence, ofTenant, question) };
    });
  }

  stats(scope: TenantScope): Promise<StoreStats> {
    return answer(() => {
      const summaries = this.#shelvesIn(scope).map((shelf) => shelf.summary());
      const segments = SIGNALS.flatMap((signal) => this.#segments(scope, signal)).filter(({ count }) => count > 0);
      const total = (part: 'stored' | 'evicted', signal: Signal): number =>
        summaries.reduce((sum, summary) => sum + summary[part][signal], 0);
      const countsOf = (part: 'stored' | 'evicted') => ({
        traces: total(part, 'traces'),
        metrics: total(part, 'metrics'),
        logs: total(part, 'logs'),
      });
      return {
        store: this.#files === undefined ? 'memory' : 'disk',
        bytes: summaries.reduce((sum, { bytes }) => sum + bytes, 0),
        maxBytes: this.#maxBytes,
        full: this.#full,
        stored: countsOf('stored'),
        evicted: countsOf('evicted'),
        rejected: summaries.reduce((sum, { rejected }) => sum + rejected, 0),
        oldestMillis: segments.length === 0 ? undefined : Math.min(...segments.map(({ minTime }) => minTime)),
        newestMillis: segments.length === 0 ? undefined : Math.max(...segments.map(({ maxTime }) => maxTime)),
        notices: this.#files?.notices ?? [],
      };
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#files?.close();
    this.#shelves.clear();
    return Promise.resolve();
  }

  #search<T>(search: SearchSteps<T>): Promise<T> {
    return runSearch(search, this.#clock);
  }

  /** The only way to what is stored: it applies the scope. */
  #shelvesIn(scope: TenantScope): TenantShelf[] {
    return [...this.#shelves.values()].filter(({ tenant }) => isInScope(scope, tenant));
  }

  #segments(scope: TenantScope, signal: Signal): Segment[] {
    return this.#shelvesIn(scope).flatMap((shelf) => shelf.segmentsOf(signal));
  }

  #take(signal: Signal, bytes: Uint8Array, receivedAt: number, tenantOf: AppendRequest['tenantOf']): AppendResult {
    const batch = this.#batch;
    this.#scan(signal, bytes, receivedAt);
    let { rejected, rejectedBecause } = batch;
    let accepted = 0;
    for (const rows of batch.resources) {
      const count = rows.toRow - rows.fromRow;
      const tenant = tenantOf(rows.tenant);
      const shelf = tenant === undefined ? undefined : this.#shelfOf(tenant);
      if (shelf === undefined) {
        rejected += count;
        rejectedBecause = tenant === undefined ? 'the tenant is not allowed' : 'there are too many tenants';
        continue;
      }
      shelf.lastMillis = Math.max(shelf.lastMillis, receivedAt);
      if (batch.resources.length === 1) shelf.rejected += batch.rejected;
      if (count === 0) continue;
      const segment = shelf.openSegment(signal, this.#sealBytes(), () => this.#nextSegment++);
      const [before, fromRow] = [segment.bytes, segment.count];
      segment.append(bytes, batch, rows);
      shelf.bytes += segment.bytes - before;
      this.#arrivals.add(segment, fromRow, segment.count);
      this.#files?.append(segment, bytes.subarray(rows.range.start, rows.range.stop), receivedAt);
      accepted += count;
    }
    this.#makeRoom();
    return { outcome: 'stored', accepted, rejected, message: rejected > 0 ? rejectedBecause : '' };
  }

  #scan(signal: Signal, bytes: Uint8Array, receivedAt: number): void {
    scanRequest(bytes, this.#batch, { signal, tenantAttribute: this.#tenantAttribute, receivedAt });
  }

  #restore({ id, tenant, signal, resources }: RecoveredSegment): void {
    this.#nextSegment = Math.max(this.#nextSegment, id + 1);
    const shelf = this.#shelfOf(tenant);
    if (shelf === undefined) return;
    const segment = shelf.addSegment(signal, id);
    const before = segment.bytes;
    for (const { request, receivedAt } of resources) {
      this.#scan(signal, request, receivedAt);
      for (const rows of this.#batch.resources) segment.append(request, this.#batch, rows);
      shelf.lastMillis = Math.max(shelf.lastMillis, receivedAt);
    }
    segment.trim();
    shelf.bytes += segment.bytes - before;
    this.#makeRoom();
  }

  #shelfOf(tenant: string): TenantShelf | undefined {
    const known = this.#shelves.get(tenant);
    if (known !== undefined) return known;
    if (this.#shelves.size >= this.#maxTenants) return undefined;
    const shelf = new TenantShelf(tenant);
    this.#shelves.set(tenant, shelf);
    return shelf;
  }

  #sealBytes(): number {
    const share = this.#maxBytes / Math.max(this.#shelves.size, 1) / SEGMENTS_OF_SHARE;
    return Math.max(Math.min(share, this.#maxBytes / SEGMENTS_OF_STORE, MAX_SEGMENT_BYTES), MIN_SEGMENT_BYTES);
  }

  #makeRoom(): void {
    this.#bytes = 0;
    for (const { bytes } of this.#shelves.values()) this.#bytes += bytes;
    while (this.#bytes > this.#maxBytes) {
      let largest: TenantShelf | undefined;
      for (const shelf of this.#shelves.values()) if (shelf.bytes > (largest?.bytes ?? 0)) largest = shelf;
      const before = largest?.bytes ?? 0;
      const segment = largest?.evictOldest();
      if (segment === undefined) return;
      this.#bytes -= before - (largest?.bytes ?? 0);
      this.#full = true;
      this.#files?.remove(segment);
    }
  }
}

function answer<T>(ask: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(ask());
  });
}
