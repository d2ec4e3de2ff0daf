import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TracerRegistry } from './core/registry.ts';
import type { TracerBase } from './core/tracer-base.ts';
import { HttpHandler, recordingFailure } from './integration/http-handler.ts';
import { NodeCall } from './integration/http-node.ts';
import type { HttpOptions } from './integration/http-options.ts';

export type { HttpOptions } from './integration/http-options.ts';

/** What is needed of Koa's own `Context`. Not its type: that does not compile beside other packages' without `skipLibCheck`. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/**
 * Middleware for Koa 3: what comes after it runs as the request's tenant, inside one SERVER span that ends with the
 * response. The route is the one that `@koa/router` matched. An error that comes up is recorded and thrown on, the very
 * same.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function koa<Context extends KoaContext>(
  registry: TracerRegistry<TracerBase>,
  options: HttpOptions<Context>,
): (context: Context, next: () => Promise<unknown>) => Promise<void> {
  const handler = new HttpHandler('koa', registry, options);
  return async (context, next) => {
    const call = new NodeCall(context, context.req, context.res, () => matchedRoute(context));
    await handler.handle(call, (exchange) => recordingFailure(exchange, next));
  };
}

function matchedRoute(context: object): string | undefined {
  const { _matchedRoute: route } = context as { _matchedRoute?: unknown };
  return typeof route === 'string' || route instanceof RegExp ? String(route) : undefined;
}
