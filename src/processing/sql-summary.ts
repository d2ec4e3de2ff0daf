export type SummaryToken = 'name' | 'operator' | 'parameter' | 'literal';

/** `db.query.summary`, "Generating a summary of the query". */
const MAX_LENGTH = 255;
const OPERATIONS: ReadonlySet<string> = new Set([
  ...['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'MERGE', 'REPLACE', 'UPSERT', 'TRUNCATE', 'CALL', 'EXEC', 'EXECUTE'],
  ...['CREATE', 'ALTER', 'DROP', 'BEGIN', 'COMMIT', 'ROLLBACK', 'SAVEPOINT', 'SET', 'SHOW', 'EXPLAIN', 'ANALYZE'],
  ...['GRANT', 'REVOKE', 'COPY', 'VACUUM', 'LOCK', 'LISTEN', 'NOTIFY', 'DECLARE', 'FETCH', 'PREPARE'],
]);
/** Their target follows at once. */
const BEFORE_TARGET: ReadonlySet<string> = new Set(['UPDATE', 'CALL', 'EXEC', 'EXECUTE', 'TRUNCATE']);
const DEFINING: ReadonlySet<string> = new Set(['CREATE', 'ALTER', 'DROP', 'TRUNCATE', 'LOCK']);
const OBJECTS: ReadonlySet<string> = new Set([
  ...['TABLE', 'INDEX', 'VIEW', 'DATABASE', 'SCHEMA', 'SEQUENCE', 'FUNCTION', 'PROCEDURE', 'TRIGGER', 'TYPE', 'ROLE'],
  ...['USER', 'EXTENSION'],
]);
/** They stand between a keyword and the name that it is about. */
const FILLERS: ReadonlySet<string> = new Set([
  'ONLY',
  'LATERAL',
  'IF',
  'NOT',
  'EXISTS',
  'IGNORE',
  'CONCURRENTLY',
  'AS',
]);
const ENDS_LIST: ReadonlySet<string> = new Set([
  ...['WHERE', 'GROUP', 'ORDER', 'HAVING', 'LIMIT', 'OFFSET', 'FETCH', 'SET', 'VALUES', 'RETURNING', 'UNION', 'WINDOW'],
  ...['INTERSECT', 'EXCEPT', 'ON', 'USING', 'FOR'],
]);
/** Functions whose arguments may have a FROM of their own. */
const FROM_FUNCTIONS: ReadonlySet<string> = new Set(['EXTRACT', 'TRIM', 'SUBSTRING', 'OVERLAY', 'POSITION']);

/** Gathers what a statement does and with which tables, from its tokens. */
export class SqlSummary {
  readonly #parts: string[] = [];
  /** For each open parenthesis: whether a list of tables around it goes on after it. */
  readonly #lists: boolean[] = [];
  #length = 0;
  #isFull = false;
  /** At the beginning of a statement, or where one may begin inside another. */
  #isStart = true;
  #isList = false;
  #wantsTarget = false;
  /** A target whose next part follows a dot. */
  #isOpenTarget = false;
  #operation = '';
  #previous = '';
  #skipsFrom = 0;

  add(token: SummaryToken, value: string): void {
    if (this.#isFull) return;
    if (token === 'name') this.#name(value);
    else if (token === 'operator') this.#operator(value);
    else this.#wantsTarget = false;
    if (token !== 'operator') this.#isStart = false;
    this.#previous = value.toUpperCase();
  }

  toString(): string {
    return this.#parts.join(' ');
  }

  #name(value: string): void {
    const word = value.toUpperCase();
    if (this.#isOpenTarget && this.#previous === '.') {
      this.#extend(`.${value}`);
      return;
    }
    this.#isOpenTarget = false;
    if (word === 'SELECT' || (this.#isStart && OPERATIONS.has(word))) {
      this.#put(word);
      this.#operation = word;
      this.#wantsTarget = BEFORE_TARGET.has(word);
      this.#isList = false;
    } else if ((word === 'FROM' && this.#isClause()) || word === 'JOIN' || word === 'INTO') {
      this.#wantsTarget = true;
      this.#isList = word === 'FROM';
    } else if (DEFINING.has(this.#operation) && OBJECTS.has(word) && this.#parts.at(-1) === this.#operation) {
      this.#put(word);
      this.#wantsTarget = true;
    } else if (this.#wantsTarget && !FILLERS.has(word)) {
      this.#wantsTarget = false;
      this.#isOpenTarget = true;
      this.#put(value);
    } else if (ENDS_LIST.has(word)) this.#isList = false;
  }

  #operator(value: string): void {
    if (value === '(') {
      if (FROM_FUNCTIONS.has(this.#previous) || this.#skipsFrom > 0) this.#skipsFrom += 1;
      this.#lists.push(this.#isList);
      this.#isList = false;
      this.#wantsTarget = false;
    } else if (value === ')') {
      if (this.#skipsFrom > 0) this.#skipsFrom -= 1;
      this.#isList = this.#lists.pop() ?? false;
    } else if (value === ',') this.#wantsTarget = this.#isList;
    if (value !== '.') this.#isOpenTarget = false;
    // After a parenthesis: the body of a common table expression, or the statement that uses it.
    this.#isStart = value === ';' || value === '(' || value === ')';
    if (value === ';') this.#operation = '';
  }

  /** Not that of a function's argument, nor of `IS DISTINCT FROM`. */
  #isClause(): boolean {
    return this.#skipsFrom === 0 && this.#previous !== 'DISTINCT';
  }

  #put(part: string): void {
    this.#length += part.length + 1;
    this.#isFull = this.#length > MAX_LENGTH + 1;
    if (!this.#isFull) this.#parts.push(part);
  }

  #extend(more: string): void {
    const last = this.#parts.pop() ?? '';
    this.#length -= last.length + 1;
    this.#put(`${last}${more}`);
  }
}
