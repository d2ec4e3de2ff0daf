import type { Writable } from 'node:stream';
import { styleText } from 'node:util';

/** A stream of the process, or what stands in for one in a test. */
export type TerminalStream = Writable & { readonly isTTY?: boolean | undefined };

export interface TerminalOptions {
  readonly stdout: TerminalStream;
  readonly stderr: TerminalStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const CLEAR_LINE = '\r\u001b[2K';
/** No longer than a line: of more lines only the last would be cleared. */
const MAX_PROGRESS_LENGTH = 70;

export type Style = Parameters<typeof styleText>[0];

/** What a command has to say. Results go to standard output, everything about them to standard error. */
export class Terminal {
  readonly #options: TerminalOptions;
  readonly #colour: boolean;
  /** Whether results are for programs. */
  #json = false;

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.#colour = wantsColour(options);
  }

  get json(): boolean {
    return this.#json;
  }

  useJson(): void {
    this.#json = true;
  }

  /** Whether somebody sits there who sees progress. */
  get interactive(): boolean {
    return this.#options.stdout.isTTY === true && this.#options.env['CI'] === undefined;
  }

  /** For what draws by itself, such as questions. */
  get screen(): TerminalStream {
    return this.#options.stdout;
  }

  /** A line of the result, as it is: whoever makes it has put data through {@link printable}. */
  line(text = ''): void {
    this.#options.stdout.write(`${text}\n`);
  }

  /** The whole result, for programs. */
  value(value: unknown): void {
    this.line(toJson(value));
  }

  /** A remark that is no result. */
  note(text: string): void {
    this.#options.stderr.write(`${text}\n`);
  }

  /** What is being waited for, until the next call; nothing for those who do not sit there. */
  progress(text = ''): void {
    const { stderr, env } = this.#options;
    if (this.#json || stderr.isTTY !== true || env['CI'] !== undefined || env['TERM'] === 'dumb') return;
    stderr.write(text === '' ? CLEAR_LINE : `${CLEAR_LINE}${printable(text).slice(0, MAX_PROGRESS_LENGTH)} …`);
  }

  style(style: Style, text: string): string {
    return this.#colour ? styleText(style, text, { validateStream: false }) : text;
  }
}

/**
 * Text that came from elsewhere, made safe for a terminal: control characters, among them the escapes that move the
 * cursor, set the title or write to the clipboard, and characters that turn the direction of writing, are spelled out.
 */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) as number;
    return NAMED[character] ?? `\\u{${code.toString(16)}}`;
  });
}

const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu;
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** One line of JSON; control characters beyond those that JSON itself escapes are escaped too, 64-bit numbers are texts. */
export function toJson(value: unknown): string {
  const text =
    JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ?? 'null';
  return text.replace(
    UNSAFE,
    (character) => `\\u${(character.codePointAt(0) as number).toString(16).padStart(4, '0')}`,
  );
}

/** By the conventions of no-color.org and force-color.org. */
function wantsColour({ stdout, env }: TerminalOptions): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return true;
  return stdout.isTTY === true && env['TERM'] !== 'dumb';
}

/** Columns of text, as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] as number)))
      .join('  ')
      .trimEnd(),
  );
}
