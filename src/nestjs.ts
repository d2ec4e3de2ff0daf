import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type CallHandler,
  type DynamicModule,
  type ExecutionContext,
  Inject,
  type MiddlewareConsumer,
  Module,
  type NestInterceptor,
  type NestModule,
} from '@nestjs/common';
import { APP_INTERCEPTOR, HttpAdapterHost } from '@nestjs/core';
import { Observable } from 'rxjs';
import type { TracerRegistry } from './core/registry.ts';
import type { TracerBase } from './core/tracer-base.ts';
import type { HttpExchange } from './integration/http-exchange.ts';
import { HttpHandler } from './integration/http-handler.ts';
import { NodeCall } from './integration/http-node.ts';
import type { HttpOptions } from './integration/http-options.ts';

export { Traced } from './instrumentation/nest-traced.ts';
export type { HttpOptions } from './integration/http-options.ts';

/** What the platforms of Nest have on their requests and responses; Fastify's hold Node's own as `raw`. */
interface PlatformRequest extends IncomingMessage {
  readonly raw?: IncomingMessage;
  readonly route?: { readonly path?: unknown };
  readonly routeOptions?: { readonly url?: string };
}
interface PlatformResponse extends ServerResponse {
  readonly raw?: ServerResponse;
}
/** What is used of Fastify's instance: hooks that go on by their last argument. */
interface FastifyHooks {
  addHook(name: 'onRequest' | 'preValidation', hook: FastifyHook): unknown;
  addHook(
    name: 'onError',
    hook: (request: PlatformRequest, reply: PlatformResponse, error: unknown, next: () => void) => void,
  ): unknown;
}
type FastifyHook = (request: PlatformRequest, reply: PlatformResponse, next: () => void) => void;

/** What the `tenant` callback gets: Express's request, or Fastify's. */
// biome-ignore lint/suspicious/noExplicitAny: which of the two it is, only the application knows.
export type NestRequest = any;

const INTERCEPTOR = Symbol('isotrace.interceptor');

/**
 * Runs handlers, and the pipes and interceptors after it, as the tenant of their request, inside its SERVER span, and
 * records what they fail with; the very same error goes on. Where the span has not begun before the guards, it begins
 * here, with the time at which the request came. `IsotraceModule` sets it up for all routes.
 */
export class IsotraceInterceptor implements NestInterceptor {
  readonly #handler: HttpHandler<NestRequest>;
  readonly #arrivals = new WeakMap<IncomingMessage, number>();

  /** @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true` */
  constructor(registry: TracerRegistry<TracerBase>, options: HttpOptions<NestRequest>) {
    this.#handler = new HttpHandler('nestjs', registry, options);
  }

  /** For Nest: runs the handler in its request's tenant and span. */
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> | Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle();
    const host = context.switchToHttp();
    const call = this.#callOf(host.getRequest<PlatformRequest>(), host.getResponse<PlatformResponse>(), false);
    return this.#handler.handle(call, (exchange) => {
      // Nest calls the handler in the context of `handle`, and reads what it answers in that of the subscription.
      const handled = next.handle();
      return new Observable((subscriber) =>
        exchange.run(() =>
          handled.subscribe({
            next: (value) => subscriber.next(value),
            error: (error: unknown) => {
              exchange.fail(error);
              subscriber.error(error);
            },
            complete: () => subscriber.complete(),
          }),
        ),
      );
    });
  }

  /** @internal Begins the span before the guards, if `tenant` has an answer there. */
  enter(request: PlatformRequest, response: PlatformResponse, next: (exchange: HttpExchange) => void): void {
    this.#arrivals.set(request.raw ?? request, this.#handler.now());
    void this.#handler.handle(this.#callOf(request, response, true), next);
  }

  #callOf(request: PlatformRequest, response: PlatformResponse, isEarly: boolean): NodeCall<NestRequest> {
    const message = request.raw ?? request;
    const route = (): string | undefined => routeOf(request);
    const arrivedAt = this.#arrivals.get(message);
    return new NodeCall(request, message, response.raw ?? response, route, { isEarly, arrivedAt });
  }
}

/** Gives every route of an application its tenants' traces: `imports: [IsotraceModule.forRoot(registry, { tenant })]`. */
export class IsotraceModule implements NestModule {
  readonly #interceptor: IsotraceInterceptor;
  readonly #platform: HttpAdapterHost;

  /** Called by Nest; see {@link IsotraceModule.forRoot}. */
  constructor(interceptor: IsotraceInterceptor, platform: HttpAdapterHost) {
    this.#interceptor = interceptor;
    this.#platform = platform;
  }

  /**
   * `tenant` is asked before the guards and, if it has no answer there, again after them, when they have put the user on
   * the request.
   *
   * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
   */
  static forRoot(registry: TracerRegistry<TracerBase>, options: HttpOptions<NestRequest>): DynamicModule {
    const interceptor = new IsotraceInterceptor(registry, options);
    return {
      module: IsotraceModule,
      providers: [
        { provide: INTERCEPTOR, useValue: interceptor },
        { provide: APP_INTERCEPTOR, useValue: interceptor },
      ],
    };
  }

  /** For Nest: adds what begins each request's span. */
  configure(consumer: MiddlewareConsumer): void {
    const adapter = this.#platform.httpAdapter;
    const interceptor = this.#interceptor;
    if (adapter?.getType() === 'fastify') addHooks(adapter.getInstance<FastifyHooks>(), interceptor);
    if (adapter?.getType() !== 'express') return;
    consumer
      .apply((request: PlatformRequest, response: PlatformResponse, next: () => void) =>
        interceptor.enter(request, response, () => next()),
      )
      .forRoutes('{*path}');
  }
}

/** Middleware of Nest's would be left before the body is read; routes are added later, and get these hooks. */
function addHooks(instance: FastifyHooks, interceptor: IsotraceInterceptor): void {
  const exchanges = new WeakMap<PlatformRequest, HttpExchange>();
  instance.addHook('onRequest', (request, reply, next) =>
    interceptor.enter(request, reply, (exchange) => {
      exchanges.set(request, exchange);
      next();
    }),
  );
  // Hooks before it may have gone on from a callback of another context.
  instance.addHook('preValidation', (request, _reply, next) => {
    const exchange = exchanges.get(request);
    if (exchange === undefined) next();
    else exchange.resume(next);
  });
  instance.addHook('onError', (request, _reply, error, next) => {
    exchanges.get(request)?.fail(error);
    next();
  });
}

// Nest's decorators are the legacy ones, and their types are not there at run time.
Module({})(IsotraceModule);
Inject(INTERCEPTOR)(IsotraceModule, undefined, 0);
Inject(HttpAdapterHost)(IsotraceModule, undefined, 1);

function routeOf({ route, routeOptions }: PlatformRequest): string | undefined {
  return typeof route?.path === 'string' ? route.path : routeOptions?.url;
}
