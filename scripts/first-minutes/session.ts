import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Where things are while the commands run, and where the transcript says that they are. */
export interface SessionPlaces {
  readonly project: string;
  readonly env: NodeJS.ProcessEnv;
  /** What stands for this machine, in the commands and in what they print, in order. */
  readonly replacements: readonly (readonly [actual: string | RegExp, shown: string])[];
}

export interface Block {
  readonly command: string;
  readonly output: string;
}

const PATIENCE_MILLIS = 120_000;

/** Runs commands one after the other, or beside the others as in a terminal of their own, and keeps what they print. */
export class Session implements AsyncDisposable {
  readonly blocks: Block[] = [];
  readonly #places: SessionPlaces;
  readonly #running = new Set<BackgroundCommand>();

  constructor(places: SessionPlaces) {
    this.#places = places;
  }

  /** Resolves with what a command printed. Rejects when it ends otherwise than expected. */
  async run(command: string, { exitCode = 0 }: { readonly exitCode?: number } = {}): Promise<string> {
    const running = this.start(command);
    const [code] = await running.closed;
    this.#running.delete(running);
    if (code !== exitCode) throw new Error(`${command} ended with ${code}:\n${running.output}`);
    return this.keep(command, running.output);
  }

  /** A command that goes on. It is stopped with the session. */
  start(command: string): BackgroundCommand {
    const { project, env } = this.#places;
    const running = new BackgroundCommand(
      spawn(command, { cwd: project, env, shell: 'bash', detached: true }),
      command,
    );
    this.#running.add(running);
    return running;
  }

  /** Notes a command with what it printed, without what is only of this machine. */
  keep(command: string, output: string): string {
    const block = { command: this.#shown(command), output: this.#shown(output).trim() };
    this.blocks.push(block);
    return `\`\`\`console\n$ ${block.command}\n${block.output}${block.output === '' ? '' : '\n'}\`\`\``;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running) await running.stop();
  }

  #shown(text: string): string {
    let shown = text;
    for (const [actual, replacement] of this.#places.replacements)
      shown = shown.replaceAll(actual as RegExp, replacement);
    return shown
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n');
  }
}

/** A command that is under way, with all processes that it started. */
export class BackgroundCommand {
  output = '';
  readonly closed: Promise<[number | null]>;
  readonly #child: ChildProcess;
  readonly #command: string;
  readonly #waiting = new Set<() => void>();

  constructor(child: ChildProcess, command: string) {
    this.#child = child;
    this.#command = command;
    this.closed = once(child, 'close') as Promise<[number | null]>;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += String(chunk);
        for (const wake of this.#waiting) wake();
      });
    }
  }

  /** Resolves when what it has printed matches. */
  async printed(pattern: RegExp): Promise<void> {
    const giveUp = AbortSignal.timeout(PATIENCE_MILLIS);
    while (!pattern.test(this.output)) {
      await new Promise<void>((resolve, reject) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
        void this.closed.then(wake);
        giveUp.addEventListener('abort', () => reject(new Error(`${this.#command}: no ${pattern} in\n${this.output}`)));
      });
      const ended = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (ended && !pattern.test(this.output)) throw new Error(`${this.#command} ended:\n${this.output}`);
    }
  }

  /** As Ctrl+C. */
  async stop(): Promise<void> {
    const { pid } = this.#child;
    if (pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    process.kill(-pid, 'SIGINT');
    const deadline = setTimeout(() => process.kill(-pid, 'SIGKILL'), 10_000);
    await this.closed;
    clearTimeout(deadline);
  }
}
