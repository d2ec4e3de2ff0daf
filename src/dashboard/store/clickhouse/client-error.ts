import { StoreError } from '../store-error.ts';

/** Error codes of ClickHouse that pass: too much at a time, too slow, a replica or shard that is away. */
const PASSING = new Set([
  ...['TIMEOUT_EXCEEDED', 'TOO_SLOW', 'TOO_MANY_SIMULTANEOUS_QUERIES', 'MEMORY_LIMIT_EXCEEDED', 'SOCKET_TIMEOUT'],
  ...['NETWORK_ERROR', 'ALL_CONNECTION_TRIES_FAILED', 'ALL_REPLICAS_ARE_STALE', 'TOO_MANY_PARTS', 'TABLE_IS_READ_ONLY'],
  ...['KEEPER_EXCEPTION', 'QUERY_WAS_CANCELLED', 'NOT_ENOUGH_SPACE', 'SERVER_OVERLOADED', 'QUOTA_EXCEEDED'],
]);

/**
 * What a client failed with, told apart: an error of ClickHouse by the name of its code, and all else as a database that
 * does not answer. ClickHouse's own message is left out: it quotes values and parts of the statement.
 */
export function toStoreError(error: unknown): StoreError {
  const { type, code } = readError(error);
  if (type !== undefined) return new StoreError(`the database refused: ${type}`, PASSING.has(type), error);
  const reason = code === undefined ? '' : `: ${code}`;
  return new StoreError(`the database does not answer${reason}`, true, error);
}

function readError(error: unknown): { readonly type?: string; readonly code?: string } {
  if (typeof error !== 'object' || error === null) return {};
  const { type, code } = error as { readonly type?: unknown; readonly code?: unknown };
  const isName = (value: unknown): value is string => typeof value === 'string' && /^[A-Z][A-Z\d_]{2,63}$/.test(value);
  return { ...(isName(type) && { type }), ...(isName(code) && { code }) };
}
