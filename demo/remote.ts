import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a child process can be asked to do. Arguments and results go through JSON. */
type Methods<M> = { [Name in keyof M]: (...args: never[]) => unknown };

type Result<F> = F extends (...args: never[]) => infer R ? Awaited<R> : never;

interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** A child process of the demo that answers calls over IPC. */
export class Remote<M extends Methods<M>> {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #over = false;

  /** @param module the file next to this one that calls `serve` */
  constructor(module: string) {
    this.#child = fork(fileURLToPath(new URL(module, import.meta.url)));
    // A loader may send messages of its own: only replies count.
    this.#child.on('message', (message) => this.#settle(message as Partial<Reply>));
    this.#child.once('exit', (code) => this.#ended(new Error(`${module} exited with code ${code}`)));
    this.#child.once('error', (error) => this.#ended(error));
  }

  ask<Name extends keyof M & string>(method: Name, ...args: Parameters<M[Name]>): Promise<Result<M[Name]>> {
    if (this.#over) return Promise.reject(new Error('the process is over'));
    this.#calls += 1;
    const call: Call = { id: this.#calls, method, args };
    return new Promise((resolve, reject) => {
      this.#waiting.set(call.id, { resolve: resolve as Waiting['resolve'], reject });
      this.#child.send(call);
    });
  }

  /** The child ends when nobody can call it any more. */
  close(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  #settle({ id = 0, result, error }: Partial<Reply>): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  #ended(error: Error): void {
    this.#over = true;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** In the child: answers the parent's calls until the parent is gone. */
export function serve<M extends Methods<M>>(methods: M): void {
  const answer = async ({ id, method, args }: Call): Promise<Reply> => {
    try {
      return { id, result: await methods[method as keyof M](...(args as never[])) };
    } catch (error) {
      return { id, error: String(error) };
    }
  };
  process.on('message', (call: Call) => {
    void answer(call).then((reply) => process.send?.(reply));
  });
  process.once('disconnect', () => process.exit());
}
