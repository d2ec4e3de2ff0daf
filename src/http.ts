import type { IncomingMessage, RequestListener, Server } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { TracerRegistry } from './core/registry.ts';
import type { TracerBase } from './core/tracer-base.ts';
import { exchangeOf, HttpHandler, recordingFailure } from './integration/http-handler.ts';
import { NodeCall, type NodeRequest, type NodeResponse } from './integration/http-node.ts';
import type { HttpOptions } from './integration/http-options.ts';
import { interceptProperty } from './processing/intercept-property.ts';

export type { HttpOptions } from './integration/http-options.ts';

/** Wraps what serves requests; what it answers behaves as what it was given. */
export interface TraceServer {
  /** A request listener, for `createServer`. Errors that it throws or rejects with are recorded. */
  (listener: RequestListener): RequestListener;
  /** A listener for the compatibility API of `node:http2`. */
  (
    listener: (request: Http2ServerRequest, response: Http2ServerResponse) => unknown,
  ): (request: Http2ServerRequest, response: Http2ServerResponse) => unknown;
  /** A server, whatever listens to it: the same server. Upgrades to other protocols are not traced. */
  <S extends Pick<Server, 'emit'>>(server: S): S;
}

type Listener = (this: unknown, request: NodeRequest, response: NodeResponse) => unknown;

/** The events that bring a request and a response. */
const REQUEST_EVENTS: ReadonlySet<unknown> = new Set(['request', 'checkContinue', 'checkExpectation']);

/**
 * For `node:http`, `node:https` and `node:http2`, and for frameworks on top of them that have no adapter of their own: the
 * work of each request runs as its tenant, inside one SERVER span that ends with the response. Node knows no routes; the
 * option `route` gives them.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function http(registry: TracerRegistry<TracerBase>, options: HttpOptions<IncomingMessage>): TraceServer {
  const handler = new HttpHandler('http', registry, options);
  const handle = <T>(request: NodeRequest, response: NodeResponse, proceed: () => T): unknown => {
    const call = new NodeCall(request as IncomingMessage, request, response);
    return handler.handle(call, (exchange) => recordingFailure(exchange, proceed));
  };
  const wrapListener = (listener: Listener): Listener =>
    function (this: unknown, request, response) {
      return handle(request, response, () => Reflect.apply(listener, this, [request, response]) as unknown);
    };
  const wrapServer = (server: Pick<Server, 'emit'>): Pick<Server, 'emit'> => {
    const emit = server.emit as (...args: unknown[]) => boolean;
    interceptProperty(server, 'emit', function (this: unknown, ...args: unknown[]): boolean {
      const [event, request, response] = args;
      const proceed = (): boolean => Reflect.apply(emit, this, args);
      if (!REQUEST_EVENTS.has(event)) return proceed();
      const emitted = handle(request as NodeRequest, response as NodeResponse, proceed);
      return typeof emitted === 'boolean' ? emitted : true;
    });
    return server;
  };
  const trace = (target: unknown): unknown =>
    typeof target === 'function' ? wrapListener(target as Listener) : wrapServer(target as Server);
  return trace as TraceServer;
}

/** Records an error that the application deals with itself on the span of its request. Never throws. */
export function recordError(request: object, error: unknown): void {
  exchangeOf(request).fail(error);
}
