import { expect, it } from 'vitest';
import { flatString } from '../../src/utils/flat-string.ts';

it('a text in one piece is the same text', () => {
  for (const text of ['', 'a', '\u0000', '𝒳', `${'left '.repeat(9)}${'right '.repeat(9)}`])
    expect(flatString(text)).toBe(text);
});
