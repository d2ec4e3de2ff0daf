import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toStoreError } from '../../../src/dashboard/store/clickhouse/client-error.ts';
import { TABLES } from '../../../src/dashboard/store/clickhouse/tables.ts';
import type { TelemetryStore } from '../../../src/dashboard/store/telemetry-store.ts';
import { describeClickHouseTables, openClickHouseStore } from '../../../src/dashboard.ts';
import { ALWAYS, append, protobuf, query, spanId, traceId, tracesJson } from '../otlp-requests.ts';
import { getJson, openDashboard, send } from '../server/dashboard-kit.ts';
import { canServe, type Servers, startServers } from './clickhouse-servers.ts';
import { describeStore } from './store-conformance.ts';

const START_MILLIS = 120_000;
/** What is inserted through a `Distributed` table is on its shard when the insert is answered. */
const AT_ONCE = { clickhouse_settings: { distributed_foreground_insert: 1 } };

async function clear(servers: Servers, suffix = ''): Promise<void> {
  for (const index of servers.urls.keys()) {
    const client = servers.client(index);
    for (const table of TABLES) await client.command({ query: `TRUNCATE TABLE IF EXISTS ${table}${suffix}` });
    await client.close();
  }
}

async function explain(servers: Servers, where: string, table = 'otel_traces'): Promise<string> {
  const client = servers.client();
  const answer = await client.query({
    ...{ query: `EXPLAIN indexes = 1 SELECT SpanName FROM ${table} WHERE ${where}`, format: 'JSONEachRow' },
    query_params: { all: 0, tenants: ['a'], id: traceId(1) },
  });
  const plan = JSON.stringify(await answer.json());
  await client.close();
  return plan;
}

const BY_TENANT = '({all:UInt8} = 1 OR TenantId IN {tenants:Array(String)})';

describe.runIf(canServe)('ClickHouse over HTTP', () => {
  let servers: Servers;

  beforeAll(async () => {
    servers = await startServers(1);
  }, START_MILLIS);

  afterAll(() => servers.close());

  describeStore('ClickHouse over HTTP', async () => {
    await clear(servers);
    return await openClickHouseStore({ client: servers.client(), createTables: true, asyncInsert: false });
  });

  it('gathers small inserts on the server, and shows them when they are answered', async () => {
    await clear(servers);
    const store = await openClickHouseStore({ client: servers.client(), createTables: true });
    await Promise.all(
      [1, 2, 3].map((number) =>
        append(store, 'traces', tracesJson({ tenant: 'a' }, [{ traceId: traceId(number), spanId: spanId(1) }])),
      ),
    );
    const search = { scope: 'all', query: query(''), range: ALWAYS, limit: 10, order: 'newest' } as const;
    expect((await store.listTraces(search)).traces).toHaveLength(3);
    await store.close();
  });

  it('binds whatever is asked for, and is not led astray by it', async () => {
    await clear(servers);
    const store = await openClickHouseStore({ client: servers.client(), createTables: true, asyncInsert: false });
    const hostile = ["') OR 1=1 --", '{p0:String}', '\\', "\\' OR ''='", 'a\tb\nc', '\u{1f600}', 'null', '\\N'];
    const spans = hostile.map((name, index) => ({ traceId: traceId(index + 1), spanId: spanId(1), name }));
    for (const span of spans) await append(store, 'traces', tracesJson({ tenant: span.name }, [span]));
    for (const [index, name] of hostile.entries()) {
      const scope = new Set([name]);
      const found = await store.listTraces({ scope, query: query(''), range: ALWAYS, limit: 10, order: 'newest' });
      expect(
        found.traces.map((trace) => trace.traceId),
        name,
      ).toEqual([traceId(index + 1)]);
      const facets = { signal: 'traces', field: 'name', prefix: '', limit: 10 } as const;
      expect(await store.facets({ scope, ...facets })).toMatchObject({ values: [{ value: name, count: 1 }] });
    }
    await store.close();
  });

  it('prunes by the sort key of tenants and by the index of trace ids', async () => {
    await clear(servers);
    const store = await openClickHouseStore({ client: servers.client(), createTables: true, asyncInsert: false });
    await append(store, 'traces', tracesJson({ tenant: 'a' }, [{ traceId: traceId(1), spanId: spanId(1) }]));
    expect(await explain(servers, BY_TENANT)).toMatch(/PrimaryKey.*Keys.*TenantId.*Condition: .*TenantId in/);
    expect(await explain(servers, 'TraceId = {id:String}')).toMatch(/Skip.*idx_trace_id/);
    await store.close();
  });

  it('says by the name of its error why a question or an insert failed, and nothing of what was in it', async () => {
    const client = servers.client(0, { request_timeout: 5_000 });
    const store = await openClickHouseStore({ client, createTables: true, asyncInsert: false });
    const dashboard = await openDashboard({ store });
    const secret = 'a-value-that-nobody-else-may-see';
    const admin = servers.client();
    await admin.command({ query: 'RENAME TABLE otel_traces TO otel_traces_away' });
    const ask = `/api/v1/traces?query=${encodeURIComponent(`"${secret}"`)}`;
    expect(await getJson(dashboard, ask)).toEqual({
      status: 502,
      value: { error: { message: 'the database refused: UNKNOWN_TABLE' } },
    });
    const body = protobuf('traces', tracesJson({}, [{ traceId: traceId(1), spanId: spanId(1), name: secret }]));
    const refused = await send(dashboard, 'POST', '/v1/traces', { 'content-type': 'application/x-protobuf' }, body);
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    expect(refused.bytes.toString()).toContain('the database refused: UNKNOWN_TABLE');
    expect(refused.bytes.toString()).not.toContain(secret);
    await admin.command({ query: 'RENAME TABLE otel_traces_away TO otel_traces' });
    expect((await getJson(dashboard, '/api/v1/traces')).status).toBe(200);
    await admin.close();
  });

  it('refuses a user that the server does not know', async () => {
    const client = servers.client(0, { username: 'nobody', password: 'wrong' });
    await expect(openClickHouseStore({ client })).rejects.toMatchObject({
      name: 'StoreError',
      message: 'the database refused: AUTHENTICATION_FAILED',
      retryable: false,
    });
  });

  it(
    'answers 503 when the server is gone',
    async () => {
      const other = await startServers(1);
      const store = await openClickHouseStore({ client: other.client(), createTables: true });
      const dashboard = await openDashboard({ store });
      await other.kill(0);
      const { status, value } = await getJson<{ error: { message: string } }>(dashboard, '/api/v1/traces');
      expect(status).toBe(503);
      expect(value.error.message).toMatch(/the database does not answer: E\w+/);
      await other.close();
    },
    START_MILLIS,
  );
});

describe.runIf(canServe)('ClickHouse over two shards', () => {
  let servers: Servers;

  beforeAll(async () => {
    servers = await startServers(2);
    for (const index of [0, 1]) {
      const client = servers.client(index);
      for (const query of describeClickHouseTables({ cluster: 'shards' })) await client.command({ query });
      await client.close();
    }
  }, START_MILLIS);

  afterAll(() => servers.close());

  const open = (index = 0): Promise<TelemetryStore> =>
    openClickHouseStore({ client: servers.client(index, AT_ONCE), asyncInsert: false });

  describeStore('ClickHouse over two shards', async () => {
    await clear(servers, '_local');
    return await open();
  });

  it('has parts of the rows on each shard, whole traces on one, and is the same from every node', async () => {
    await clear(servers, '_local');
    const [first, second] = [await open(0), await open(1)];
    for (let number = 1; number <= 40; number += 1) {
      const spans = [1, 2].map((index) => ({ traceId: traceId(number), spanId: spanId(index) }));
      await append(number % 2 === 0 ? first : second, 'traces', tracesJson({ tenant: 'a' }, spans));
    }
    const counts: number[] = [];
    for (const index of [0, 1]) {
      const client = servers.client(index);
      const ask = 'SELECT count() AS rows, uniqExact(TraceId) AS traces FROM otel_traces_local';
      const answer = await client.query({ query: ask, query_params: {}, format: 'JSONEachRow' });
      const [row] = (await answer.json()) as { rows: string; traces: string }[];
      expect(Number(row?.rows)).toBe(2 * Number(row?.traces));
      counts.push(Number(row?.rows));
      await client.close();
    }
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect((counts[0] ?? 0) + (counts[1] ?? 0)).toBe(80);
    const search = { scope: 'all', query: query(''), range: ALWAYS, limit: 100, order: 'newest' } as const;
    const [ofFirst, ofSecond] = [await first.listTraces(search), await second.listTraces(search)];
    expect(ofFirst.traces).toHaveLength(40);
    const ids = ({ traces }: typeof ofFirst): string[] => traces.map((trace) => trace.traceId).sort();
    expect(ids(ofSecond)).toEqual(ids(ofFirst));
    expect(await explain(servers, BY_TENANT, 'otel_traces_local')).toMatch(/PrimaryKey.*Condition: .*TenantId in/);
    await Promise.all([first.close(), second.close()]);
  });

  it('says so when a shard is away', async () => {
    const store = await open();
    await servers.kill(1);
    const search = { scope: 'all', query: query(''), range: ALWAYS, limit: 100, order: 'newest' } as const;
    await expect(store.listTraces(search)).rejects.toMatchObject({ name: 'StoreError', retryable: true });
    await store.close();
  });
});

describe('an error of a client', () => {
  it.each<[string, unknown, string, boolean]>([
    ['passes', { code: '241', type: 'MEMORY_LIMIT_EXCEEDED', message: 'x' }, 'refused: MEMORY_LIMIT_EXCEEDED', true],
    ['passes', { code: '159', type: 'TIMEOUT_EXCEEDED' }, 'refused: TIMEOUT_EXCEEDED', true],
    ['stays', { code: '62', type: 'SYNTAX_ERROR', message: 'secret' }, 'refused: SYNTAX_ERROR', false],
    ['passes', Object.assign(new Error('secret'), { code: 'ECONNREFUSED' }), 'does not answer: ECONNREFUSED', true],
    ['passes', new Error('Timeout error. secret'), 'does not answer', true],
    ['passes', { type: 'no name: secret', code: 7 }, 'does not answer', true],
    ['passes', undefined, 'does not answer', true],
  ])('that %s is told by its name', (_, error, message, retryable) => {
    const told = toStoreError(error);
    expect([told.message, told.retryable]).toEqual([`the database ${message}`, retryable]);
  });
});

describe('the statements that make tables', () => {
  it('hold no name that could be more than a name', () => {
    expect(describeClickHouseTables()).toHaveLength(TABLES.length);
    expect(() => describeClickHouseTables({ cluster: "x', 'y" })).toThrow(/names in statements/);
    expect(() => describeClickHouseTables({ tenantAttribute: "x'] OR" })).toThrow(/names in statements/);
  });
});
