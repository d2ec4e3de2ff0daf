import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ClickHouseClient } from '../../../src/dashboard/store/clickhouse/client.ts';

const engine = new URL('../../engine/package.json', import.meta.url);

/** Whether the engine is installed: `npm install --prefix test/engine`. */
export const hasEngine = existsSync(new URL('node_modules/chdb', engine));

export interface Engine {
  readonly client: ClickHouseClient;
  /** Every statement that was asked, with its parameters. */
  readonly asked: { readonly query: string; readonly params: unknown }[];
  clear(): Promise<void>;
  close(): Promise<void>;
}

/** ClickHouse itself, as a library in this process, behind the ordinary client. One at a time in a process. */
export async function startEngine(): Promise<Engine> {
  const require = createRequire(engine);
  const { createClient } = require('@clickhouse/client') as { createClient(options: object): ClickHouseClient };
  const { createChdbConnection } = require('chdb/connection') as { createChdbConnection(options: object): object };
  const directory = mkdtempSync(path.join(tmpdir(), 'isotrace-chdb-'));
  const inner = createClient({ connection: createChdbConnection({ path: directory }) });
  const asked: Engine['asked'] = [];
  const client: ClickHouseClient = {
    query: (question) => {
      asked.push({ query: question.query, params: question.query_params });
      return inner.query(question);
    },
    insert: (rows) => inner.insert(rows),
    command: (statement) => inner.command(statement),
    // Stores are closed by every test; the engine goes on.
    close: () => Promise.resolve(),
  };
  return {
    client,
    asked,
    clear: async () => {
      for (const table of TABLES) await inner.command({ query: `TRUNCATE TABLE IF EXISTS ${table}` });
    },
    close: async () => {
      await inner.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const TABLES = ['traces', 'logs', 'metrics_gauge', 'metrics_sum', 'metrics_histogram', 'metrics_summary'].map(
  (name) => `otel_${name}`,
);
