import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '../../utils/clock.ts';
import type { Query } from '../query/query.ts';
import type { TailAnswer, TelemetryStore } from '../store/telemetry-store.ts';
import type { TenantScope } from '../store/tenant-scope.ts';
import { SECURITY_HEADERS, toJson } from './answer.ts';

/** Something besides telemetry that pages are told of when it is another than before. */
export interface LiveStatus {
  /** The name of its events. */
  readonly event: string;
  /** Nothing is told while it is not, unless it was. */
  readonly present: boolean;
  /** What may be told within the scope. */
  describe(scope: TenantScope): unknown;
}

export interface LiveFeedOptions {
  readonly store: TelemetryStore;
  readonly statuses: readonly LiveStatus[];
  readonly clock: Clock;
  readonly flushMillis: number;
}

export interface Subscription {
  readonly scope: TenantScope;
  readonly traceQuery: Query;
  readonly logQuery: Query;
  /** To go on from, as it was in `id` of the last event. */
  readonly cursor: string | undefined;
  readonly limit: number;
}

interface Client {
  readonly response: ServerResponse;
  readonly subscription: Subscription;
  /** Of the subscription less its cursor: clients with the same key get the same. */
  readonly key: string;
  cursor: string | undefined;
  /** The tenants that it may see, as text. */
  readonly tenants: string;
  /** What was told last of each status. */
  readonly told: Map<LiveStatus, string>;
}

const MAX_CLIENTS = 200;
/** A client that has so much waiting gets no more until it has read; then what it missed is counted as skipped. */
const MAX_WAITING_BYTES = 262_144;
const HEARTBEAT_MILLIS = 15_000;
/** Other processes write to a shared store: it is asked this often. */
const SHARED_POLL_MILLIS = 1_000;
const RETRY_MILLIS = 1_000;
const STATUS_MILLIS = 1_000;

/**
 * Tells pages over server-sent events what comes in: many arrivals in one event, each with a cursor, so that a page
 * that was away goes on where it was, or learns how much it missed. One timer, and none without pages.
 */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #clients = new Set<Client>();
  #timer: Timer | undefined;
  #changed = false;
  #polledAt = Number.NEGATIVE_INFINITY;
  #heartbeatAt = 0;
  #statusAt = Number.NEGATIVE_INFINITY;
  #flushing: Promise<void> | undefined;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  /** Takes over the response; false when there are too many pages already. */
  subscribe(response: ServerResponse, subscription: Subscription): boolean {
    if (this.#clients.size >= MAX_CLIENTS) return false;
    const { scope, traceQuery, logQuery, limit, cursor } = subscription;
    const tenants = scope === 'all' ? scope : [...scope].sort();
    const key = JSON.stringify([tenants, traceQuery, logQuery, limit]);
    const client: Client = { response, subscription, key, cursor, tenants: JSON.stringify(tenants), told: new Map() };
    response.writeHead(200, { ...SECURITY_HEADERS, 'content-type': 'text/event-stream; charset=utf-8' });
    response.write(`retry: ${RETRY_MILLIS}\n\n`);
    response.once('close', () => this.#clients.delete(client));
    this.#clients.add(client);
    this.#changed = true;
    this.#schedule();
    return true;
  }

  /** Something came in: pages are told at the next flush. */
  notify(): void {
    this.#changed = true;
  }

  /** A status has changed in a way that must not wait. */
  statusChanged(): void {
    this.#statusAt = Number.NEGATIVE_INFINITY;
  }

  /** Tells all pages now. */
  flush(): Promise<void> {
    this.#tellStatuses();
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const { response } of this.#clients) response.end();
    this.#clients.clear();
  }

  #schedule(): void {
    const { clock, flushMillis } = this.#options;
    this.#timer ??= clock.schedule(() => {
      this.#timer = undefined;
      this.#beat();
      if (this.#clients.size === 0) return;
      if (this.#options.clock.monotonic() - this.#statusAt >= STATUS_MILLIS) this.#tellStatuses();
      const work = this.#isDue() ? this.flush() : Promise.resolve();
      void work.then(() => this.#schedule());
    }, flushMillis);
  }

  #isDue(): boolean {
    const { store, clock } = this.#options;
    if (this.#changed) return true;
    return store.shared && clock.monotonic() - this.#polledAt >= SHARED_POLL_MILLIS;
  }

  async #flush(): Promise<void> {
    this.#changed = false;
    this.#polledAt = this.#options.clock.monotonic();
    const answers = new Map<string, Promise<TailAnswer | undefined>>();
    for (const client of this.#clients) {
      if (client.response.writableLength > MAX_WAITING_BYTES) {
        this.#changed = true;
        continue;
      }
      const key = `${client.cursor} ${client.key}`;
      const pending = answers.get(key) ?? this.#ask(client);
      answers.set(key, pending);
      const answer = await pending;
      if (answer === undefined || client.response.destroyed) continue;
      const isNews = answer.arrived.length > 0 || answer.skipped > 0 || client.cursor === undefined;
      client.cursor = answer.cursor;
      if (!isNews) continue;
      const { cursor, ...update } = answer;
      client.response.write(`id: ${cursor}\nevent: update\ndata: ${toJson(update)}\n\n`);
    }
  }

  /** A store that fails is asked again at the next flush. */
  #ask({ subscription, cursor }: Client): Promise<TailAnswer | undefined> {
    return this.#options.store.tail({ ...subscription, cursor }).catch(() => {
      this.#changed = true;
      return undefined;
    });
  }

  #tellStatuses(): void {
    const { clock, statuses } = this.#options;
    this.#statusAt = clock.monotonic();
    for (const status of statuses) this.#tellStatus(status);
  }

  #tellStatus(status: LiveStatus): void {
    const texts = new Map<string, string>();
    for (const { response, subscription, tenants, told } of this.#clients) {
      const isNews = status.present || told.has(status);
      if (!isNews || response.writableLength > MAX_WAITING_BYTES) continue;
      const text = texts.get(tenants) ?? toJson(status.describe(subscription.scope));
      texts.set(tenants, text);
      if (text === told.get(status)) continue;
      told.set(status, text);
      // Without an id: the cursor stays what it is.
      response.write(`event: ${status.event}\ndata: ${text}\n\n`);
    }
  }

  /** Shows proxies and pages that the connection lives. */
  #beat(): void {
    const now = this.#options.clock.monotonic();
    if (now - this.#heartbeatAt < HEARTBEAT_MILLIS) return;
    this.#heartbeatAt = now;
    for (const { response } of this.#clients) if (response.writableLength === 0) response.write(': alive\n\n');
  }
}
