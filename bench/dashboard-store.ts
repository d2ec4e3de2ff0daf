import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import {
  openClickHouseStore,
  parseQuery,
  type Query,
  SegmentRing,
  type TelemetryStore,
  type TenantScope,
} from 'isotrace/dashboard';
import { canServe, type Servers, startServers } from '../test/dashboard/store/clickhouse-servers.ts';
import { median, settledMemory } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { makeTraceRequest, SPANS_PER_REQUEST, SPANS_PER_TRACE, traceIdOf } from './support/trace-requests.ts';

const TENANTS = 20;
/** Requests that go into ClickHouse at a time, as from so many senders. */
const SENDERS = 16;

/** A store that is measured: of ours the processor time, of one in another process the time that passes. */
interface Subject {
  readonly variant: string;
  readonly spans: number;
  readonly clock: 'processor' | 'wall';
  open(): Promise<Opened>;
}

interface Opened {
  readonly store: TelemetryStore;
  /** Opens again what is there; undefined where nothing is kept. */
  readonly reopen?: () => Promise<TelemetryStore>;
  end(): Promise<void>;
}

const SUBJECTS: readonly Subject[] = [
  ring('100,000 spans', 100_000),
  ring('1,000,000 spans', 1_000_000),
  ringOnDisk('1,000,000 spans, on disk', 1_000_000),
  ...(canServe
    ? [clickHouse('100,000 spans, ClickHouse', 100_000), clickHouse('1,000,000 spans, ClickHouse', 1_000_000)]
    : []),
];

/**
 * What do the dashboard's stores cost: to take spans in, as OTLP, and to answer? Milliseconds are medians, of the
 * processor for the ring, and as they pass for ClickHouse, which is served by a process of its own.
 */
export const dashboardStore: Question = {
  name: 'dashboard-store',
  title: 'The stores of the dashboard',
  peers: () => ['isotrace'],
  rounds: 1,
  // A million spans go into a database that shares the processors with the one who sends them.
  maxMillis: 1_200_000,
  shortVariants: ['100,000 spans'],
  rows: SUBJECTS.flatMap(({ variant, clock }) => [
    { variant, figure: 'insert', unit: 'spans/s', better: 'higher' as const },
    { variant, figure: 'bytes of a span as OTLP', unit: 'B' },
    ...(clock === 'processor' ? [{ variant, figure: 'bytes of a span in the ring', unit: 'B' }] : []),
    ...(variant.endsWith('on disk') ? [{ variant, figure: 'opened again', unit: 'ms' }] : []),
    ...['trace by id', 'list of tenants', '50 roots of a tenant', '50 traces of all', 'p95 by service'].map(
      (figure) => {
        return { variant, figure, unit: 'ms' };
      },
    ),
    ...['attribute equal', 'attribute compared', 'text'].map((figure) => ({ variant, figure, unit: 'ms' })),
  ]),
  async measure({ variant, short }: Task): Promise<Figures> {
    const subject = SUBJECTS.find((candidate) => candidate.variant === variant) ?? (SUBJECTS[0] as Subject);
    const { spans, clock } = subject;
    const start = Date.now() - 3_600_000;
    const bodies = Array.from({ length: spans / SPANS_PER_REQUEST }, (_, index) => makeTraceRequest(index, start));
    const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
    const millisOf = async (work: () => Promise<unknown>): Promise<number> => {
      const [before, begin] = [process.cpuUsage(), performance.now()];
      await work();
      const { user, system } = process.cpuUsage(before);
      return clock === 'processor' ? (user + system) / 1_000 : performance.now() - begin;
    };
    let opened = await subject.open();
    const rates: number[] = [];
    const fills = clock === 'wall' ? 1 : short ? 2 : 4;
    for (let repetition = 0; repetition < fills; repetition += 1) {
      if (repetition > 0) {
        await opened.end();
        opened = await subject.open();
      }
      await settledMemory();
      const rate = (spans / (await millisOf(() => fill(opened.store, bodies, clock === 'wall' ? SENDERS : 1)))) * 1_000;
      // The first is for the compiler.
      if (repetition > 0 || fills === 1) rates.push(rate);
    }
    let { store } = opened;
    const stats = await store.stats('all');
    if (stats.stored.traces !== spans) throw new Error(`${stats.stored.traces} of ${spans} spans are there`);
    const { reopen } = opened;
    let again = 0;
    if (reopen !== undefined) {
      await store.close();
      again = await millisOf(async () => {
        store = await reopen();
      });
    }
    const ask = async (work: () => Promise<unknown>): Promise<number> => {
      const millis: number[] = [];
      for (let repetition = 0; repetition < (short ? 5 : 15); repetition += 1) millis.push(await millisOf(work));
      return median(millis);
    };
    const range = { startMillis: 0, endMillis: Number.MAX_SAFE_INTEGER };
    const list = (scope: TenantScope, text: string) => () =>
      store.listTraces({ scope, query: read(text), range, limit: 50, order: 'newest' });
    const id = traceIdOf(Math.floor(spans / SPANS_PER_TRACE / 2));
    const lookups = clock === 'wall' ? 5 : 100;
    const figures = {
      insert: median(rates),
      'bytes of a span as OTLP': bytes / spans,
      'bytes of a span in the ring': stats.bytes / spans,
      'opened again': again,
      'trace by id':
        (await ask(async () => {
          for (let count = 0; count < lookups; count += 1) await store.getTrace('all', id, 1_000);
        })) / lookups,
      'list of tenants': await ask(() => store.tenants('all')),
      '50 roots of a tenant': await ask(list(new Set(['tenant-3']), 'root:true')),
      '50 traces of all': await ask(list('all', '')),
      'p95 by service': await ask(() =>
        store.red({
          ...{ scope: 'all', query: read(''), range, limit: 100 },
          ...{ groupBy: 'service', spans: 'all', stepMillis: 60_000 },
        }),
      ),
      'attribute equal': await ask(list('all', 'attr.user.id=user-77')),
      'attribute compared': await ask(list('all', 'attr.items>1000')),
      text: await ask(list('all', '"user-77"')),
    };
    await store.close();
    await opened.end();
    return figures;
  },
};

function ring(variant: string, spans: number): Subject {
  const open = (): Promise<Opened> => {
    const store = new SegmentRing({ maxBytes: 2 ** 31 });
    return Promise.resolve({ store, end: () => store.close() });
  };
  return { variant, spans, clock: 'processor', open };
}

function ringOnDisk(variant: string, spans: number): Subject {
  const open = (): Promise<Opened> => {
    const directory = mkdtempSync(path.join(tmpdir(), 'isotrace-bench-'));
    const openRing = (): SegmentRing => new SegmentRing({ maxBytes: 2 ** 31, directory });
    const store = openRing();
    const end = async (): Promise<void> => {
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    };
    return Promise.resolve({ store, reopen: () => Promise.resolve(openRing()), end });
  };
  return { variant, spans, clock: 'processor', open };
}

/** ClickHouse over HTTP, with its own gathering of small inserts. */
function clickHouse(variant: string, spans: number): Subject {
  const open = async (): Promise<Opened> => {
    const servers: Servers = await startServers(1);
    const client = servers.client(0, { max_open_connections: SENDERS, request_timeout: 120_000 });
    const store = await openClickHouseStore({ client: client as never, createTables: true });
    return { store, end: () => servers.close() };
  };
  return { variant, spans, clock: 'wall', open };
}

async function fill(store: TelemetryStore, bodies: readonly Uint8Array[], senders: number): Promise<void> {
  let next = 0;
  const send = async (): Promise<void> => {
    for (let index = next; index < bodies.length; index = next) {
      next += 1;
      const bytes = bodies[index] as Uint8Array;
      const tenant = `tenant-${index % TENANTS}`;
      const { outcome } = await store.append({ signal: 'traces', format: 'protobuf', bytes, tenantOf: () => tenant });
      if (outcome !== 'stored') throw new Error(`the store answered ${outcome}`);
    }
  };
  await Promise.all(Array.from({ length: senders }, send));
}

function read(text: string): Query {
  const result = parseQuery(text, 'traces');
  if (!result.ok) throw new Error(result.message);
  return result.query;
}
