import type { ChildProcess } from 'node:child_process';
import type { MessagePort, Worker } from 'node:worker_threads';
import type { ConfigIssue } from '../utils/errors.ts';
import { providesMethods } from '../utils/option-checks.ts';
import { describeKind } from '../utils/secret.ts';

/** The other side of a channel: for the parent its worker, child or a port; for those `parentPort`, `process` or a port. */
export type WorkerTarget = MessagePort | Worker | ChildProcess | NodeJS.Process;

/** What all of them have. */
interface Endpoint {
  postMessage?(message: unknown): void;
  send?(message: unknown, callback: (error: Error | null) => void): boolean;
  readonly connected?: boolean;
  readonly threadId?: number;
  on(event: string, listener: (message: unknown) => void): unknown;
  off(event: string, listener: (message: unknown) => void): unknown;
}

/** Whether one can listen to it; `parentPort` is `null` in the main thread. Never throws. */
export function isTarget(value: unknown): value is WorkerTarget {
  return providesMethods(value, ['on', 'off']);
}

/** What is wrong with a target that is none. */
export function targetIssue(value: unknown): ConfigIssue {
  const accepted = 'a MessagePort, a Worker, a ChildProcess, or the process that is one';
  return { option: 'target', accepted, received: describeKind(value) };
}

/** Events after which nothing more comes: of ports, and of workers. */
const ENDINGS: readonly string[] = ['close', 'exit'];
/** The exit of a process may be told before its last messages; and `exit` of `process` is this process's own. */
const CHANNEL_ENDINGS: readonly string[] = ['disconnect'];
/** What a `Worker` says of its thread when that is over. */
const ENDED_THREAD = -1;

/** Sends a message; `failed` is told if it cannot, and `gone` when this side holds it no more. */
export function sendTo(
  target: WorkerTarget,
  message: unknown,
  failed: (error: unknown) => void,
  gone: () => void = () => undefined,
): void {
  const fail = (error: unknown): void => {
    gone();
    failed(error);
  };
  try {
    const endpoint = target as Endpoint;
    if (endpoint.postMessage !== undefined) {
      endpoint.postMessage(message);
      gone();
    } else if (endpoint.send === undefined || endpoint.connected === false) fail(new Error('there is no channel'));
    else endpoint.send(message, (error) => (error === null ? gone() : fail(error)));
  } catch (error) {
    fail(error);
  }
}

/**
 * Calls `received` for each message until what it answers is called. Whoever listens to the channel of a process, or of a
 * worker to its parent, keeps it alive.
 */
export function listenTo(target: WorkerTarget, received: (message: unknown) => void): () => void {
  const endpoint = target as Endpoint;
  endpoint.on('message', received);
  return () => void endpoint.off('message', received);
}

/** Calls `ended` once when the other side is gone, unless what it answers is called before. */
export function onEnd(target: WorkerTarget, ended: () => void): () => void {
  const endpoint = target as Endpoint;
  const endings = endpoint.postMessage === undefined ? CHANNEL_ENDINGS : ENDINGS;
  let isWatched = true;
  const stop = (): void => {
    isWatched = false;
    for (const event of endings) endpoint.off(event, listener);
  };
  const listener = (): void => {
    stop();
    ended();
  };
  for (const event of endings) endpoint.on(event, listener);
  // Of one that ended before nothing is told any more.
  if (endpoint.connected === false || endpoint.threadId === ENDED_THREAD) queueMicrotask(() => isWatched && listener());
  return stop;
}
