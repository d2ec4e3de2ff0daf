import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PROMISES } from './promises.ts';

const FOLDER = new URL('../', import.meta.url);

/** Whether a file of tests has a title, as it is written there. */
function holds(file: string, title: string): boolean {
  const path = new URL(file, FOLDER);
  if (!existsSync(path)) return false;
  const source = readFileSync(path, 'utf8');
  return [`'${title}'`, `"${title}"`, `\`${title}\``].some((literal) => source.includes(literal));
}

describe('the promises', () => {
  it('are one for each fault', () => {
    expect(PROMISES.length).toBeGreaterThanOrEqual(34);
    expect(new Set(PROMISES.map(({ fault }) => fault)).size).toBe(PROMISES.length);
  });

  it.each(PROMISES)('are held by tests that exist, or the gap has a name: $fault', ({ tests, gap }) => {
    const listed = Object.entries(tests).flatMap(([file, titles]) => titles.map((title) => ({ file, title })));
    expect(listed.filter(({ file, title }) => !holds(file, title))).toEqual([]);
    expect(listed.length > 0 || gap !== undefined).toBe(true);
  });

  it('would miss a test that is gone', () => {
    expect(holds('faults/clock.test.ts', 'a test that nobody wrote')).toBe(false);
    expect(holds('faults/nowhere.test.ts', 'anything')).toBe(false);
  });
});
