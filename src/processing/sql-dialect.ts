import moo, { type Lexer } from 'moo';

/** What SQL tokens mean by database; where a database leaves it open, by its defaults. */
export interface SqlDialect {
  readonly lexer: Lexer;
  /** Whether `"…"` is always a name. Elsewhere it may be a string. */
  readonly quotesNames: boolean;
}

interface Traits {
  readonly quotesNames?: boolean;
  /** Names in backticks. Elsewhere a backtick makes a text unreadable. */
  readonly backticks?: boolean;
  /** `[…]` is a name, and nothing else. */
  readonly brackets?: boolean;
  /** What `#` is; elsewhere it makes a text unreadable. */
  readonly hash?: 'comment' | 'operator';
}

const PLAIN: Traits = { quotesNames: true };
const POSTGRES: Traits = { quotesNames: true, hash: 'operator' };
const MYSQL: Traits = { backticks: true, hash: 'comment' };
const BACKTICKS: Traits = { backticks: true };

/** `db.system.name` of what takes SQL, or close to it. Texts of others (`SET key value`) show what is to be hidden. */
const TRAITS: Readonly<Record<string, Traits>> = {
  postgresql: POSTGRES,
  cockroachdb: POSTGRES,
  'aws.redshift': POSTGRES,
  mysql: MYSQL,
  mariadb: MYSQL,
  'microsoft.sql_server': { brackets: true },
  sqlite: { backticks: true, brackets: true },
  'oracle.db': PLAIN,
  'ibm.db2': PLAIN,
  'ibm.netezza': PLAIN,
  'sap.hana': PLAIN,
  trino: PLAIN,
  snowflake: PLAIN,
  h2database: PLAIN,
  derby: PLAIN,
  hsqldb: PLAIN,
  cassandra: PLAIN,
  clickhouse: { quotesNames: true, backticks: true },
  hive: BACKTICKS,
  'gcp.spanner': BACKTICKS,
  firebirdsql: {},
  'ibm.informix': {},
  'actian.ingres': {},
  teradata: {},
  other_sql: {},
};

/** The databases' dialects; made when first asked for. */
class Dialects {
  readonly #made = new Map<Traits, SqlDialect>();

  /** `undefined` for what is no SQL database. */
  of(system: string): SqlDialect | undefined {
    const traits = Object.hasOwn(TRAITS, system) ? TRAITS[system] : undefined;
    if (traits === undefined) return undefined;
    const made = this.#made.get(traits) ?? createDialect(traits);
    this.#made.set(traits, made);
    return made;
  }
}

export const sqlDialects = new Dialects();

/**
 * Linear rules (for moo, which makes `$` the end of a line) without choices to go back to. What databases, or their settings, do not read in the same way is `bad`, so
 * that nobody can take the inside of a string for its outside.
 */
function createDialect({ quotesNames = false, backticks, brackets, hash }: Traits): SqlDialect {
  const lexer = moo.compile({
    space: { match: /\s+/u, lineBreaks: true },
    comment: [
      // A carriage return alone ends a comment for some databases only.
      /--(?=\s|(?![\s\S]))[^\r\n]*(?=\r?\n|(?![\s\S]))/u,
      { match: /\/\*(?:[^*/]|\*(?!\/)|\/(?!\*))*\*\//u, lineBreaks: true },
      ...(hash === 'comment' ? [/#[^\r\n]*(?=\r?\n|(?![\s\S]))/u] : []),
    ] as RegExp[],
    // A comment in a comment; a minus of a minus; a text quoted by dollars, or as Oracle can.
    bad: /--|\/\*|\*\/|\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$|[nN]?[qQ]'/u,
    string: { match: /'[^']*(?:''[^']*)*'/u, lineBreaks: true },
    quoted: { match: /"[^"]*(?:""[^"]*)*"/u, lineBreaks: true },
    name: [
      ...(backticks === true ? [/`[\p{L}_][\p{L}\p{N}_$ .-]*`/u] : []),
      ...(brackets === true ? [/\[[\p{L}_][\p{L}\p{N}_$ .-]*\]/u] : []),
      /[\p{L}_][\p{L}\p{N}_$]*/u,
    ],
    parameter: /\$\d+|\?\d*|:[\p{L}_][\p{L}\p{N}_]*|@@?[\p{L}_][\p{L}\p{N}_$]*/u,
    number: /\.?\d(?:[eE][+-]\d|[\p{L}\p{N}_.])*/u,
    operator: [/[-+*/%<>=!~^&|(),;.:{}@]/u, ...(brackets ? [] : [/[[\]]/u]), ...(hash === 'operator' ? [/#/u] : [])],
    unreadable: moo.error,
  });
  return { lexer, quotesNames };
}
