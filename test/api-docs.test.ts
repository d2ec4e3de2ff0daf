import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Declarations, emitDeclarations, readDeclarations } from '../scripts/api/declarations.ts';
import { listEntries } from '../scripts/api/entries.ts';
import { describeEntry, findUndocumented } from '../scripts/api/model.ts';
import { renderPages } from '../scripts/api/pages.ts';

const root = new URL('../', import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { readonly exports: object };
const entries = listEntries(Object.keys(exports));

describe('docs/api', { timeout: 120_000 }, () => {
  let declarations: Declarations;

  beforeAll(() => {
    declarations = emitDeclarations();
  }, 120_000);

  it('is what the sources say', () => {
    // When this fails: npm run docs:api
    const pages = renderPages(declarations, entries);
    expect(readdirSync(new URL('docs/api/', root)).sort()).toEqual([...pages.keys()].sort());
    for (const [name, page] of pages) expect(readFileSync(new URL(`docs/api/${name}`, root), 'utf8'), name).toBe(page);
  });

  it('has something to say about every export, method and option', () => {
    const silent = entries.flatMap(({ specifier, file }) =>
      findUndocumented(describeEntry(declarations, file)).map((name) => `${specifier}: ${name}`),
    );
    expect(silent).toEqual([]);
  });

  it('has every name that test/public-api.snapshot lists, where it is described or as a link to there', () => {
    const snapshot = readFileSync(new URL('test/public-api.snapshot', root), 'utf8');
    const listings = snapshot.split(/^# /m).filter((text) => text !== '');
    expect(listings).toHaveLength(entries.length);
    for (const listing of listings) {
      const [specifier = '', ...lines] = listing.trim().split('\n');
      const entry = entries.find((candidate) => candidate.specifier === specifier.replace('.', 'isotrace'));
      const page = readFileSync(new URL(`docs/api/${entry?.page}`, root), 'utf8');
      for (const line of lines.filter((text) => text !== '')) {
        const [, name = ''] = /^(?:type )?([\w$]+)/.exec(line) ?? [];
        expect(page, `${specifier} ${name}`).toMatch(new RegExp(`\\[\`${name}(\\(\\))?\`\\]\\(`));
      }
    }
  });
});

describe('the pages of the reference', () => {
  const sources = new Map([
    [
      'index.ts',
      `export { make, type MakeOptions } from './core/make.ts'; export type { Level } from './core/level.ts';`,
    ],
    ['http.ts', `export type { MakeOptions } from './core/make.ts';`],
    [
      'core/make.ts',
      `import type { Level } from './level.ts';
      interface Hidden { readonly size: number }
      /** How it is made. */
      export interface MakeOptions {
          /** How loud, see {@link Level}. Default: \`info\`. */
          readonly level?: Level | undefined;
          quiet?: boolean;
          /** In detail. */
          readonly detail?: {
              /** At most. */
              readonly max: number;
          };
      }
      /**
       * Makes one; a <b>
       * tag is no tag.
       *
       * @throws IsotraceError when it cannot
       */
      export declare function make(options: MakeOptions): Hidden;
      export declare function make(name: string): Hidden;`,
    ],
    [
      'core/level.ts',
      `export declare const LEVELS: readonly [/** Much. */ 'debug', 'info'];
      /** How loud. */
      export type Level = (typeof LEVELS)[number];`,
    ],
  ]);
  const declarations = readDeclarations(sources);
  const shown = ['isotrace', 'http'].map((name) => ({
    specifier: name,
    file: name === 'http' ? 'http.ts' : 'index.ts',
    page: `${name}.md`,
    summary: 'Things.',
    guide: 'concepts.md',
  }));

  it('show signatures, what is said about them, values, and what has no name outside', () => {
    const page = renderPages(declarations, shown).get('isotrace.md') ?? '';
    expect(page).toContain(
      '```ts\nfunction make(options: MakeOptions): Hidden\nfunction make(name: string): Hidden\n```\n\n' +
        'Makes one; a \\<b> tag is no tag.\n\n- Throws `IsotraceError` when it cannot\n',
    );
    expect(page).toContain(
      '- `level?: Level`\\\n  How loud, see [`Level`](#level). Default: `info`.\n- `quiet?: boolean`\n',
    );
    expect(page).toContain('- `detail?: { … }`\\\n  In detail.\n  - `max: number`\\\n    At most.\n');
    expect(page).toContain("- `'debug'`: Much.\n- `'info'`\n");
    expect(page).toContain('### Hidden\n\n- `size: number`');
  });

  it('give a comment of one member of a union to no member of the next union', () => {
    const unions = readDeclarations(
      new Map([
        [
          'index.ts',
          `/** First. */
          export type First = 'a' | /** Of b. */ 'b';
          /** Second. */
          export type Second = 'c'
          /** Of d. */
           | 'd';`,
        ],
      ]),
    );
    const page = renderPages(unions, shown.slice(0, 1)).get('isotrace.md') ?? '';
    expect(page).toContain("- `'a'`\n- `'b'`: Of b.\n");
    expect(page).toContain("- `'c'`\n- `'d'`: Of d.\n");
  });

  it('describe what several entries export once, and link to it', () => {
    const pages = renderPages(declarations, shown);
    expect(pages.get('http.md')).toContain('**Also exported here**: [`MakeOptions`](isotrace.md#makeoptions)');
    expect(pages.get('http.md')).not.toContain('### MakeOptions');
  });

  it('tell with a class what it takes over from an abstract one, which nobody can have', () => {
    const parts = readDeclarations(
      new Map([
        [
          'index.ts',
          `declare abstract class Steps {
              /** Of the steps. */
              step(): this;
              /** Told twice. */
              both(): this;
              protected hidden(): this;
          }
          /** A builder. */
          export declare class Builder extends Steps {
              /** Own. */
              both(): this;
              build(): void;
          }`,
        ],
      ]),
    );
    const page = renderPages(parts, shown.slice(0, 1)).get('isotrace.md') ?? '';
    expect(page).toContain('#### builder.step()\n\n```ts\nstep(): this\n```\n\nOf the steps.\n');
    expect(page).toContain('Own.');
    for (const text of ['Told twice', 'hidden', 'Also has what']) expect(page).not.toContain(text);
    expect(findUndocumented(describeEntry(parts, 'index.ts'))).toEqual(['Builder.build']);
  });

  it('miss what nobody documented', () => {
    expect(findUndocumented(describeEntry(declarations, 'index.ts'))).toEqual(['MakeOptions.quiet']);
    const bare = readDeclarations(new Map([['index.ts', 'export interface A { run(): void; size: number }']]));
    expect(findUndocumented(describeEntry(bare, 'index.ts'))).toEqual(['A', 'A.run']);
  });

  it('need a summary for each entry, and an entry for each summary', () => {
    expect(() => listEntries([...Object.keys(exports), './new'])).toThrow('./new');
    expect(() => listEntries(['.'])).toThrow('./express');
  });
});
