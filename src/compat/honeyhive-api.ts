import { untraced } from '../infra/untraced.ts';
import { serializeValue } from '../processing/serialize-value.ts';
import type { Clock } from '../utils/clock.ts';
import { sanitizeHeaders } from '../utils/headers.ts';

export interface HoneyHiveApiOptions {
  /** Without a slash at its end. */
  readonly serverUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly failed: (operation: string, error: unknown) => void;
}

const TIMEOUT_MILLIS = 5_000;
const MAX_PENDING = 64;
const LIMITS = { maxBytes: 1_048_576, maxCount: 20_000, maxMillis: 200 };

/**
 * The two calls of HoneyHive's API that spans cannot stand for: sessions are begun and added to. Each has 5 seconds, and
 * there are 64 at a time at most. No call rejects: what goes wrong is told to `failed`.
 */
export class HoneyHiveApi {
  readonly #options: HoneyHiveApiOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #pending = new Set<AbortController>();
  #isClosed = false;

  constructor(options: HoneyHiveApiOptions) {
    this.#options = options;
    // What cannot be sent would be refused with a message that shows it; the destination of the spans says what it is.
    const { headers } = sanitizeHeaders(options.headers);
    this.#headers = { ...headers, 'content-type': 'application/json', accept: 'application/json' };
  }

  /** Answers whether HoneyHive took it. */
  startSession(session: Readonly<Record<string, unknown>>): Promise<boolean> {
    return this.#send('POST', '/session/start', { session });
  }

  /** A session is an event whose id is the session's. Answers whether HoneyHive took it. */
  updateEvent(event: Readonly<Record<string, unknown>>): Promise<boolean> {
    return this.#send('PUT', '/events', event);
  }

  /** Gives up what is under way; nothing is called any more. */
  close(): void {
    this.#isClosed = true;
    for (const controller of this.#pending) controller.abort(new Error('the tracer was shut down'));
  }

  async #send(method: string, path: string, body: object): Promise<boolean> {
    const { clock, failed } = this.#options;
    const operation = `${method} ${path}`;
    if (this.#isClosed) return false;
    if (this.#pending.size >= MAX_PENDING) {
      failed(operation, new Error(`${MAX_PENDING} calls are under way`));
      return false;
    }
    const controller = new AbortController();
    const late = new Error(`no answer within ${TIMEOUT_MILLIS} ms`);
    const timer = clock.schedule(() => controller.abort(late), TIMEOUT_MILLIS);
    this.#pending.add(controller);
    try {
      await untraced(() => this.#call(method, path, serializeValue(body, LIMITS, clock), controller.signal));
      return true;
    } catch (error) {
      failed(operation, controller.signal.aborted ? controller.signal.reason : causeOf(error));
      return false;
    } finally {
      timer.cancel();
      this.#pending.delete(controller);
    }
  }

  async #call(method: string, path: string, body: string, signal: AbortSignal): Promise<void> {
    const response = await fetch(`${this.#options.serverUrl}${path}`, {
      method,
      headers: this.#headers,
      body,
      // A redirect must not take the key elsewhere.
      redirect: 'error',
      signal,
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`HoneyHive answered ${response.status}`);
  }
}

/** `fetch` names what went wrong in the cause only. */
function causeOf(error: unknown): unknown {
  return error instanceof TypeError && error.cause !== undefined ? error.cause : error;
}
