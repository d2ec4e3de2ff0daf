import { untraced } from '../infra/untraced.ts';
import { serializeValue } from '../processing/serialize-value.ts';

export interface HoneyHiveApiOptions {
  /** Without a slash at its end. */
  readonly serverUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly failed: (operation: string, error: unknown) => void;
}

const TIMEOUT_MILLIS = 5_000;
const MAX_PENDING = 64;
const MAX_BODY_BYTES = 1_048_576;

/**
 * The two calls of HoneyHive's API that spans cannot stand for: sessions are begun and added to. Each has 5 seconds, and
 * there are 64 at a time at most. No call rejects: what goes wrong is told to `failed`.
 */
export class HoneyHiveApi {
  readonly #options: HoneyHiveApiOptions;
  readonly #pending = new Set<Promise<boolean>>();

  constructor(options: HoneyHiveApiOptions) {
    this.#options = options;
  }

  /** Answers whether HoneyHive took it. */
  startSession(session: Readonly<Record<string, unknown>>): Promise<boolean> {
    return this.#send('POST', '/session/start', { session });
  }

  /** A session is an event whose id is the session's. Answers whether HoneyHive took it. */
  updateEvent(event: Readonly<Record<string, unknown>>): Promise<boolean> {
    return this.#send('PUT', '/events', event);
  }

  /** Waits for the calls that are under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #send(method: string, path: string, body: object): Promise<boolean> {
    const operation = `${method} ${path}`;
    if (this.#pending.size >= MAX_PENDING) {
      this.#options.failed(operation, new Error(`${MAX_PENDING} calls are under way`));
      return false;
    }
    const call = untraced(() => this.#call(method, path, serializeValue(body, { maxBytes: MAX_BODY_BYTES })));
    const answer = call.catch((error: unknown) => {
      this.#options.failed(operation, error);
      return false;
    });
    this.#pending.add(answer);
    const isTaken = await answer;
    this.#pending.delete(answer);
    return isTaken;
  }

  async #call(method: string, path: string, body: string): Promise<boolean> {
    const { headers, serverUrl } = this.#options;
    const response = await fetch(`${serverUrl}${path}`, {
      method,
      headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
      body,
      // A redirect must not take the key elsewhere.
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MILLIS),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`HoneyHive answered ${response.status}`);
    return true;
  }
}
