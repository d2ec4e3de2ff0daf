import { SpanKind } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import type { QueryOptions } from '../../src/index.ts';
import { hostileValues } from '../support/hostile-values.ts';
import { startTenants } from '../support/tenant-receivers.ts';

const CLIENT = SpanKind.CLIENT + 1;
const ERROR = 2;

async function tenants() {
  const { registry, receivers } = await startTenants(['a']);
  const a = registry.get('a');
  /** The one span that has arrived. */
  const span = async () => {
    await registry.flush();
    const spans = receivers.a.spans();
    if (spans.length !== 1) throw new Error(`${spans.length} spans`);
    return spans[0];
  };
  return { a, span };
}

describe('tracer.traceQuery', () => {
  it('makes one CLIENT span by the conventions for databases', async () => {
    const { a, span } = await tenants();
    const options: QueryOptions = {
      system: 'postgresql',
      namespace: 'shop|public',
      text: "SELECT * FROM orders WHERE email = 'me@example.com' AND id = $1",
      server: { address: 'db.example', port: 5433 },
      attributes: { 'shop.plan': 'pro' },
    };
    const rows = [{ id: 1 }, { id: 2 }];
    const result = { rows, rowCount: 2 };
    expect(await a.traceQuery(options, () => Promise.resolve(result))).toBe(result);
    expect(await span()).toMatchObject({ kind: CLIENT, name: 'SELECT orders', status: { code: 0 } });
    expect((await span())?.attributes).toEqual({
      'db.system.name': 'postgresql',
      'db.namespace': 'shop|public',
      'db.query.summary': 'SELECT orders',
      'db.query.text': 'SELECT * FROM orders WHERE email = ? AND id = $1',
      'db.response.returned_rows': 2,
      'server.address': 'db.example',
      'server.port': 5433,
      'shop.plan': 'pro',
    });
  });

  it.each<[string, QueryOptions, string, Record<string, unknown>]>([
    [
      'a text that cannot be read for sure',
      { system: 'mysql', text: String.raw`SELECT 'it\'s secret'`, operation: 'SELECT', collection: 'notes' },
      'SELECT notes',
      { 'db.system.name': 'mysql', 'db.operation.name': 'SELECT', 'db.collection.name': 'notes' },
    ],
    [
      'what is no SQL',
      { system: 'redis', text: 'SET key secret', operation: 'SET' },
      'SET',
      { 'db.system.name': 'redis', 'db.operation.name': 'SET' },
    ],
    [
      'a parameterized text, which stays as it is',
      { system: 'mysql', text: "SELECT * FROM t WHERE kind = 'open' AND id = ?", parameterized: true },
      'SELECT t',
      {
        'db.system.name': 'mysql',
        'db.query.summary': 'SELECT t',
        'db.query.text': "SELECT * FROM t WHERE kind = 'open' AND id = ?",
      },
    ],
    [
      'a summary of the host\u2019s',
      { system: 'sqlite', text: 'SELECT 1', summary: 'ping' },
      'ping',
      { 'db.system.name': 'sqlite', 'db.query.summary': 'ping', 'db.query.text': 'SELECT ?' },
    ],
    [
      'a batch of calls of a procedure',
      { system: 'oracle.db', storedProcedure: 'pay', operation: 'BATCH CALL', batchSize: 3 },
      'BATCH CALL pay',
      {
        'db.system.name': 'oracle.db',
        'db.stored_procedure.name': 'pay',
        'db.operation.name': 'BATCH CALL',
        'db.operation.batch.size': 3,
      },
    ],
    ['next to nothing', { system: 'mongodb', batchSize: 1 }, 'mongodb', { 'db.system.name': 'mongodb' }],
  ])('shows %s', async (_what, options, name, attributes) => {
    const { a, span } = await tenants();
    a.traceQuery(options, () => undefined);
    expect(await span()).toMatchObject({ name });
    expect((await span())?.attributes).toEqual(attributes);
  });

  it.each([
    ['a list of rows', [{ a: 1 }, { a: 2 }], 2],
    ['a list of lists', [[{ a: 1 }], ['fields']], undefined],
    ['something else', { rowCount: 4 }, undefined],
    ['nothing', undefined, undefined],
    ['no rows', { rows: [] }, 0],
  ])('counts the rows of %s', async (_what, result, rows) => {
    const { a, span } = await tenants();
    a.traceQuery({ system: 'mysql' }, () => result);
    expect((await span())?.attributes['db.response.returned_rows']).toBe(rows);
  });

  it('asks the host for the number of rows, and does without it', async () => {
    const one = await tenants();
    const returnedRows = ([rows]: readonly [readonly unknown[]]): number => rows.length;
    await one.a.traceQuery({ system: 'mysql', returnedRows }, async () => [[1, 2, 3], []]);
    expect((await one.span())?.attributes['db.response.returned_rows']).toBe(3);
    const other = await tenants();
    expect(other.a.traceQuery({ system: 'mysql', returnedRows }, () => 'x')).toBe('x');
    expect((await other.span())?.attributes['db.response.returned_rows']).toBe(1);
    const failing = await tenants();
    expect(failing.a.traceQuery({ system: 'mysql', returnedRows }, () => 5)).toBe(5);
    expect((await failing.span())?.attributes['db.response.returned_rows']).toBeUndefined();
    expect(failing.a.health().errors.host).toBe(1);
  });

  it.each([
    ['of the database', Object.assign(new Error('duplicate'), { code: '23505' }), '23505', '23505'],
    [
      'of MySQL',
      Object.assign(new Error('dup'), { code: 'ER_DUP_ENTRY', errno: 1062 }),
      'ER_DUP_ENTRY',
      'ER_DUP_ENTRY',
    ],
    [
      'of the connection',
      Object.assign(new Error('gone'), { code: 'ECONNRESET', syscall: 'read' }),
      'ECONNRESET',
      undefined,
    ],
    ['of the program', new TypeError('oops'), 'TypeError', undefined],
    ['that is none', 'oops', '_OTHER', undefined],
  ])('lets an error %s through and says what it is', async (_what, error, type, code) => {
    const { a, span } = await tenants();
    await expect(a.traceQuery({ system: 'postgresql' }, () => Promise.reject(error as Error))).rejects.toBe(error);
    const failed = await span();
    expect(failed?.status.code).toBe(ERROR);
    expect([failed?.attributes['error.type'], failed?.attributes['db.response.status_code']]).toEqual([type, code]);
    expect(failed?.events.map(({ name }) => name)).toEqual(['exception']);
  });

  it('is over with the rows of a generator, and has spans inside as children', async () => {
    const { registry, received } = await startTenants(['a']);
    const a = registry.get('a');
    const rows = a.traceQuery({ system: 'sqlite', summary: 'read' }, async function* () {
      yield 1;
      a.withSpan('inside', () => undefined);
      yield 2;
    });
    const read: number[] = [];
    for await (const row of rows) read.push(row);
    const { read: query, inside } = await received('a');
    expect(read).toEqual([1, 2]);
    expect(inside?.parentSpanId).toBe(query?.spanId);
  });

  it('never throws on its own account', async () => {
    const { a } = await tenants();
    for (const { value } of hostileValues()) {
      expect(a.traceQuery(value as never, () => 7)).toBe(7);
      expect(a.traceQuery({ system: value, text: value, server: value, attributes: value } as never, () => 7)).toBe(7);
      if (typeof value !== 'function') expect(a.traceQuery({ system: 'mysql' }, value as never)).toBeUndefined();
    }
  });
});
