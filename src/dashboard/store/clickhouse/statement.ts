import type { TimeRange } from '../telemetry-store.ts';
import type { TenantScope } from '../tenant-scope.ts';
import { timeColumn } from './tables.ts';

/** The last that `DateTime64(9)` holds: 2262. */
const MAX_NANOS = 9_223_372_036_000_000_000n;

export interface SelectOptions {
  readonly table: string;
  readonly scope: TenantScope;
  readonly columns: string;
  readonly range?: TimeRange;
  /** All of them have to hold. */
  readonly where?: readonly string[];
  /** `GROUP BY`, `ORDER BY` and `LIMIT`. */
  readonly tail?: string;
}

/**
 * One question, with its values as bound parameters: nothing that comes from outside becomes part of its text. Every
 * table is read through `select`, which is the one place that says which tenants' rows are seen.
 */
export class Statement {
  readonly params: Record<string, unknown> = {};
  readonly #tenantOf: (table: string) => string;

  /** `tenantOf` tells the expression of a row's tenant in a table. */
  constructor(tenantOf: (table: string) => string) {
    this.#tenantOf = tenantOf;
  }

  /** Stands for a value. */
  bind(value: unknown, type: string): string {
    const name = `p${Object.keys(this.params).length}`;
    this.params[name] = value;
    return `{${name}:${type}}`;
  }

  text(value: string): string {
    return this.bind(value, 'String');
  }

  integer(value: number): string {
    return this.bind(Math.trunc(value), 'Int64');
  }

  select({ table, scope, columns, range, where = [], tail = '' }: SelectOptions): string {
    const tenant = this.#tenantOf(table);
    const everyone = this.bind(scope === 'all' ? 1 : 0, 'UInt8');
    const tenants = this.bind(scope === 'all' ? [] : [...scope], 'Array(String)');
    const conditions = [`(${everyone} = 1 OR ${tenant} IN ${tenants})`];
    if (range !== undefined) {
      const column = timeColumn(table);
      conditions.push(`${column} >= ${this.#time(range.startMillis)}`, `${column} < ${this.#time(range.endMillis)}`);
    }
    conditions.push(...where);
    return `SELECT ${columns.replaceAll('$tenant', tenant)} FROM ${table} WHERE ${conditions.join(' AND ')} ${tail}`;
  }

  #time(millis: number): string {
    const nanos = BigInt(Math.round(Math.min(Math.max(millis, 0), Number.MAX_SAFE_INTEGER) * 1_000)) * 1_000n;
    const bounded = nanos < MAX_NANOS ? nanos : MAX_NANOS;
    return `fromUnixTimestamp64Nano(${this.bind(String(bounded), 'Int64')})`;
  }
}
