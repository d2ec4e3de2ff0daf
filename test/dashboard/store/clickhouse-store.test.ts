import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openClickHouseStore } from '../../../src/dashboard/store/clickhouse/clickhouse-store.ts';
import { createTable, TABLES } from '../../../src/dashboard/store/clickhouse/tables.ts';
import type { TenantScope } from '../../../src/dashboard/store/tenant-scope.ts';
import { describeQueries } from '../ask/query-conformance.ts';
import { ALWAYS, append, query, spanId, traceId, tracesJson } from '../otlp-requests.ts';
import { type Engine, hasEngine, startEngine } from './clickhouse-engine.ts';
import { describeStore } from './store-conformance.ts';

describe.runIf(hasEngine)('ClickHouse', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await startEngine();
  });

  afterAll(() => engine.close());

  describeStore('ClickHouse in process', async () => {
    await engine.clear();
    return await openClickHouseStore({ client: engine.client, createTables: true, asyncInsert: false });
  });

  describeQueries('ClickHouse', async () => {
    await engine.clear();
    const store = await openClickHouseStore({ client: engine.client, createTables: true, asyncInsert: false });
    onTestFinished(() => store.close());
    return { store, target: { store } };
  });

  it('reads every table with the predicate of the tenant, and puts no value into the text of a statement', () => {
    const reads = engine.asked.filter(({ query }) => !query.includes('system.columns'));
    expect(reads.length).toBeGreaterThan(100);
    for (const { query } of reads) {
      const tables = query.match(/FROM otel_\w+/g) ?? [];
      const predicates = query.match(/\(\{p\d+:UInt8\} = 1 OR TenantId IN \{p\d+:Array\(String\)\}\)/g) ?? [];
      expect(tables.length, query).toBeGreaterThan(0);
      expect(predicates.length, query).toBe(tables.length);
      expect(query).not.toMatch(/OR 1=1|orders|time out|upstream|\/x|secret|aaaaaaaa/);
    }
  });
  it('finds a tenant by the sort key, and a trace by the index of trace ids', async () => {
    const explain = async (where: string): Promise<string> => {
      const answer = await engine.client.query({
        ...{ query: `EXPLAIN indexes = 1 SELECT SpanName FROM otel_traces WHERE ${where}`, format: 'JSONEachRow' },
        query_params: { all: 0, tenants: ['a'], id: traceId(1) },
      });
      return JSON.stringify(await answer.json());
    };
    const store = await openClickHouseStore({ client: engine.client, createTables: true, asyncInsert: false });
    await append(store, 'traces', tracesJson({ tenant: 'a' }, [{ traceId: traceId(1), spanId: spanId(1) }]));
    const byTenant = await explain('({all:UInt8} = 1 OR TenantId IN {tenants:Array(String)})');
    expect(byTenant).toMatch(/PrimaryKey.*Keys.*TenantId.*Condition: .*TenantId in/);
    expect(await explain('TraceId = {id:String}')).toMatch(/Skip.*idx_trace_id/);
  });

  it("reads the Collector's own tables as they are, and says what would make them faster", async () => {
    for (const table of TABLES) {
      await engine.client.command({ query: `DROP TABLE IF EXISTS ${table}` });
      const stock = createTable(table, 'tenant.id')
        .replace(/\s+TenantId .*\n\s+ArrivedAt .*\n/, '\n')
        .replace(/,(\s*)\) ENGINE/, '$1) ENGINE')
        .replace('(TenantId, ', '(ServiceName, ');
      await engine.client.command({ query: stock });
    }
    const store = await openClickHouseStore({ client: engine.client, createTables: true, asyncInsert: false });
    for (const tenant of ['a', undefined]) {
      const of = { service: 'api', ...(tenant !== undefined && { tenant }) };
      await append(store, 'traces', tracesJson(of, [{ traceId: traceId(1), spanId: spanId(1) }]));
    }
    const search = { query: query(''), range: ALWAYS, limit: 10, order: 'newest' } as const;
    const tenantsIn = async (scope: TenantScope) =>
      (await store.listTraces({ ...search, scope })).traces.map(({ tenant }) => tenant).sort();
    expect(await tenantsIn('all')).toEqual(['a', 'default']);
    expect(await tenantsIn(new Set(['a']))).toEqual(['a']);
    expect(await tenantsIn(new Set())).toEqual([]);
    const { notices } = await store.stats('all');
    expect(notices).toHaveLength(TABLES.length);
    expect(notices[0]).toContain('ALTER TABLE otel_traces ADD COLUMN TenantId');
  });

  it('refuses a database without the tables unless it may make them', async () => {
    for (const table of TABLES) await engine.client.command({ query: `DROP TABLE IF EXISTS ${table}` });
    await expect(openClickHouseStore({ client: engine.client })).rejects.toMatchObject({ code: 'config_invalid' });
    const tenantAttribute = "x'] = '' OR 1=1 --";
    await expect(openClickHouseStore({ client: engine.client, tenantAttribute })).rejects.toMatchObject({
      code: 'config_invalid',
    });
  });
});
