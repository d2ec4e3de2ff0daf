import type { FastifyPluginCallback, FastifyRequest } from 'fastify';
import type { TracerRegistry } from './core/registry.ts';
import type { TracerBase } from './core/tracer-base.ts';
import type { HttpExchange } from './integration/http-exchange.ts';
import { HttpHandler } from './integration/http-handler.ts';
import { NodeCall } from './integration/http-node.ts';
import type { HttpOptions } from './integration/http-options.ts';

export type { HttpOptions } from './integration/http-options.ts';

/**
 * A plugin for Fastify 5: hooks, handlers and error handlers run as the request's tenant, inside one SERVER span that ends
 * with the response. Register it after the plugin that authenticates in `onRequest`; it applies to the whole instance
 * that it is registered on. Errors that reach Fastify's error handling are recorded.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function fastify(
  registry: TracerRegistry<TracerBase>,
  options: HttpOptions<FastifyRequest>,
): FastifyPluginCallback {
  const handler = new HttpHandler('fastify', registry, options);
  const exchanges = new WeakMap<FastifyRequest, HttpExchange>();
  const plugin: FastifyPluginCallback = (app, _options, done) => {
    app.addHook('onRequest', (request, reply, next) => {
      const call = new NodeCall(request, request.raw, reply.raw, () => request.routeOptions.url);
      void handler.handle(call, (exchange) => {
        exchanges.set(request, exchange);
        next();
      });
    });
    // Hooks before it may have gone on from a callback of another context.
    app.addHook('preValidation', (request, _reply, next) => {
      const exchange = exchanges.get(request);
      if (exchange === undefined) next();
      else exchange.resume(next);
    });
    app.addHook('onError', (request, _reply, error, next) => {
      exchanges.get(request)?.fail(error);
      next();
    });
    done();
  };
  // What `fastify-plugin` does: the hooks are for the instance, not for a scope of the plugin's own.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'isotrace',
    [Symbol.for('plugin-meta')]: { name: 'isotrace', fastify: '5.x' },
  });
}
