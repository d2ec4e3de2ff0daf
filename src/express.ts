import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import type { TracerRegistry } from './core/registry.ts';
import type { TracerBase } from './core/tracer-base.ts';
import { ExpressRoutes } from './integration/express-route.ts';
import { exchangeOf, HttpHandler } from './integration/http-handler.ts';
import { NodeCall } from './integration/http-node.ts';
import type { HttpOptions } from './integration/http-options.ts';

export type { HttpOptions } from './integration/http-options.ts';

/**
 * Middleware for Express 4 and 5: what comes after it runs as the request's tenant, inside one SERVER span that ends with
 * the response. Use it after the middleware that authenticates, and before everything that is to be traced.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function express(registry: TracerRegistry<TracerBase>, options: HttpOptions<Request>): RequestHandler {
  const handler = new HttpHandler('express', registry, options);
  const routes = new ExpressRoutes();
  return (request, response, next) => {
    const call = new NodeCall(request, request, response, routes.watch(request));
    void handler.handle(call, () => next());
  };
}

/**
 * Error-handling middleware for Express, before the application's own: records the error on the request's span and hands
 * the very same error on.
 */
export function recordErrors(): ErrorRequestHandler {
  return (error, request, _response, next) => {
    exchangeOf(request).fail(error);
    next(error);
  };
}
