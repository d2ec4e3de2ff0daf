import type { WriteStream } from 'node:tty';

const PLAIN_LINE_MILLIS = 500;

/** Says how far the work is: one line that changes in place on a terminal, now and then a line elsewhere. */
export class Progress {
  readonly #stream: WriteStream;
  #lastLine = '';
  #lastLineAt = Number.NEGATIVE_INFINITY;

  constructor(stream: WriteStream) {
    this.#stream = stream;
  }

  show(text: string): void {
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\x1b[K${text.slice(0, this.#stream.columns - 1)}`);
      return;
    }
    const now = performance.now();
    if (text === this.#lastLine || now - this.#lastLineAt < PLAIN_LINE_MILLIS) return;
    this.#lastLine = text;
    this.#lastLineAt = now;
    this.#stream.write(`${text}\n`);
  }

  /** Takes the changing line away and prints one that stays. */
  say(text: string): void {
    this.#stream.write(`${this.#stream.isTTY ? '\r\x1b[K' : ''}${text}\n`);
  }

  /** Shows what `describe` answers, several times a second, until the work is over. */
  async during<T>(work: Promise<T>, describe: () => string | Promise<string>): Promise<T> {
    const timer = setInterval(() => {
      // A description that fails says nothing; if it matters, the work fails too.
      Promise.resolve(describe()).then(
        (text) => this.show(text),
        () => undefined,
      );
    }, 100);
    try {
      return await work;
    } finally {
      clearInterval(timer);
    }
  }
}
