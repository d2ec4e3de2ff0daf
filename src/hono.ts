import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { TracerRegistry } from './core/registry.ts';
import type { TracerBase } from './core/tracer-base.ts';
import { type HttpCall, HttpHandler } from './integration/http-handler.ts';
import { NodeCall } from './integration/http-node.ts';
import type { HttpOptions } from './integration/http-options.ts';
import { WebCall } from './integration/http-web.ts';

export type { HttpOptions } from './integration/http-options.ts';

/** What `@hono/node-server` hands on of a request. */
interface NodeBindings {
  readonly incoming?: IncomingMessage;
  readonly outgoing?: ServerResponse;
}

/**
 * Middleware for Hono 4, on Node and with web requests and responses: what comes after it runs as the request's tenant,
 * inside one SERVER span that ends when the response was sent or, without a Node server, when its body was read. Errors
 * that Hono's error handling gets are recorded.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function hono(registry: TracerRegistry<TracerBase>, options: HttpOptions<Context>): MiddlewareHandler {
  const handler = new HttpHandler('hono', registry, options);
  return async (context, next) => {
    const route = (): string | undefined => routeOf(context);
    const { incoming, outgoing } = (context.env ?? {}) as NodeBindings;
    const web = incoming && outgoing ? undefined : new WebCall<Context>(context, context.req.raw, route);
    const call: HttpCall<Context> =
      web ?? new NodeCall(context, incoming as IncomingMessage, outgoing as ServerResponse, route);
    await handler.handle(call, async (exchange) => {
      try {
        await next();
        if (context.error !== undefined) exchange.fail(context.error);
        web?.responded(context.res);
      } catch (error) {
        exchange.fail(error);
        web?.responded(undefined);
        throw error;
      }
    });
  };
}

/** The pattern of the handler that was reached; a middleware's for all paths is none. */
function routeOf(context: Context): string | undefined {
  const reached = matchedRoutes(context)[context.req.routeIndex];
  if (reached === undefined) return undefined;
  const { method, path } = reached;
  return method === 'ALL' && path.endsWith('*') ? undefined : path;
}
