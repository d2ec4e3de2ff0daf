import type { Comparison } from './query.ts';
import { QueryError } from './query-error.ts';

export type QueryOperator = '=' | '!=' | Comparison;

export interface QueryValue {
  readonly text: string;
  readonly quoted: boolean;
}

/** `:` may stand before another operator, as in `dur:>1s`, or for `=`. */
const OPERATOR = /:?(?:!=|>=|<=|>|<|=)|:/y;
/** A minus is part of a word, and so is an operator's sign at its beginning. */
const WORD = /[^\s:=!<>"]*/y;
const VALUE = /[^\s,"][^\s,]*/y;
const MAX_VALUES = 100;

/** Takes the text of a query apart, from left to right. */
export class QueryCursor {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.at >= this.#text.length;
  }

  /** The place after the spaces. */
  skipSpaces(): number {
    this.#take(/\s*/y);
    return this.at;
  }

  takeMinus(): boolean {
    if (this.#text[this.at] !== '-' || /^\s?$/.test(this.#text[this.at + 1] ?? '')) return false;
    this.at += 1;
    return true;
  }

  /** A quoted text, or what stands before the next space or operator. */
  takeWord(): QueryValue {
    if (this.#text[this.at] === '"') return this.#takeQuoted();
    return { text: this.#take(WORD), quoted: false };
  }

  takeOperator(): QueryOperator | undefined {
    const written = this.#take(OPERATOR);
    if (written === '') {
      const sign = this.#text[this.at];
      if (sign === '!' || sign === '"') {
        throw new QueryError(`'${sign}' cannot stand here`, { start: this.at, end: this.at + 1 });
      }
      return undefined;
    }
    const operator = written === ':' ? '=' : written.replace(/^:/, '');
    return operator as QueryOperator;
  }

  /** One or more values, separated by commas. */
  takeValues(): QueryValue[] {
    const values: QueryValue[] = [];
    do {
      const start = this.at;
      const value = this.#text[start] === '"' ? this.#takeQuoted() : { text: this.#take(VALUE), quoted: false };
      if (value.text === '' && !value.quoted) {
        throw new QueryError('a value is missing here', { start, end: start + 1 });
      }
      values.push(value);
      if (values.length > MAX_VALUES) {
        throw new QueryError(`a field takes at most ${MAX_VALUES} values`, { start, end: this.at });
      }
    } while (this.#takeComma());
    return values;
  }

  #takeComma(): boolean {
    if (this.#text[this.at] !== ',') return false;
    this.at += 1;
    return true;
  }

  /** Inside quotes `\"` is a quote and `\\` a backslash. */
  #takeQuoted(): QueryValue {
    const start = this.at;
    let text = '';
    for (let index = start + 1; index < this.#text.length; index += 1) {
      let char = this.#text[index] as string;
      if (char === '"') {
        this.at = index + 1;
        return { text, quoted: true };
      }
      const next = this.#text[index + 1];
      if (char === '\\' && (next === '"' || next === '\\')) {
        char = next;
        index += 1;
      }
      text += char;
    }
    throw new QueryError('the closing quote is missing', { start, end: this.#text.length });
  }

  #take(pattern: RegExp): string {
    const sticky = new RegExp(pattern);
    sticky.lastIndex = this.at;
    const [found = ''] = sticky.exec(this.#text) ?? [];
    this.at += found.length;
    return found;
  }
}
