import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Claim {
  readonly text: string;
  readonly tests: readonly { readonly file: string; readonly title: string }[];
}

const page = readFileSync(new URL('../docs/security.md', import.meta.url), 'utf8');
/** What isotrace does not do needs no test. */
const [promised = ''] = page.split('## What isotrace does not protect against');

/** Each point of a list, with the tests that are named below it. */
function claimsOf(markdown: string): Claim[] {
  return [...markdown.matchAll(/^- (.+?)(?:\\\n {2}<sub>(.+)<\/sub>)?$/gm)].map(([, text = '', references = '']) => ({
    text,
    tests: [...references.matchAll(/\[([\w/.-]+)\]\(\.\.\/test\/\1\): ((?:“[^”]+”(?:, )?)+)/g)].flatMap(
      ([, file = '', titles = '']) => [...titles.matchAll(/“([^”]+)”/g)].map(([, title = '']) => ({ file, title })),
    ),
  }));
}

/** Whether a file of tests has a title, as it is written there. */
function holds({ file, title }: Claim['tests'][number]): boolean {
  const place = new URL(file, import.meta.url);
  if (!existsSync(place)) return false;
  const source = readFileSync(place, 'utf8');
  return [`'${title.replaceAll("'", "\\'")}'`, `'${title}'`, `"${title}"`, `\`${title.replaceAll('`', '\\`')}\``].some(
    (literal) => source.includes(literal),
  );
}

describe('the security model', () => {
  const claims = claimsOf(promised);

  it('has claims in every section', () => {
    expect(claims.length).toBeGreaterThanOrEqual(40);
    const sections = promised.split(/^## /m).slice(2);
    expect(sections.filter((section) => claimsOf(section).length === 0)).toEqual([]);
  });

  it.each(claims)('is held by tests that exist: $text', ({ tests }) => {
    expect(tests).not.toEqual([]);
    expect(tests.filter((test) => !holds(test))).toEqual([]);
  });

  it('would miss a test that is gone, and a claim without one', () => {
    expect(holds({ file: 'package.test.ts', title: 'a test that nobody wrote' })).toBe(false);
    expect(holds({ file: 'nowhere.test.ts', title: 'anything' })).toBe(false);
    expect(claimsOf('- It is so.\n- And so.\\\n  <sub>[a.test.ts](../test/a.test.ts): “b”, “c”</sub>')).toEqual([
      { text: 'It is so.', tests: [] },
      {
        text: 'And so.',
        tests: [
          { file: 'a.test.ts', title: 'b' },
          { file: 'a.test.ts', title: 'c' },
        ],
      },
    ]);
  });
});
