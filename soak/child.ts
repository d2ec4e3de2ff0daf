import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A process of the soak, which runs a module beside this one. */
export class Child<In, Out> {
  readonly #process: ChildProcess;
  #isWanted = true;

  /** Without `onDeath`, a death that nobody asked for ends the soak: a crash must not look like silence. */
  constructor(module: string, onMessage: (message: Out) => void, onDeath?: (how: string) => void) {
    const execArgv = [...process.execArgv, '--expose-gc'];
    this.#process = fork(fileURLToPath(new URL(module, import.meta.url)), { execArgv });
    this.#process.on('message', (message) => onMessage(message as Out));
    // When it dies while something is being sent. What counts is its end.
    this.#process.on('error', () => {});
    // `close` comes after its last message.
    this.#process.once('close', (code, signal) => {
      if (!this.#isWanted) return;
      const how = `${module} ended with ${code ?? signal}`;
      if (onDeath) return onDeath(how);
      process.stderr.write(`${how}\n`);
      process.exit(1);
    });
  }

  send(message: In): void {
    if (this.#process.connected) this.#process.send(message as object);
  }

  /** Without a chance to tidy up. */
  kill(): void {
    this.#process.kill('SIGKILL');
  }

  /** For good. */
  end(): void {
    this.#isWanted = false;
    this.#process.kill();
  }
}
