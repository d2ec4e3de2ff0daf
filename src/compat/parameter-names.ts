const MAX_SOURCE_LENGTH = 4_096;
const NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
const OPENING = '([{';
const CLOSING = ')]}';

/**
 * The names of a function's parameters by its source, in order, as far as they are plain names; `undefined` in the place of
 * a pattern. What comes after a rest parameter, and what cannot be read, has none. Never throws.
 */
export function parameterNames(fn: object): readonly (string | undefined)[] {
  let source: string;
  try {
    source = Function.prototype.toString.call(fn).slice(0, MAX_SOURCE_LENGTH);
  } catch {
    return [];
  }
  const plain = source.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, ' ');
  const single = /^\s*(?:async\s+)?([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=>/u.exec(plain);
  if (single !== null) return [single[1]];
  if (/^\s*class\b/.test(plain)) return [];
  const start = plain.indexOf('(');
  if (start < 0) return [];
  const names: (string | undefined)[] = [];
  for (const part of splitParameters(plain.slice(start + 1))) {
    const text = part.trim();
    if (text === '' || text.startsWith('...')) break;
    const name = text.split('=', 1)[0]?.trim() ?? '';
    names.push(NAME.test(name) ? name : undefined);
  }
  return names;
}

/** What is between the commas, up to the parenthesis that closes the list. */
function splitParameters(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quote = '';
  let from = 0;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index] as string;
    if (quote !== '') {
      if (char === '\\') index += 1;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'" || char === '`') quote = char;
    else if (OPENING.includes(char)) depth += 1;
    else if (CLOSING.includes(char)) {
      if (depth === 0) return [...parts, text.slice(from, index)];
      depth -= 1;
    } else if (char === ',' && depth === 0) {
      parts.push(text.slice(from, index));
      from = index + 1;
    }
  }
  return [];
}
