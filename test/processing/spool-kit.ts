import { type Dirent, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { createSpoolFiles, type SpoolFiles } from '../../src/infra/spool-files.ts';
import { type Ledger, type LedgerSnapshot, Ledgers } from '../../src/processing/ledger.ts';
import { createPipeline, type Pipeline } from '../../src/processing/pipeline.ts';
import type { RecordDestination } from '../../src/processing/record-lanes.ts';
import { SpanOutlet } from '../../src/processing/span-outlet.ts';
import type { Spool } from '../../src/processing/spool.ts';
import { WireParts } from '../../src/processing/wire-parts.ts';
import { Guard } from '../../src/utils/guard.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { allSpans, decodeTraceRequest } from '../support/otlp-decoder.ts';
import { endedSpan } from './ended-spans.ts';
import { FakeGrpcTransport, FakeTransport, PLAIN_WIRE, response } from './fake-transport.ts';

/** A directory for a spool, which need not exist yet, removed with the test. */
export function spoolDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'isotrace-spool-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return path.join(directory, 'spool');
}

/** The files of segments below a directory. */
export function segmentsIn(directory: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch {
    // Not there yet, or not any more.
    return [];
  }
  const files = entries.flatMap((entry) => {
    const target = path.join(directory, entry.name);
    if (entry.isDirectory()) return segmentsIn(target);
    return entry.name.endsWith('.seg') ? [target] : [];
  });
  return files.sort();
}

/** The real disk, which can be made to fail, and which a process that is dead does not reach any more. */
export class TestDisk {
  /** What writing says from now on. */
  failure: string | undefined;
  dead = false;
  pending = 0;
  open = 0;
  mostOpen = 0;
  /** What was asked of the disk, in order. */
  readonly calls: string[] = [];
  readonly files: SpoolFiles;

  constructor() {
    const real = createSpoolFiles();
    const now = <A extends unknown[], R>(name: string, isWrite: boolean, fn: (...args: A) => R) => {
      return (...args: A): R => {
        this.#check(name, isWrite);
        return fn(...args);
      };
    };
    const later = <A extends unknown[], R>(name: string, isWrite: boolean, fn: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => {
        this.#check(name, isWrite);
        this.pending += 1;
        if (isWrite) this.mostOpen = Math.max(this.mostOpen, ++this.open);
        try {
          return await fn(...args);
        } finally {
          this.pending -= 1;
          if (isWrite) this.open -= 1;
        }
      };
    };
    this.files = {
      makeDirectory: now('makeDirectory', true, real.makeDirectory),
      createFile: now('createFile', true, real.createFile),
      renameSync: now('renameSync', true, real.renameSync),
      removeSync: now('removeSync', false, real.removeSync),
      removeDirectory: now('removeDirectory', false, real.removeDirectory),
      writeSync: now('writeSync', true, real.writeSync),
      write: later('write', true, real.write),
      sync: later('sync', false, real.sync),
      read: later('read', false, real.read),
      list: later('list', false, real.list),
      rename: later('rename', false, real.rename),
      remove: later('remove', false, real.remove),
      touch: later('touch', false, real.touch),
      inspect: later('inspect', false, real.inspect),
    };
  }

  #check(name: string, isWrite: boolean): void {
    this.calls.push(name);
    if (this.dead) throw Object.assign(new Error('this process is dead'), { code: 'EDEAD' });
    if (isWrite && this.failure !== undefined) {
      throw Object.assign(new Error(`${this.failure}: injected`), { code: this.failure });
    }
  }
}

export interface KitOptions {
  readonly directory: string;
  /** Of the tenants; the spans of each go to a destination with its name in the path. */
  readonly tenants?: readonly string[];
  readonly fsync?: 'interval' | 'always';
  readonly maxBytes?: number;
  readonly maxQueueSize?: number;
  readonly maxSize?: number;
  readonly maxTotalBytes?: number;
  readonly protocol?: RecordDestination['protocol'];
  readonly urls?: readonly string[];
  readonly version?: string;
  /** When it starts, on the clock that all share. */
  readonly startMillis?: number;
  /** Tenants that exist but have no outlet until they are woken. */
  readonly asleep?: boolean;
}

export interface Request {
  readonly url: string;
  readonly names: readonly string[];
  readonly resource: Record<string, unknown>;
  readonly contentType: string;
}

/** `'narrow'`: one span in a request is all that the receiver takes; `'closed'`: it refuses everything for good. */
export type Weather = 'up' | 'down' | 'mute' | 'narrow' | 'closed';

const EPOCH = Date.UTC(2025, 0, 1);

/** One process with a spool, as far as the spool can tell: everything real but time and the network. */
export class SpoolKit {
  readonly clock: FakeClock;
  readonly disk = new TestDisk();
  readonly transport = new FakeTransport();
  readonly pipeline: Pipeline;
  readonly guard: Guard;
  /** The process's accounts. */
  readonly books = new Ledgers();
  readonly ledger: Ledger = this.books.traces;
  readonly outlets = new Map<string, SpanOutlet>();
  readonly ledgers = new Map<string, Ledger>();
  readonly woken: string[] = [];
  /** What the receiver has accepted, whether it answered or not. */
  readonly accepted: Request[] = [];
  readonly spool: Spool;
  weather: Weather = 'up';
  /** Ends the requests that a mute receiver has accepted. */
  readonly muted = new Set<() => void>();
  readonly #options: KitOptions;
  readonly #detach = new Map<string, () => void>();

  constructor(options: KitOptions) {
    const { asleep = false, directory, maxTotalBytes = 10_000_000, startMillis = 0, tenants = ['a'] } = options;
    this.#options = options;
    this.clock = new FakeClock({ startEpochMillis: EPOCH + startMillis });
    this.guard = new Guard({ clock: this.clock, level: 'balanced' });
    const { files } = this.disk;
    const wake = (name: string): void => {
      this.woken.push(name);
      if (tenants.includes(name)) this.outletOf(name);
    };
    this.pipeline = createPipeline({
      clock: this.clock,
      transport: this.transport,
      grpc: new FakeGrpcTransport(),
      maxTotalBytes,
      spool: { files, guard: this.guard, ledger: this.ledger, wake },
    });
    this.spool = this.pipeline.spools.open(directory);
    this.transport.answer = ({ body, headers, signal, url }) => {
      const { resourceSpans } = decodeTraceRequest(body);
      const names = allSpans({ resourceSpans }).map(({ name }) => name);
      const resource = resourceSpans[0]?.resource.attributes ?? {};
      const contentType = String(headers['content-type']);
      if (this.weather === 'down') return response(503);
      if (this.weather === 'closed') return response(400);
      if (this.weather === 'narrow' && names.length > 1) return response(413);
      this.accepted.push({ url: url.href, names, resource, contentType });
      if (this.weather !== 'mute') return response(200);
      return new Promise((resolve) => {
        const end = (): void => {
          this.muted.delete(end);
          resolve(response(503));
        };
        this.muted.add(end);
        signal?.addEventListener('abort', end);
      });
    };
    if (!asleep) for (const tenant of tenants) this.outletOf(tenant);
    onTestFinished(() => this.kill());
  }

  /** The way out of a tenant, made on first use as a registry does. */
  outletOf(tenant: string): SpanOutlet {
    return this.outlets.get(tenant) ?? this.#open(tenant);
  }

  /** The tenant gets another way out, and what the old one has goes over to it. */
  reconfigure(tenant: string): void {
    const old = this.outletOf(tenant);
    this.#open(tenant);
    void old.close('evicted');
  }

  #open(tenant: string): SpanOutlet {
    const { fsync = 'interval', maxBytes = 10_000_000, maxQueueSize = 100, maxSize = 10 } = this.#options;
    const { protocol = 'http/protobuf', urls = [`https://receiver.test/${tenant}`], version = '1' } = this.#options;
    const ledger = this.ledgers.get(tenant) ?? new Ledgers(this.books).traces;
    const outlet = new SpanOutlet(
      this.pipeline,
      { tenantId: tenant, isPlatform: false, guard: this.guard, ledger, progressed: () => {} },
      {
        destinations: urls.map((url) => ({
          ...PLAIN_WIRE,
          protocol,
          url: new URL(url),
          timeoutMillis: 600_000,
          headers: () => ({ authorization: 'Bearer canary-credential' }),
          redaction: undefined,
        })),
        exporter: undefined,
        redact: undefined,
        limits: { maxQueueSize, maxQueueBytes: 1_000_000, spansPerSecond: Number.POSITIVE_INFINITY },
        retry: { initialMillis: 1_000, maxMillis: 30_000, giveUpMillis: 300_000 },
        batch: { delayMillis: 1_000, maxSize, maxBytes: 100_000 },
        parts: new WireParts(() => ({ 'service.name': tenant, 'service.version': version }), this.guard),
        spool: { home: this.spool, name: tenant, maxBytes, fsync },
      },
    );
    this.outlets.set(tenant, outlet);
    this.ledgers.set(tenant, ledger);
    this.#detach.set(tenant, this.spool.attach(tenant, outlet));
    return outlet;
  }

  /** The tenant claims nothing any more. */
  release(tenant: string): void {
    this.#detach.get(tenant)?.();
  }

  end(tenant: string, ...names: string[]): void {
    for (const name of names) this.outletOf(tenant).push(endedSpan(name));
  }

  /** The account of a tenant. */
  account(tenant = 'a'): LedgerSnapshot {
    const ledger = this.ledgers.get(tenant) ?? new Ledgers().traces;
    const { queued = 0, spooled = 0 } = this.outlets.get(tenant) ?? {};
    return ledger.snapshot(queued, spooled + this.spool.spooled('traces', ledger));
  }

  /** What does not add up; empty when all is well. */
  get imbalance(): string[] {
    return [...this.outlets.keys()].flatMap((tenant) => {
      const { created, exported, queued, spooled, dropped } = this.account(tenant);
      const sum = Object.values(dropped).reduce((total, count) => total + count, exported + queued + spooled);
      return created === sum && queued >= 0 && spooled >= 0
        ? []
        : [`${tenant}: ${JSON.stringify(this.account(tenant))}`];
    });
  }

  get names(): string[] {
    return this.accepted.flatMap(({ names }) => names);
  }

  /** Lets time pass, and the disk work that is due then. */
  async advance(millis: number): Promise<void> {
    for (let left = millis; left > 0; left -= 500) {
      await this.clock.advanceAsync(Math.min(left, 500));
      await this.calm();
    }
  }

  /** Until the disk has nothing to do. */
  async calm(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet += 1) {
      await settle();
      if (this.disk.pending > 0) quiet = -1;
    }
  }

  /** Lets time pass until nothing waits. */
  async drain(): Promise<void> {
    for (let round = 0; round < 400; round += 1) {
      const left = [...this.outlets.values()].some(({ queued, spooled }) => queued + spooled > 0);
      if (!left && this.spool.spooled('traces') === 0 && round > 1) return;
      await this.advance(1_000);
    }
    throw new Error(`does not drain: ${[...this.outlets.keys()].map((id) => JSON.stringify(this.account(id)))}`);
  }

  /** The end without a warning: nothing of it reaches the disk any more, and its directory has no living owner. */
  kill(): void {
    this.disk.dead = true;
    void this.pipeline.close();
  }

  /** The orderly end with a receiver that is not there. */
  async shutdown(): Promise<void> {
    for (const outlet of this.outlets.values()) void outlet.close('shutdown_deadline');
    await this.pipeline.spools.sync();
    await this.pipeline.close();
  }
}
