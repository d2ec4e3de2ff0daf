import diagnosticsChannel from 'node:diagnostics_channel';
import { type DiagnosticEvents, type Tracer, type TracerOptions, TracerRegistry } from 'isotrace';
import { seededRandom } from '../test/support/receiver-faults.ts';
import {
  type Created,
  type FromHost,
  payloadHash,
  receiverOf,
  type SoakOrders,
  type ToHost,
  tenantName,
} from './messages.ts';
import { MAX_BATCH } from './oracle.ts';

const TICK_MILLIS = 20;
const REPORT_MILLIS = 200;
const HEAP_MILLIS = 2_000;
const ROTATION_MILLIS = 500;
const SETTLE_MILLIS = 150_000;
const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** The process under test: tenants at work, who come, go, change and rotate their keys. Knows no faults. */
class Host {
  readonly #orders: SoakOrders;
  readonly #random: () => number;
  readonly #registry: TracerRegistry;
  readonly #timers: NodeJS.Timeout[] = [];
  /** Of every tenth tenant somebody keeps the tracer, and with it the tenant's latest errors: 20, which take long to come. */
  readonly #kept = new Map<string, Tracer>();
  readonly #versions = new Map<string, number>();
  readonly #startedAt = performance.now();
  #created: Created[] = [];
  #rotations = 0;
  #reconfigured = 0;
  #serial = 0;
  #fresh = false;

  constructor(orders: SoakOrders) {
    this.#orders = orders;
    this.#random = seededRandom(orders.seed + 1);
    this.#registry = new TracerRegistry({
      platform: false,
      logger: QUIET,
      maxTenants: Math.max(Math.ceil(orders.tenants * 0.6), 2),
      idleTimeoutMillis: 20_000,
      drainTimeoutMillis: 30_000,
      batch: { delayMillis: 200, maxSize: MAX_BATCH },
      configure: (tenantId) => {
        const options = this.#optionsOf(tenantId);
        if (Number(tenantId.slice(-1)) % 2 === 0) return options;
        return new Promise((resolve) => {
          setTimeout(() => resolve(options), 10);
        });
      },
    });
    diagnosticsChannel.subscribe('isotrace:dropped', (message) => {
      send({ type: 'dropped', ...(message as DiagnosticEvents['isotrace:dropped']) });
    });
    diagnosticsChannel.subscribe('isotrace:export:failed', (message) => {
      const { tenantId, reason } = message as DiagnosticEvents['isotrace:export:failed'];
      if (!/^(HTTP \d|gRPC (?!UNAVAILABLE|CANCELLED|DEADLINE))/.test(reason)) send({ type: 'doubt', tenantId });
    });
  }

  start(): void {
    this.#every(TICK_MILLIS, () => this.#tick());
    this.#every(ROTATION_MILLIS, () => {
      this.#rotations += 1;
    });
    this.#every(REPORT_MILLIS, () => this.#report());
    this.#every(HEAP_MILLIS, () => this.#sample());
  }

  /** Delivers everything, then a span of each tenant, and closes. */
  async settle(escaped: readonly string[]): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#deliver();
    this.#fresh = true;
    for (let number = 0; number < this.#orders.tenants; number += 1) {
      const tenantId = tenantName(number);
      // Not all at once: most of them have to come back first, and somebody has to go for that.
      if (number % 10 === 0) await this.#registry.flush({ timeoutMillis: 5_000 });
      this.#registry.run(tenantId, () => this.#span(tenantId));
    }
    await this.#deliver();
    this.#report();
    const { evicted, revived, sockets } = this.#registry.stats();
    await this.#registry.shutdown({ timeoutMillis: 10_000 });
    const { created, exported, queued, dropped } = this.#registry.stats().traces;
    const life = { evicted, revived, sockets, reconfigured: this.#reconfigured, rotations: this.#rotations };
    send({ type: 'over', account: { created, exported, queued, dropped }, life, escaped });
  }

  async #deliver(): Promise<void> {
    const givesUpAt = performance.now() + SETTLE_MILLIS;
    while (performance.now() < givesUpAt) {
      await this.#registry.flush({ timeoutMillis: 5_000 });
      const { traces, draining, waiting } = this.#registry.stats();
      if (traces.queued === 0 && draining === 0 && waiting === 0) return;
      await pause(200);
    }
  }

  #optionsOf(tenantId: string): TracerOptions {
    const { endpoints } = this.#orders;
    const endpoint = endpoints[receiverOf(tenantId, endpoints.length)];
    if (endpoint === undefined) return {};
    return {
      attributes: { 'config.version': this.#versions.get(tenantId) ?? 0 },
      destination: {
        endpoint: endpoint.url,
        protocol: endpoint.protocol,
        timeoutMillis: 2_000,
        tenantHeader: 'x-tenant',
        headers: async () => ({ authorization: `Bearer ${tenantId}:${this.#rotations}` }),
      },
    };
  }

  #tick(): void {
    const isBurst = this.#random() < 0.02;
    const works = isBurst ? 60 : Math.floor(this.#random() * 6);
    const busy = this.#tenant();
    for (let work = 0; work < works; work += 1) void this.#work(isBurst ? busy : this.#tenant());
    if (this.#random() < 0.05) this.#reconfigure(this.#tenant());
    if (this.#random() < 0.02) this.#registry.delete(this.#tenant());
  }

  /** Requests as they are: steps with pauses, other tenants in between, an error now and then. */
  async #work(tenantId: string): Promise<void> {
    const tracer = this.#tracer(tenantId);
    try {
      await tracer.run(async () => {
        this.#span(tenantId);
        if (this.#random() < 0.3) return;
        await pause(this.#random() * 40);
        this.#span(tenantId);
        if (this.#random() < 0.3) {
          const inner = this.#tenant();
          this.#registry.run(inner, () => this.#span(inner));
          this.#span(tenantId);
        }
        if (this.#random() < 0.1) throw new Error('of the host');
      });
    } catch (error) {
      if ((error as Error).message !== 'of the host') throw error;
    }
  }

  /** In the tenant that is running, which must be this one. */
  #span(tenantId: string): void {
    this.#serial += 1;
    const attributes = {
      serial: this.#serial,
      text: `ünï ${this.#random()}`,
      flag: this.#serial % 2 === 0,
      list: ['a', `${this.#serial}`],
      ratio: this.#random(),
    };
    const name = `work ${this.#serial % 7}`;
    const span = this.#registry.current()?.startSpan(name, { attributes: { owner: tenantId, ...attributes } });
    if (span === undefined || !span.isRecording()) return;
    const { spanId } = span.spanContext();
    this.#created.push({ tenantId, spanId, hash: payloadHash(name, attributes), fresh: this.#fresh });
    span.end();
  }

  #tracer(tenantId: string): Tracer {
    const tracer = this.#registry.get(tenantId);
    if (tenantId.endsWith('0')) this.#kept.set(tenantId, tracer);
    return this.#kept.get(tenantId) ?? tracer;
  }

  #reconfigure(tenantId: string): void {
    this.#versions.set(tenantId, (this.#versions.get(tenantId) ?? 0) + 1);
    void this.#registry.reconfigure(tenantId).then((outcome) => {
      if (outcome === 'changed') this.#reconfigured += 1;
    });
  }

  #tenant(): string {
    return tenantName(Math.floor(this.#random() * this.#orders.tenants));
  }

  #report(): void {
    send({ type: 'created', spans: this.#created });
    this.#created = [];
  }

  #sample(): void {
    globalThis.gc?.();
    const { heapUsed } = process.memoryUsage();
    send({ type: 'heap', seconds: (performance.now() - this.#startedAt) / 1_000, bytes: heapUsed });
  }

  #every(millis: number, callback: () => void): void {
    this.#timers.push(setInterval(callback, millis));
  }
}

const escaped: string[] = [];
let host: Host | undefined;

process.on('unhandledRejection', (error) => escaped.push(`unhandled rejection: ${String(error)}`));
process.on('uncaughtException', (error) => escaped.push(`uncaught exception: ${String(error)}`));
process.on('message', (message: ToHost) => {
  if (message.type === 'start') {
    host = new Host(message.orders);
    host.start();
    send({ type: 'started' });
  } else void host?.settle(escaped);
});

function send(message: FromHost): void {
  process.send?.(message);
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, millis);
  });
}
