import type { Attributes, Context, Span } from '@opentelemetry/api';
import { context as contextApi, SpanStatusCode } from '@opentelemetry/api';
import type { CallFailure, CallScope } from './call-scope.ts';
import { errorMessage } from './exception.ts';
import { sanitizeSql } from './sql-text.ts';

/** One call of a database, by OpenTelemetry's stable semantic conventions for databases. */
export interface QueryOptions {
  /** `db.system.name`, such as `postgresql`, `mysql`, `microsoft.sql_server`, `sqlite`, `redis`. */
  readonly system: string;
  /**
   * The query. Shown as `db.query.text` without its literals and comments; what cannot be read for sure, and what is not
   * SQL, is not shown. Default: none.
   */
  readonly text?: string | undefined;
  /**
   * Whether all values in `text` are parameters (`$1`, `?`): it is shown as it is then, as the conventions ask for.
   * Default: `false`.
   */
  readonly parameterized?: boolean | undefined;
  /** `db.query.summary`, of low cardinality. Default: by `text`, such as `SELECT orders`. */
  readonly summary?: string | undefined;
  /** `db.operation.name`, such as `findAndModify`. Default: none. */
  readonly operation?: string | undefined;
  /** `db.collection.name`: the one table or collection that is used. Default: none. */
  readonly collection?: string | undefined;
  /** `db.namespace`: the database, from the most general part to the most special one with `|` between. Default: none. */
  readonly namespace?: string | undefined;
  /** `db.stored_procedure.name`. Default: none. */
  readonly storedProcedure?: string | undefined;
  /** `db.operation.batch.size`, of 2 or more queries in one call. Default: none. */
  readonly batchSize?: number | undefined;
  /** Where the database is. Default: none. */
  readonly server?: { readonly address: string; readonly port?: number | undefined } | undefined;
  /** Other attributes of the span; they come over those above. Default: none. */
  readonly attributes?: Attributes | undefined;
  /**
   * `db.response.returned_rows` of a result. Default: the length of `result.rows`, or of a list whose elements are no
   * lists themselves.
   */
  readonly returnedRows?: ((result: never) => number | undefined) | undefined;
}

/** How the span of a query begins. */
export interface QueryStart {
  readonly name: string;
  readonly attributes: Attributes;
}

const MAX_NAME_LENGTH = 255;
const MAX_TEXT_LENGTH = 8_192;
const MAX_TYPE_LENGTH = 128;

/** May throw what the host's values throw. */
export function readQuery(options: QueryOptions): QueryStart {
  const system = named(options.system) ?? 'other_sql';
  const { batchSize, parameterized, server } = options;
  const [operation, collection, namespace, procedure] = [
    named(options.operation),
    named(options.collection),
    named(options.namespace),
    named(options.storedProcedure),
  ];
  const given = typeof options.text === 'string' ? options.text : undefined;
  const sanitized = given === undefined ? undefined : sanitizeSql(given, system);
  const text = parameterized === true ? given : sanitized?.text;
  const summary = named(options.summary) ?? named(sanitized?.summary);
  const address = named(server?.address);
  const start: Attributes = {
    'db.system.name': system,
    ...(namespace !== undefined && { 'db.namespace': namespace }),
    ...(operation !== undefined && { 'db.operation.name': operation }),
    ...(collection !== undefined && { 'db.collection.name': collection }),
    ...(procedure !== undefined && { 'db.stored_procedure.name': procedure }),
    ...(summary !== undefined && { 'db.query.summary': summary }),
    ...(text !== undefined && { 'db.query.text': text.slice(0, MAX_TEXT_LENGTH) }),
    ...(Number.isInteger(batchSize) && (batchSize as number) > 1 && { 'db.operation.batch.size': batchSize }),
    ...(address !== undefined && { 'server.address': address }),
    ...(address !== undefined && Number.isInteger(server?.port) && { 'server.port': server?.port }),
  };
  const target = collection ?? procedure ?? namespace ?? address;
  const called = operation === undefined ? target : `${operation}${target === undefined ? '' : ` ${target}`}`;
  return { name: summary ?? called ?? system, attributes: start };
}

function named(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_NAME_LENGTH) : undefined;
}

/** One query inside its CLIENT span. */
export class QueryCall implements CallScope {
  readonly #span: Span;
  readonly #context: Context;
  readonly #rowsOf: (result: unknown) => unknown;

  /** @param rowsOf must not throw */
  constructor(span: Span, context: Context, rowsOf: (result: unknown) => unknown) {
    this.#span = span;
    this.#context = context;
    this.#rowsOf = rowsOf;
  }

  run<T>(fn: () => T): T {
    return contextApi.with(this.#context, fn);
  }

  end(failure?: CallFailure, result?: unknown): void {
    const span = this.#span;
    if (failure !== undefined) {
      span.setAttributes(errorAttributes(failure.error));
      span.recordException(failure.error as Error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: errorMessage(failure.error) });
    } else if (span.isRecording()) {
      const rows = this.#rowsOf(result);
      if (typeof rows === 'number' && Number.isInteger(rows) && rows >= 0) {
        span.setAttribute('db.response.returned_rows', rows);
      }
    }
    span.end();
  }
}

/** How many rows a driver answered, where its result says so without doubt. May throw what the result throws. */
export function countRows(result: unknown): number | undefined {
  const rows: unknown = Array.isArray(result) ? result : (result as { rows?: unknown } | null | undefined)?.rows;
  if (!Array.isArray(rows)) return undefined;
  // A list of lists may be rows and their fields.
  return rows === result && rows.some((row) => Array.isArray(row)) ? undefined : rows.length;
}

/** A database's own code (`23505`, `ER_DUP_ENTRY`) is its status; one of Node.js (`ECONNRESET`) is not. Never throws. */
function errorAttributes(error: unknown): Attributes {
  try {
    const { code, name, syscall } = error as { code?: unknown; name?: unknown; syscall?: unknown };
    const type = typeof code === 'string' || typeof code === 'number' ? String(code) : name;
    if (typeof type !== 'string' || type === '') return { 'error.type': '_OTHER' };
    const cut = type.slice(0, MAX_TYPE_LENGTH);
    const isStatus = code !== undefined && syscall === undefined && !/^E(?!R_)[A-Z]/.test(cut);
    return { 'error.type': cut, ...(isStatus && { 'db.response.status_code': cut }) };
  } catch {
    return { 'error.type': '_OTHER' };
  }
}
