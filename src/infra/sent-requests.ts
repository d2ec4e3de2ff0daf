import { subscribe, unsubscribe } from 'node:diagnostics_channel';

/** One call whose requests are watched: the first one, and those that redirects and retries lead to. */
export interface WatchedCall {
  /** What was added to the first request, by names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether a later request may have it as well. Must not throw. */
  allows(url: URL): boolean;
}

/** What undici publishes of a request that it is about to send. */
interface UndiciRequest {
  readonly origin?: unknown;
  readonly path?: unknown;
  /** Names and values in turn. */
  readonly headers?: unknown;
}

const CHANNEL = 'undici:request:create';
const CALL_HEADER = 'traceparent';

/**
 * Follows calls of `fetch` through redirects, which it makes by itself and with all headers but a few: what was meant
 * for one host is taken out again where it may not go. A call is known by its `traceparent`, which only it has, so that
 * requests are also found where undici's pools have lost the async context. Sees Node's own `fetch` and undici's.
 */
class SentRequests {
  readonly #calls = new Map<string, { readonly call: WatchedCall; sent: number }>();
  readonly #listener = (message: unknown): void => {
    try {
      this.#sending((message as { request: UndiciRequest }).request);
    } catch {
      // What is published is not what it was when this was written; nothing may come out of here.
    }
  };

  /** Watches until the function that it answers is called, which answers how many requests there were after the first. */
  watch(call: WatchedCall): () => number {
    const key = call.headers[CALL_HEADER];
    if (key === undefined) return () => 0;
    const watched = { call, sent: 0 };
    if (this.#calls.size === 0) subscribe(CHANNEL, this.#listener);
    this.#calls.set(key, watched);
    return () => {
      if (this.#calls.delete(key) && this.#calls.size === 0) unsubscribe(CHANNEL, this.#listener);
      return Math.max(watched.sent - 1, 0);
    };
  }

  #sending({ headers, origin, path }: UndiciRequest): void {
    if (!Array.isArray(headers)) return;
    const watched = this.#find(headers);
    if (watched === undefined) return;
    watched.sent += 1;
    const { call, sent } = watched;
    if (sent === 1 || call.allows(new URL(String(path), String(origin)))) return;
    for (let index = headers.length - 2; index >= 0; index -= 2) {
      const value = call.headers[String(headers[index]).toLowerCase()];
      if (value !== undefined && value === headers[index + 1]) headers.splice(index, 2);
    }
  }

  #find(headers: readonly unknown[]) {
    for (let index = 0; index < headers.length; index += 2) {
      if (String(headers[index]).toLowerCase() === CALL_HEADER) return this.#calls.get(String(headers[index + 1]));
    }
    return undefined;
  }
}

/** The process's: so is undici's channel. */
export const sentRequests = new SentRequests();
