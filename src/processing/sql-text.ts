import { type SqlDialect, sqlDialects } from './sql-dialect.ts';
import { SqlSummary, type SummaryToken } from './sql-summary.ts';

/** What of the text of a query can be shown. */
export interface SqlText {
  /** The text without literals and comments. */
  readonly text: string;
  /** What it does and with what; empty when that is not known. */
  readonly summary: string;
}

/** A longer text is cut before it is looked at. */
const MAX_LENGTH = 16_384;
/** A quote that some databases take for a part of the string, and others for its end. */
const ESCAPED_QUOTE = /(?<!\\)(?:\\\\)*\\['"`]/u;
const PLAIN_NAME = /^"[\p{L}_][\p{L}\p{N}_$ .-]*"$/u;
/** A literal that the cut left without its end. */
const CUT_LITERAL = /^['"]/;
const IN_LIST = /\bIN ?\( ?\?(?: ?, ?\?)* ?\)/giu;

/**
 * The text of a query with `?` in place of each literal, without comments, on one line. `undefined` when anything in it
 * could be read in two ways, by whatever database or setting, and for what takes no SQL: then nothing of it can be shown.
 * Looks at the first 16,384 characters, and takes time in proportion to them.
 *
 * @param system `db.system.name`
 */
export function sanitizeSql(text: string, system: string): SqlText | undefined {
  const dialect = sqlDialects.of(system);
  const cut = text.slice(0, MAX_LENGTH);
  if (dialect === undefined || ESCAPED_QUOTE.test(cut)) return undefined;
  return readTokens(dialect, cut, text.length > MAX_LENGTH);
}

function readTokens({ lexer, quotesNames }: SqlDialect, text: string, isCut: boolean): SqlText | undefined {
  const summary = new SqlSummary();
  let shown = '';
  const show = (token: SummaryToken, value: string): void => {
    shown += value;
    summary.add(token, value);
  };
  lexer.reset(text);
  for (let token = lexer.next(); token !== undefined; token = lexer.next()) {
    const { type, value } = token;
    if (type === 'space' || type === 'comment') shown += shown === '' || shown.endsWith(' ') ? '' : ' ';
    else if (type === 'name') {
      show('name', value);
      // What follows may be a password without quotes, as Oracle has it.
      if (value.toUpperCase() === 'IDENTIFIED') return done(`${shown} ?`, summary);
    } else if (type === 'quoted' && quotesNames && PLAIN_NAME.test(value)) show('name', value);
    else if (type === 'operator' || type === 'parameter') show(type, value);
    else if (type === 'string' || type === 'quoted' || type === 'number') show('literal', '?');
    else return isCut && CUT_LITERAL.test(value) ? done(`${shown}?`, summary) : undefined;
  }
  return done(shown, summary);
}

function done(shown: string, summary: SqlSummary): SqlText {
  return { text: shown.trimEnd().replace(IN_LIST, 'IN (?)'), summary: summary.toString() };
}
