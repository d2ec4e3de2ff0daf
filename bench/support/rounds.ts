import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { OWN_PEERS, PEER_NAMES, type PeerName } from '../peers/peer.ts';
import { median } from './measure.ts';
import { type Figures, type Question, type Row, type Task, variantsOf } from './question.ts';

/** What was measured for one peer in one row. */
export interface PeerAnswer {
  /** Median of all rounds. */
  readonly value: number;
  /** Median of the ratios to the first peer, each taken within one round; absent for that peer itself. */
  readonly ratio?: number;
}

export interface AnsweredRow extends Row {
  readonly answers: Partial<Readonly<Record<PeerName, PeerAnswer>>>;
  /** Whether isotrace reaches the goal; absent where there is none. */
  readonly met?: boolean;
}

export interface Answer {
  readonly question: string;
  readonly title: string;
  readonly rounds: number;
  readonly rows: readonly AnsweredRow[];
}

export interface RoundOptions {
  readonly rounds: number;
  readonly short: boolean;
  /** Of those that a question is for. */
  readonly peers: readonly PeerName[];
  /** The Node binary that measures. */
  readonly execPath: string;
  /** Which variants. */
  readonly only: (variant: string) => boolean;
  /** Where each child leaves a CPU profile. */
  readonly profileDirectory: string | undefined;
  readonly progress: (line: string) => void;
}

/** Longer than most measurements take. */
const MAX_MILLIS = 300_000;

/** Of any unit that is used here: a ratio to so little says nothing. */
const NOTHING = 0.5;

type Round = Partial<Record<PeerName, Figures>>;

/**
 * Asks one question: in each round every peer once, in a fresh process, in an order that turns round, so that what
 * else the machine does meets all peers alike.
 */
export async function ask(question: Question, options: RoundOptions): Promise<Answer> {
  const { only, progress, rounds, short } = options;
  const variants = variantsOf(question, short).filter(only);
  const peersOf = (variant: string): readonly PeerName[] => {
    const asked = question.peers?.(variant) ?? OWN_PEERS;
    return asked.filter((peer) => options.peers.includes(peer));
  };
  const measured = new Map<string, Round[]>(variants.map((variant) => [variant, []]));
  for (let round = 0; round < rounds; round++) {
    for (const variant of variants) {
      const figures: Round = {};
      const peers = peersOf(variant);
      for (const peer of round % 2 === 0 ? peers : peers.toReversed()) {
        progress(`${question.name}, round ${round + 1} of ${rounds}: ${variant}, ${peer}`);
        try {
          figures[peer] = await measureInChild(question, { peer, variant, short }, options);
        } catch (error) {
          // Of another library's failure only its own column suffers.
          if (OWN_PEERS.includes(peer)) throw error;
          progress(String(error));
        }
      }
      measured.get(variant)?.push(figures);
    }
  }
  const rows = question.rows.filter(({ variant }) => measured.has(variant));
  return {
    question: question.name,
    title: question.title,
    rounds,
    rows: rows.map((row) => answerRow(row, measured.get(row.variant) ?? [], peersOf(row.variant))),
  };
}

function answerRow(row: Row, rounds: readonly Round[], peers: readonly PeerName[]): AnsweredRow {
  const base = PEER_NAMES[0] as PeerName;
  const answers: Partial<Record<PeerName, PeerAnswer>> = {};
  for (const peer of peers) {
    const values = rounds.map((round) => round[peer]?.[row.figure] ?? Number.NaN);
    if (values.some(Number.isNaN)) continue;
    const ratios = rounds.map(
      (round, index) => (values[index] ?? Number.NaN) / (round[base]?.[row.figure] ?? Number.NaN),
    );
    const ratio = median(ratios);
    const comparable = peer !== base && Number.isFinite(ratio) && Math.abs(answers[base]?.value ?? 0) > NOTHING;
    answers[peer] = { value: median(values), ...(comparable && { ratio }) };
  }
  const met = isMet(row, answers.isotrace);
  return { ...row, answers, ...(met !== undefined && { met }) };
}

function isMet({ better, goal }: Row, answer: PeerAnswer | undefined): boolean | undefined {
  if (goal === undefined || answer === undefined) return undefined;
  const [reached, wanted] = 'ratio' in goal ? [answer.ratio ?? Number.NaN, goal.ratio] : [answer.value, goal.value];
  return better === 'higher' ? reached >= wanted : reached <= wanted;
}

async function measureInChild(
  { name: question, maxMillis = MAX_MILLIS }: Question,
  task: Task,
  { execPath, profileDirectory }: RoundOptions,
): Promise<Figures> {
  const profile =
    profileDirectory === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}/${nameOf(question, task)}`];
  const child = fork(fileURLToPath(new URL('child.ts', import.meta.url)), {
    execArgv: [...process.execArgv, ...profile],
    execPath,
    timeout: maxMillis,
  });
  const exited = once(child, 'exit');
  let figures: Figures | undefined;
  child.once('message', (message) => {
    figures = message as Figures;
  });
  child.send({ question, task });
  const [code] = await exited;
  if (code !== 0 || figures === undefined)
    throw new Error(`${question}, ${task.variant}, ${task.peer}: the child ended with code ${code}`);
  return figures;
}

function nameOf(question: string, { peer, variant }: Task): string {
  return `${question} ${variant} ${peer}`.replace(/[^a-z0-9]+/gi, '-');
}
