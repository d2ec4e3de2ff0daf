import { type PassThrough, Readable, Writable } from 'node:stream';
import { onTestFinished } from 'vitest';
import type { CliHost } from '../../src/cli/cli-host.ts';
import { runCli } from '../../src/cli/program.ts';
import { Terminal, type TerminalStream } from '../../src/cli/terminal.ts';
import { checkCompatVariables } from '../../src/compat/check-variables.ts';
import { startDashboard } from '../../src/dashboard.ts';

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly isTTY?: boolean;
  /** Whether Ctrl+C reaches the programs that are started as well. */
  readonly hasTerminal?: boolean;
  /** What somebody types there; only then are questions asked. */
  readonly keyboard?: PassThrough;
}

/** A command line that is under way, in this process. */
export interface CliRun {
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly exitCode: Promise<number>;
  /** As SIGTERM. */
  stop(): void;
  /** As a signal to this process, for a command that takes them. */
  signal(name: NodeJS.Signals): void;
  /** Resolves when standard output matches, with what matched. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  /** The same for standard error. */
  noted(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Runs `isotrace` with these arguments. It is stopped with the test. */
export function isotrace(
  args: readonly string[],
  { env = {}, cwd = process.cwd(), isTTY = false, hasTerminal = false, keyboard }: RunOptions = {},
): CliRun {
  const stdout = new Sink(isTTY);
  const stderr = new Sink(isTTY);
  const controller = new AbortController();
  const takers = new Set<(signal: NodeJS.Signals) => void>();
  const terminal = new Terminal({ stdout, stderr, env });
  const host: CliHost = {
    terminal,
    stdin: keyboard ?? Readable.from([]),
    isInteractive: terminal.interactive && keyboard !== undefined,
    env,
    cwd,
    signal: controller.signal,
    takeSignals: (listener) => {
      takers.add(listener);
      return () => void takers.delete(listener);
    },
    hasTerminal,
    startDashboard,
    checkVariables: checkCompatVariables,
  };
  const exitCode = runCli(args, host);
  const signal = (name: NodeJS.Signals): void => {
    for (const taker of takers) taker(name);
  };
  const stop = (): void => {
    controller.abort();
    signal('SIGTERM');
  };
  onTestFinished(async () => {
    stop();
    await exitCode;
  });
  return {
    stdout: () => stdout.text,
    stderr: () => stderr.text,
    exitCode,
    stop,
    signal,
    printed: (pattern) => stdout.matches(pattern),
    noted: (pattern) => stderr.matches(pattern),
  };
}

/** Runs a command to its end. */
export async function isotraceOnce(args: readonly string[], options?: RunOptions) {
  const run = isotrace(args, options);
  const exitCode = await run.exitCode;
  return { exitCode, stdout: run.stdout(), stderr: run.stderr() };
}

class Sink extends Writable implements TerminalStream {
  readonly isTTY: boolean;
  text = '';
  readonly #waiting = new Set<() => void>();

  constructor(isTTY: boolean) {
    super({ decodeStrings: false });
    this.isTTY = isTTY;
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += String(chunk);
    for (const look of this.#waiting) look();
    done();
  }

  matches(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve) => {
      const look = (): void => {
        const match = pattern.exec(this.text);
        if (match === null) return;
        this.#waiting.delete(look);
        resolve(match);
      };
      this.#waiting.add(look);
      look();
    });
  }
}
