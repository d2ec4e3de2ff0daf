import type { ReadableStream, StreamPipeOptions } from 'node:stream/web';
import { interceptProperty } from './intercept-property.ts';
import { trackIterator } from './track-iterator.ts';
import { readThen, watchThenable } from './track-thenable.ts';
import type { WaitingCalls } from './waiting-calls.ts';

type Method = (...args: unknown[]) => unknown;
type Interceptor = (original: Method, args: unknown[]) => unknown;
type Members = Partial<Record<PropertyKey, unknown>>;

/** Whether `value` is a web `ReadableStream`, the platform's or a library's, that nobody reads yet. */
export function isUnlockedWebStream(value: object): value is ReadableStream {
  const { getReader, cancel, pipeTo, tee, locked } = value as Members;
  return (
    typeof getReader === 'function' &&
    typeof cancel === 'function' &&
    typeof pipeTo === 'function' &&
    typeof tee === 'function' &&
    locked === false
  );
}

/**
 * Ends the calls once, when `stream` has been read to its end, cancelled, or has failed. The object stays the
 * same and so do its readers and branches: only the public methods are intercepted. A consumer that goes around
 * them (the reader's constructor, a transfer to another thread) is not seen.
 */
export function trackWebStream(stream: ReadableStream, calls: WaitingCalls): void {
  const pipeTo = bindMethod(stream, 'pipeTo');
  const getReader = bindMethod(stream, 'getReader');
  const intercept = (key: PropertyKey, interceptor: Interceptor): void =>
    interceptMethod(stream, key, calls, (original, args) =>
      // On a locked stream each of these only fails: the one that holds the lock decides on the end.
      calls.isOver || stream.locked ? original(...args) : interceptor(original, args),
    );

  intercept('getReader', (original, args) => {
    const reader = original(...args) as object;
    guarded(() => trackReader(reader, calls));
    return reader;
  });
  intercept('cancel', (cancel, args) => endWith(cancel, args, calls));
  intercept('pipeTo', (original, args) => endWith(original, args, calls));
  intercept('tee', (tee, args) => {
    const branches = calls.run(() => tee(...args)) as ReadableStream[];
    // A branch's `cancel` settles once both are cancelled, so that either branch can tell when the source is over.
    guarded(() => {
      for (const branch of branches) trackWebStream(branch, calls);
    });
    return branches;
  });
  for (const key of ['values', Symbol.asyncIterator]) {
    intercept(key, (values, args) => {
      const iterator = values(...args) as object;
      guarded(() => {
        const keepsStream = Boolean((args[0] as { preventCancel?: unknown } | undefined)?.preventCancel);
        trackIterator(iterator, 'async', calls, keepsStream ? ['next', 'throw'] : undefined);
      });
      return iterator;
    });
  }
  intercept('pipeThrough', (pipeThrough, args) => {
    const piped = pipeTo && getReader && pipeVisibly(args, pipeTo, getReader, calls);
    if (piped !== undefined) return piped;
    const readable = pipeThrough(...args);
    calls.end();
    return readable;
  });
}

function trackReader(reader: object, calls: WaitingCalls): void {
  let isReleased = false;
  let isCancelled = false;
  const { closed } = reader as { closed: Promise<unknown> };
  closed.then(
    // After a cancel its own promise decides: the other branch of a tee may still be read.
    () => isCancelled || calls.end(),
    // A release rejects too, and leaves the stream to the next reader.
    (error: unknown) => isReleased || calls.end({ error }),
  );
  interceptMethod(reader, 'read', calls, (read, args) => {
    const step = calls.run(() => read(...args));
    return calls.wantsChunks ? watchRead(step, calls) : step;
  });
  interceptMethod(reader, 'cancel', calls, (cancel, args) => {
    if (isReleased) return cancel(...args);
    isCancelled = true;
    return endWith(cancel, args, calls);
  });
  interceptMethod(reader, 'releaseLock', calls, (releaseLock, args) => {
    const released = releaseLock(...args);
    isReleased = true;
    return released;
  });
}

function watchRead(step: unknown, calls: WaitingCalls): unknown {
  const then = readThen(step);
  if (then === undefined) return step;
  const watched = watchThenable(step as object, then, {
    run: (start) => start(),
    fulfilled: (result) => {
      const { done, value } = result as { done: boolean; value: unknown };
      if (!done) calls.chunk(value);
    },
    rejected: () => undefined,
  });
  return watched ?? step;
}

/**
 * The specification's `pipeThrough` is `pipeTo` with an unseen promise, which tells when the stream is over.
 * `undefined`, and nothing done, for arguments that `pipeThrough` itself must judge.
 */
function pipeVisibly(args: unknown[], pipeTo: Method, getReader: Method, calls: WaitingCalls): object | undefined {
  const [pair, options] = args as [Members | undefined, StreamPipeOptions | undefined];
  const readable = pair?.['readable'];
  const writable = pair?.['writable'];
  const signal = options?.signal;
  if (!(readable instanceof globalThis.ReadableStream)) return undefined;
  if (!(writable instanceof WritableStream) || writable.locked) return undefined;
  if (signal !== undefined && !(signal instanceof AbortSignal)) return undefined;
  const piped = calls.run(() => pipeTo(writable, options)) as Promise<unknown>;
  piped.then(
    () => calls.end(),
    (error: unknown) => guarded(() => endUnlessKept(error, getReader, options?.preventCancel === true, calls)),
  );
  return readable;
}

/** A pipe fails too when its consumer has had enough. The stream, free again, tells whether it failed itself. */
function endUnlessKept(pipeError: unknown, getReader: Method, isKept: boolean, calls: WaitingCalls): void {
  const reader = getReader() as { closed: Promise<unknown>; releaseLock(): void };
  reader.closed.then(
    () => calls.end(),
    (error: unknown) => {
      if (Object.is(error, pipeError)) calls.end({ error });
      else if (!isKept) calls.end();
    },
  );
  reader.releaseLock();
}

/** Calls a method whose promise settles when the stream is over. */
function endWith(method: Method, args: unknown[], calls: WaitingCalls): unknown {
  const result = calls.run(() => method(...args));
  const then = readThen(result);
  if (then === undefined) return result;
  const watched = watchThenable(result as object, then, {
    run: (start) => start(),
    fulfilled: () => calls.end(),
    rejected: (error) => calls.end({ error }),
  });
  return watched ?? result;
}

function interceptMethod(target: object, key: PropertyKey, calls: WaitingCalls, interceptor: Interceptor): void {
  const original = bindMethod(target, key);
  if (original === undefined) return;
  calls.onEnd(interceptProperty(target, key, (...args: unknown[]) => interceptor(original, args)));
}

function bindMethod(target: object, key: PropertyKey): Method | undefined {
  const method = (target as Members)[key];
  return typeof method === 'function' ? (...args) => Reflect.apply(method, target, args) as unknown : undefined;
}

function guarded(watch: () => void): void {
  try {
    watch();
  } catch {
    // The consumer's own call has succeeded: it must not fail because the result cannot be watched.
  }
}
