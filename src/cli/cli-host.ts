import type { Readable } from 'node:stream';
import type { ConfigIssue } from '../utils/errors.ts';
import type { Terminal } from './terminal.ts';

export type Variables = Readonly<Record<string, string | undefined>>;

/** A dashboard, as far as commands use it. */
export interface RunningDashboard {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface DashboardChoices {
  readonly port?: number;
  readonly host?: string;
  readonly directory?: string;
  readonly maxBytes?: number;
  readonly token?: string;
  readonly tenantHeader?: string;
  readonly tenantAttribute?: string;
}

/** What commands need of the process around them. */
export interface CliHost {
  readonly terminal: Terminal;
  /** Where answers to questions come from. */
  readonly stdin: Readable;
  /** Whether somebody sits there who can be asked. */
  readonly isInteractive: boolean;
  readonly env: Variables;
  readonly cwd: string;
  /** Aborted when the user wants to stop. */
  readonly signal: AbortSignal;
  /** From now on signals are for `listener` and stop nothing here, until what this returns is called. */
  takeSignals(listener: (signal: NodeJS.Signals) => void): () => void;
  /** Whether Ctrl+C reaches the programs that are started as well. */
  readonly hasTerminal: boolean;
  startDashboard(choices: DashboardChoices): Promise<RunningDashboard>;
  /** What is wrong with the variables that other systems' names are for. */
  checkVariables(env: Variables): readonly ConfigIssue[];
}

/** What the process ends with. */
export const EXIT = { good: 0, problems: 1, usage: 2 } as const;

/** What a command came to; good unless it says otherwise. */
export interface Outcome {
  exitCode: number;
}

/** Ends a command with a sentence for its user. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.problems) {
    super(message);
    this.exitCode = exitCode;
  }
}
