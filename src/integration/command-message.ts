import type { CommandResult } from './command.ts';
import { type Envelope, isCount, kindAmong, objectOf } from './worker-envelope.ts';

/*
 * What a worker and its parent say to each other about commands, on the channel that spans may also take. All are plain
 * objects, so that a program can write them without this package:
 *
 * - worker to parent: `{ isotrace: 'commands', version: 1, first, dropped, commands }`, answered, if `first` is there, with
 * - parent to worker: `{ isotrace: 'answers', version: 1, answers: [{ id, result }] }`; `first` is the id of the first
 *   command, and each other's is one more;
 * - worker to parent: `{ isotrace: 'commands-end', version: 1, dropped }`, when it will send no more.
 *
 * None names a tenant: the parent knows whose worker it is.
 */

/** Commands that go to the parent, in their order. */
export interface CommandsMessage extends Envelope<'commands'> {
  /** A whole number; without it nothing is answered. */
  readonly first?: number | undefined;
  /** How many commands the worker has dropped since its start. */
  readonly dropped?: number | undefined;
  readonly commands: readonly unknown[];
}

/** The parent's answers to the commands of one message. */
export interface AnswersMessage extends Envelope<'answers'> {
  readonly answers: readonly CommandAnswer[];
}

/** What came of one command; `id` is its number, counted from `first`. */
export interface CommandAnswer {
  readonly id: number;
  readonly result: CommandResult;
}

/** The last message of a worker. */
export interface CommandsEndMessage extends Envelope<'commands-end'> {
  /** How many commands the worker has dropped since its start. */
  readonly dropped?: number | undefined;
}

/** A message about commands; `'other'` is about something else, `'malformed'` about commands and not to be understood. */
export type ReadMessage =
  | { readonly kind: 'other' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'end'; readonly dropped: number | undefined }
  | {
      readonly kind: 'commands';
      readonly commands: readonly unknown[];
      readonly first: number | undefined;
      readonly dropped: number | undefined;
    };

/** What came to the parent. May throw what the message throws. */
export function readMessage(message: unknown): ReadMessage {
  const { isotrace, first, dropped, commands } = objectOf(message);
  if (isotrace !== 'commands' && isotrace !== 'commands-end') return { kind: 'other' };
  const kind = kindAmong(message, ['commands', 'commands-end']);
  const told = isCount(dropped) ? dropped : undefined;
  if (kind === 'commands-end') return { kind: 'end', dropped: told };
  if (kind === undefined || !Array.isArray(commands)) return { kind: 'malformed' };
  return { kind, commands, first: isCount(first) ? first : undefined, dropped: told };
}

/** The answers in a message to the worker; `undefined` when it is about something else. May throw what it throws. */
export function readAnswers(message: unknown): readonly CommandAnswer[] | undefined {
  const { answers } = objectOf(message);
  if (kindAmong(message, ['answers']) === undefined || !Array.isArray(answers)) return undefined;
  return answers.filter((answer): answer is CommandAnswer => {
    const { id, result } = objectOf(answer);
    return isCount(id) && typeof objectOf(result)['ok'] === 'boolean';
  });
}
