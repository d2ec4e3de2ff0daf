import { errorMonitor } from 'node:events';
import { finished } from 'node:stream';
import type { CallFailure } from './call-scope.ts';
import { interceptProperty } from './intercept-property.ts';
import type { WaitingCalls } from './waiting-calls.ts';

type Method = (...args: unknown[]) => unknown;
type NodeStream = NodeJS.ReadableStream | NodeJS.WritableStream;

/** Where a stream's own work happens: inside the call that made it, not in its consumer. */
const workMethods = ['_read', '_write', '_writev', '_final', '_transform', '_flush'] as const;

/** Whether `value` behaves as a Node stream (also a legacy one, or an HTTP message) that can come to an end. */
export function isNodeStream(value: object): value is NodeStream {
  const { on, pipe, write, end, removeListener, _isStdio } = value as Record<string, unknown>;
  if (typeof on !== 'function' || typeof removeListener !== 'function') return false;
  if (typeof pipe !== 'function' && (typeof write !== 'function' || typeof end !== 'function')) return false;
  // The standard streams outlive every call.
  return _isStdio !== true;
}

/**
 * Ends the calls once, when `stream` has ended, finished, closed, failed or been destroyed. Adds no listener
 * that starts the flow or that counts as handling an error. A stream that is destroyed without an error counts
 * as left early, not as failed.
 */
export function trackStream(stream: NodeStream, calls: WaitingCalls): void {
  const onError = (error: unknown): void => calls.end(failureOf(error));
  stream.on(errorMonitor, onError);
  calls.onEnd(() => stream.removeListener(errorMonitor, onError));
  calls.onEnd(
    finished(stream, { error: false }, () => calls.end(failureOf((stream as { errored?: unknown }).errored))),
  );
  for (const name of workMethods) runInside(stream, name, calls);
  if (calls.wantsChunks) watchPush(stream, calls);
}

/** What a stream reads is pushed, whoever consumes it and however. */
function watchPush(stream: NodeStream, calls: WaitingCalls): void {
  const { push } = stream as { push?: unknown };
  if (typeof push !== 'function') return;
  const watched = function (this: unknown, ...args: unknown[]): unknown {
    if (args[0] !== null && args[0] !== undefined) calls.chunk(args[0]);
    return Reflect.apply(push as Method, this, args);
  };
  calls.onEnd(interceptProperty(stream, 'push', watched));
}

function runInside(stream: NodeStream, name: (typeof workMethods)[number], calls: WaitingCalls): void {
  const members = stream as object as Partial<Record<string, unknown>>;
  const method = members[name];
  if (typeof method !== 'function') return;
  // A Transform whose `_final` is not Node's own would flush twice (its `prefinish` listener compares them).
  if (name === '_final' && typeof members['_transform'] === 'function') return;
  const inside = function (this: unknown, ...args: unknown[]): unknown {
    return calls.run(() => Reflect.apply(method as Method, this, args));
  };
  calls.onEnd(interceptProperty(stream, name, inside));
}

function failureOf(error: unknown): CallFailure | undefined {
  if (error === undefined || error === null || isEarlyExit(error)) return undefined;
  return { error };
}

/** Node destroys a stream that a `for await` loop leaves with an AbortError; an aborted signal's has a `cause`. */
function isEarlyExit(error: object): boolean {
  try {
    const { code, cause } = error as { code?: unknown; cause?: unknown };
    return code === 'ABORT_ERR' && cause === undefined;
  } catch {
    return false;
  }
}
