import { trackResult } from '../processing/track-result.ts';
import type { HttpFacts } from './http-attributes.ts';
import type { HttpOutcome } from './http-exchange.ts';
import type { HttpCall } from './http-handler.ts';

/** A web `Request`, for servers that have no Node response to wait for. */
export class WebCall<Request_> implements HttpCall<Request_> {
  readonly request: Request_;
  readonly key: Request;
  readonly #route: () => string | undefined;
  #ended: ((outcome: HttpOutcome) => void) | undefined;
  #statusCode: number | undefined;

  constructor(request: Request_, key: Request, route: () => string | undefined) {
    this.request = request;
    this.key = key;
    this.#route = route;
  }

  facts(): HttpFacts {
    const { headers, method, url } = this.key;
    const { host, protocol } = new URL(url);
    return { method, target: url, headers, authority: host, scheme: protocol === 'https:' ? 'https' : 'http' };
  }

  route(): string | undefined {
    return this.#route();
  }

  watch(ended: (outcome: HttpOutcome) => void): void {
    const { signal } = this.key;
    const aborted = (): void => ended({ statusCode: this.#statusCode, broken: 'AbortError' });
    if (signal.aborted) aborted();
    signal.addEventListener('abort', aborted, { once: true });
    this.#ended = (outcome) => {
      signal.removeEventListener('abort', aborted);
      ended(outcome);
    };
  }

  /** The response is made, or there is none: it is over when its body has been read. It stays the same object. */
  responded(response: Response | undefined): void {
    const ended = this.#ended;
    if (ended === undefined) return;
    if (response === undefined) {
      ended({ statusCode: undefined, broken: '_OTHER' });
      return;
    }
    const { body, status: statusCode } = response;
    this.#statusCode = statusCode;
    if (body === null || this.key.method === 'HEAD') ended({ statusCode });
    else
      trackResult(body, {
        run: (fn) => fn(),
        end: (failure) => ended({ statusCode, ...(failure !== undefined && { broken: 'AbortError' }) }),
      });
  }
}
