import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sanitizeSql } from '../../src/processing/sql-text.ts';

const SQL_SYSTEMS = ['postgresql', 'mysql', 'microsoft.sql_server', 'sqlite', 'oracle.db', 'clickhouse', 'other_sql'];
const pg = (text: string) => sanitizeSql(text, 'postgresql');
const my = (text: string) => sanitizeSql(text, 'mysql');

describe('sanitizeSql', () => {
  it.each([
    ["SELECT * FROM users WHERE name = 'Jo''e' AND age > 42", 'SELECT * FROM users WHERE name = ? AND age > ?'],
    ['SELECT -1, .5, 1.5e-10, 0xFF, 1_000', 'SELECT -?, ?, ?, ?, ?'],
    ['SELECT  a\n\t FROM t1 -- a secret\n WHERE x=$1', 'SELECT a FROM t1 WHERE x=$1'],
    ['/* trace=secret */ SELECT 1 /* more */', 'SELECT ?'],
    ["INSERT INTO t (a, b) VALUES ('x', 2), (?, :name)", 'INSERT INTO t (a, b) VALUES (?, ?), (?, :name)'],
    ["SELECT * FROM t WHERE a IN ('x', 'y',3) AND b in (?, ?)", 'SELECT * FROM t WHERE a IN (?) AND b IN (?)'],
    ["SELECT N'x', X'1F', B'01', DATE '2020-01-01'", 'SELECT N?, X?, B?, DATE ?'],
    ["SELECT a->>'k', b::text, c[1], d #> '{x}' FROM t", 'SELECT a->>?, b::text, c[?], d #> ? FROM t'],
    ['SELECT "Order"."Total" FROM "Order"', 'SELECT "Order"."Total" FROM "Order"'],
    ['ALTER USER u IDENTIFIED BY hunter2', 'ALTER USER u IDENTIFIED ?'],
    ['SELECT übung FROM straße', 'SELECT übung FROM straße'],
  ])('shows %j without what it holds', (text, expected) => {
    expect(pg(text)?.text).toBe(expected);
  });

  it('goes by the database', () => {
    expect(my('SELECT `a b`, "x" FROM `t` # secret')?.text).toBe('SELECT `a b`, ? FROM `t`');
    expect(sanitizeSql('SELECT [a b], "x" FROM [dbo].[t]', 'microsoft.sql_server')?.text).toBe(
      'SELECT [a b], ? FROM [dbo].[t]',
    );
    expect(sanitizeSql('SELECT `a`, [b], "x" FROM t', 'sqlite')?.text).toBe('SELECT `a`, [b], ? FROM t');
    for (const system of ['redis', 'mongodb', 'elasticsearch', 'made up', '__proto__', '']) {
      expect(sanitizeSql('SET key secret', system)).toBeUndefined();
    }
  });

  it.each([
    ['a quote after a backslash', String.raw`SELECT 'a\' , ' secret '`],
    ['a double quote after a backslash', String.raw`SELECT "a\" , " secret "`],
    ['an open string', "SELECT 'secret"],
    ['an open comment', 'SELECT 1 /* secret'],
    ['a comment in a comment', 'SELECT /* /* */ secret */ 1'],
    ['the end of a comment alone', 'SELECT secret */ 1'],
    ['a text quoted by dollars', 'SELECT $$secret$$'],
    ['a text quoted by dollars with a tag', 'SELECT $tag$secret$tag$'],
    ["one of Oracle's quotes", "SELECT q'[it's secret]'"],
    ['a minus of a minus', "SELECT 5--'\n secret'"],
    ['a comment that ends with a carriage return', 'SELECT 1 -- x\r secret'],
    ['what no database knows', 'SELECT \u2026 secret'],
    ['a backtick where it is no quote', 'SELECT ` secret'],
    ['a name with more in it', "SELECT [it's] + ' secret'"],
  ])('shows nothing of %s', (_what, text) => {
    for (const system of SQL_SYSTEMS) {
      expect(sanitizeSql(text, system)?.text ?? '', system).not.toContain('secret');
    }
  });

  it('never shows a literal, wherever it stands and whatever it holds', () => {
    const word = fc.constantFrom(
      'SELECT',
      'FROM',
      't',
      'a.b',
      ',',
      '(',
      ')',
      '=',
      '||',
      '?',
      '$1',
      ';',
      '-',
      '--',
      '#',
      '/*',
      '*/',
      '`',
      '"',
      '[',
      ']',
      '\\',
      "'",
      '$$',
      'q',
      'E',
      '\n',
      '\r',
    );
    const literal = fc
      .array(fc.constantFrom("''", '"', '`', '\\\\', '--', '/*', '*/', '$$', '#', '[', ']', ' ', 'CANARY', '\n'), {
        maxLength: 6,
      })
      .map((parts) => `'CANARY${parts.join('')}CANARY'`);
    fc.assert(
      fc.property(
        fc.array(fc.oneof(literal, literal, word), { maxLength: 14 }),
        fc.constantFrom(...SQL_SYSTEMS),
        (parts, system) => {
          // Only texts whose literals the database itself would find where they were put: with balanced quotes around.
          const others = parts.filter((part) => !part.includes('CANARY'));
          fc.pre(!others.some((part) => /['"`\\[\]]|--|\/\*|\*\/|\$\$|#|^[qE]$/.test(part)));
          const shown = sanitizeSql(parts.join(' '), system);
          expect(JSON.stringify(shown ?? null)).not.toContain('CANARY');
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('shows what a text has in common with all of its kind, and says the same of what it said', () => {
    fc.assert(
      fc.property(fc.integer(), fc.string({ unit: fc.constantFrom('a', ' ', "''", '%') }), (number, text) => {
        const shown = pg(`SELECT a FROM t WHERE n = ${Math.abs(number)} AND s = '${text}'`)?.text;
        expect(shown).toBe('SELECT a FROM t WHERE n = ? AND s = ?');
        expect(pg(shown ?? '')?.text).toBe(shown);
      }),
    );
  });

  it('looks at a bounded part of a text, and cuts a literal whole', () => {
    const text = `SELECT * FROM t WHERE a = '${'secret '.repeat(10_000)}' AND b = 'secret'`;
    expect(pg(text)?.text).toBe('SELECT * FROM t WHERE a = ?');
    expect(pg(`SELECT ${'a, '.repeat(100_000)}`)?.text.length).toBeLessThanOrEqual(16_384);
    // Each of these would take minutes if a rule went back and forth.
    for (const part of ["'", "''", '"', '/*', '/', '--', '$', '\\', '[', '`', 'a', '1', '.', '1e', '(', '#', "\\'"]) {
      for (const system of SQL_SYSTEMS) sanitizeSql(part.repeat(16_384), system);
      for (const system of SQL_SYSTEMS) sanitizeSql(`'${part.repeat(16_380)}`, system);
    }
  });
});

describe('the summary of a query', () => {
  it.each([
    ['SELECT * FROM wuser_table WHERE username = ?', 'SELECT wuser_table'],
    ['SELECT * FROM songs AS s, artists a WHERE s.x, y', 'SELECT songs artists'],
    ['SELECT * FROM a JOIN public.b ON a.x = b.x LEFT JOIN c USING (x)', 'SELECT a public.b c'],
    ['INSERT INTO shipping_details SELECT order_id FROM orders', 'INSERT shipping_details SELECT orders'],
    ['SELECT a FROM (SELECT b FROM t) u, v', 'SELECT SELECT t v'],
    ['UPDATE ONLY t SET a = (SELECT max(x) FROM u)', 'UPDATE t SELECT u'],
    ['DELETE FROM t WHERE a = ? RETURNING b', 'DELETE t'],
    ['WITH x AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM x', 'DELETE t INSERT u SELECT x'],
    ['SELECT a FROM t FOR UPDATE', 'SELECT t'],
    ["SELECT EXTRACT(YEAR FROM d), trim(LEADING 'x' FROM e) FROM t WHERE a IS DISTINCT FROM b", 'SELECT t'],
    ['CREATE UNIQUE INDEX i ON t (a)', 'CREATE INDEX i'],
    ['CREATE TABLE IF NOT EXISTS t (a int)', 'CREATE TABLE t'],
    ['DROP TABLE t', 'DROP TABLE t'],
    ['BEGIN; UPDATE t SET a = 1; COMMIT', 'BEGIN UPDATE t COMMIT'],
    ['CALL proc(1)', 'CALL proc'],
    ['INSERT INTO t VALUES (?) ON CONFLICT (a) DO UPDATE SET a = ?', 'INSERT t'],
    ['SELECT "Total" FROM "Order Lines"', 'SELECT "Order Lines"'],
    ['VALUES (1)', ''],
  ])('of %j is %j', (text, expected) => {
    expect(pg(text)?.summary).toBe(expected);
  });

  it('is bounded, and whole words', () => {
    const tables = Array.from({ length: 100 }, (_, index) => `table_number_${index}`);
    const summary = pg(`SELECT * FROM ${tables.join(', ')}`)?.summary ?? '';
    expect(summary.length).toBeLessThanOrEqual(255);
    expect(['SELECT', ...tables].join(' ')).toContain(`${summary} `);
    expect(summary.length).toBeGreaterThan(200);
  });
});
