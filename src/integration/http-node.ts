import type { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { HttpFacts } from './http-attributes.ts';
import type { HttpExchange, HttpOutcome } from './http-exchange.ts';
import type { HttpCall } from './http-handler.ts';

export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** What Node itself reports for a request whose connection is gone. */
const CONNECTION_GONE = 'ECONNRESET';

/** A request of Node's own HTTP servers, as which most frameworks have theirs. */
export class NodeCall<Request> implements HttpCall<Request> {
  readonly request: Request;
  readonly key: NodeRequest;
  readonly arrivedAt: number | undefined;
  readonly isEarly: boolean;
  readonly #response: NodeResponse;
  readonly #route: (() => string | undefined) | undefined;

  constructor(
    request: Request,
    message: NodeRequest,
    response: NodeResponse,
    route?: () => string | undefined,
    { arrivedAt, isEarly = false }: Pick<HttpCall<Request>, 'arrivedAt' | 'isEarly'> = {},
  ) {
    this.request = request;
    this.key = message;
    this.arrivedAt = arrivedAt;
    this.isEarly = isEarly;
    this.#response = response;
    this.#route = route;
  }

  facts(): HttpFacts {
    const { headers, httpVersion, method, socket, url } = this.key;
    const { originalUrl } = this.key as { originalUrl?: unknown };
    const { encrypted, remoteAddress, remotePort } = (socket ?? {}) as Partial<NodeRequest['socket']> & {
      readonly encrypted?: boolean;
    };
    return {
      method,
      // Express and Fastify change `url` while they route.
      target: typeof originalUrl === 'string' ? originalUrl : url,
      headers,
      authority: headers[':authority'] ?? headers.host,
      scheme: encrypted === true ? 'https' : 'http',
      protocolVersion: httpVersion,
      peerAddress: remoteAddress,
      peerPort: remotePort,
    };
  }

  route(): string | undefined {
    return this.#route?.();
  }

  watch(ended: (outcome: HttpOutcome) => void): void {
    const response = this.#response;
    const closed = (): void => ended(outcomeOfClosed(this.key, response));
    // Over HTTP/2, Node says so of every stream that is closed, sent or not.
    const finished = (): void =>
      streamOf(response) === undefined ? ended({ statusCode: response.statusCode }) : closed();
    if (isFinished(response)) finished();
    else if (isClosed(response)) closed();
    else {
      response.once('finish', finished);
      response.once('close', closed);
    }
  }

  bind(exchange: HttpExchange): void {
    enterOnEmit(this.key, exchange);
    enterOnEmit(this.#response, exchange);
  }
}

/** Under this key a request or response knows the exchange that its listeners run in. */
const ENTERED = Symbol('isotrace.http.entered');

/**
 * Runs what listens to a request or a response in its tenant's scope, unless it is emitted there: Node emits most events
 * in the context of the connection. `bindEmitter` would cost 11 to 17 µs a request.
 */
function enterOnEmit(emitter: EventEmitter, exchange: HttpExchange): void {
  const target = emitter as EventEmitter & { [ENTERED]?: HttpExchange };
  const isNew = target[ENTERED] === undefined;
  target[ENTERED] = exchange;
  if (!isNew) return;
  const { emit } = target;
  target.emit = function (this: typeof target, ...args: Parameters<typeof emit>): boolean {
    return (target[ENTERED] as HttpExchange).resume(() => Reflect.apply(emit, this, args));
  };
}

/** Closed before everything was sent. A connection that became another protocol's was never to get a response. */
function outcomeOfClosed(request: NodeRequest, response: NodeResponse): HttpOutcome {
  if (isFinished(response)) return { statusCode: response.statusCode };
  if (response.headersSent) return { statusCode: response.statusCode, broken: CONNECTION_GONE };
  // Node sets it where somebody listens to upgrades; a header alone asks for one in vain.
  const isUpgraded = (request as { readonly upgrade?: unknown }).upgrade === true;
  return isUpgraded ? { statusCode: 101 } : { statusCode: undefined, broken: CONNECTION_GONE };
}

function isFinished(response: NodeResponse): boolean {
  const stream = streamOf(response);
  // A stream that was aborted is finished as well.
  if (stream !== undefined) return stream.writableFinished === true && stream.aborted !== true;
  return (response as Partial<ServerResponse>).writableFinished === true;
}

function isClosed(response: NodeResponse): boolean {
  const { destroyed } = response as { readonly destroyed?: boolean };
  return destroyed === true || streamOf(response)?.destroyed === true;
}

/** Of a response over HTTP/2. */
function streamOf(response: NodeResponse): Partial<Http2ServerResponse['stream']> | undefined {
  return (response as Partial<Http2ServerResponse>).stream;
}
