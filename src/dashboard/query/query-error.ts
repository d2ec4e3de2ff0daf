import type { QueryPosition } from './query.ts';

/** What is wrong with a query, and where; it never leaves the parser. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
  readonly position: QueryPosition;

  constructor(message: string, position: QueryPosition) {
    super(message);
    this.position = position;
  }
}
