import { IsotraceError } from '../../../utils/errors.ts';
import type { ClickHouseClient, Row } from './client.ts';
import { toStoreError } from './client-error.ts';
import { Statement } from './statement.ts';
import { createTable, suggestTenantColumn, TABLES, tenantExpression } from './tables.ts';

/** Throws unless a name may stand in the text of a statement. */
export function checkName(name: string): void {
  if (/^[\w.-]{1,128}$/.test(name)) return;
  throw new IsotraceError('config_invalid', 'names in statements: letters, digits, dots, dashes and underscores');
}

/** A database, and what its tables have. */
export class Database {
  readonly #client: ClickHouseClient;
  readonly #tenantAttribute: string;
  readonly #columns = new Map<string, ReadonlySet<string>>();
  readonly notices: string[] = [];
  #closed = false;

  constructor(client: ClickHouseClient, tenantAttribute: string) {
    checkName(tenantAttribute);
    this.#client = client;
    this.#tenantAttribute = tenantAttribute;
  }

  /** Looks what is there; makes what is missing only where that was asked for, and never alters a table. */
  async open(createTables: boolean): Promise<void> {
    for (const table of createTables ? TABLES : []) {
      await this.#client.command({ query: createTable(table, this.#tenantAttribute) });
    }
    const statement = new Statement(() => '');
    const tables = statement.bind(TABLES, 'Array(String)');
    const rows = await this.ask(
      `SELECT table, groupArray(name) AS columns FROM system.columns
       WHERE database = currentDatabase() AND table IN ${tables} GROUP BY table`,
      statement,
    );
    for (const row of rows) this.#columns.set(String(row['table']), new Set(row['columns'] as string[]));
    for (const table of TABLES) {
      if (!this.#columns.has(table)) {
        throw new IsotraceError('config_invalid', `the database has no table ${table}; createTables makes it`);
      }
      if (this.hasColumn(table, 'TenantId')) continue;
      this.notices.push(`questions of one tenant are slow; run: ${suggestTenantColumn(table, this.#tenantAttribute)}`);
    }
  }

  hasColumn(table: string, column: string): boolean {
    return this.#columns.get(table)?.has(column) ?? false;
  }

  /** The expression of a row's tenant. */
  tenantOf(table: string): string {
    return this.hasColumn(table, 'TenantId') ? 'TenantId' : tenantExpression(this.#tenantAttribute);
  }

  statement(): Statement {
    return new Statement((table) => this.tenantOf(table));
  }

  async ask(query: string, { params }: Statement): Promise<Row[]> {
    try {
      const answer = await this.#client.query({ query, query_params: params, format: 'JSONEachRow' });
      return (await answer.json()) as Row[];
    } catch (error) {
      throw toStoreError(error);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#client.close();
  }
}
