/** What is needed of a client: `createClient` of `@clickhouse/client` gives one, also with a connection of `chdb`. */
export interface ClickHouseClient {
  /** Asks; values go in as parameters, never in the text. */
  query(question: {
    readonly query: string;
    readonly query_params: Record<string, unknown>;
    readonly format: 'JSONEachRow';
  }): Promise<{ json(): Promise<unknown> }>;
  /** Inserts rows. */
  insert(rows: {
    readonly table: string;
    readonly values: readonly object[];
    readonly format: 'JSONEachRow';
    readonly clickhouse_settings?: Record<string, number>;
  }): Promise<unknown>;
  /** Executes a statement that answers nothing. */
  command(statement: { readonly query: string }): Promise<unknown>;
  /** Closes the connections. */
  close(): Promise<unknown>;
}

/** A row of an answer. */
export type Row = Readonly<Record<string, unknown>>;
