import type { PeerName } from '../peers/peer.ts';

/** What one child process measures. */
export interface Task {
  readonly peer: PeerName;
  readonly variant: string;
  /** A few seconds instead of exact figures. */
  readonly short: boolean;
}

/** The first goal of the design: at most (or, where more is better, at least) so much of stock's, or in itself. */
export type Goal = { readonly ratio: number } | { readonly value: number };

/** One line of the answer: a figure of each peer. */
export interface Row {
  readonly variant: string;
  /** The figure's name among those that `measure` answers. */
  readonly figure: string;
  readonly unit: string;
  /** Default: `lower`. */
  readonly better?: 'lower' | 'higher';
  readonly goal?: Goal;
}

export type Figures = Readonly<Record<string, number>>;

export interface Question {
  /** As it is named on the command line. */
  readonly name: string;
  readonly title: string;
  /** Whom a variant is asked of, unless fewer are wanted. Default: those of the root install. */
  readonly peers?: (variant: string) => readonly PeerName[];
  readonly rows: readonly Row[];
  readonly rounds: number;
  /** What one measurement may take. Default: 300,000. */
  readonly maxMillis?: number;
  /** What is measured in the short form. Default: all variants. */
  readonly shortVariants?: readonly string[];
  /** Runs in a process of its own. Throws when a figure would not be worth anything, as when spans are missing. */
  measure(task: Task): Promise<Figures>;
}

export function variantsOf({ rows, shortVariants }: Question, short: boolean): string[] {
  const variants = [...new Set(rows.map(({ variant }) => variant))];
  return short && shortVariants !== undefined ? [...shortVariants] : variants;
}
