import 'reflect-metadata';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import {
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  HttpCode,
  type INestApplication,
  Module,
  Param,
  Post,
  Res,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { onTestFinished } from 'vitest';
import type { HttpOptions } from '../../../src/integration/http-options.ts';
import { IsotraceModule } from '../../../src/nestjs.ts';
import type { Served, Shop } from './subjects.ts';

type LegacyDecorator = (target: object, key: string, descriptor: PropertyDescriptor) => unknown;
type ParameterDecorator_ = (target: object, key: string, index: number) => void;

/** Applies legacy decorators, which the project's own compiler options do not, as the compiler would: the last first. */
export function decorate(type: Type, key: string, decorators: LegacyDecorator[], ...parameters: unknown[]): void {
  for (const [index, decorator] of parameters.entries()) {
    (decorator as ParameterDecorator_)(type.prototype, key, index);
  }
  for (const decorator of decorators.reverse()) {
    const descriptor = Object.getOwnPropertyDescriptor(type.prototype, key) as PropertyDescriptor;
    const changed = decorator(type.prototype, key, descriptor) as PropertyDescriptor | undefined;
    if (changed !== undefined) Object.defineProperty(type.prototype, key, changed);
  }
}

export type NestPlatform = 'Express' | 'Fastify';

export function createNest(module: Type, platform: NestPlatform): Promise<INestApplication> {
  return platform === 'Express'
    ? NestFactory.create(module, { logger: false })
    : NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), { logger: false });
}

/** Listens on a free port until the test is over. */
export async function listenNest(app: INestApplication): Promise<Served> {
  await app.listen(0, '127.0.0.1');
  onTestFinished(async () => {
    app.getHttpServer().closeAllConnections();
    await app.close();
  });
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { port, fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init) };
}

/** What is used of the platforms' responses. */
interface PlatformResponse {
  readonly raw?: Writable;
  hijack?(): void;
  status(code: number): { send(body: object): void };
}

export async function startNest(
  shop: Shop,
  options: HttpOptions<IncomingMessage>,
  platform: NestPlatform,
): Promise<Served> {
  class ShopController {
    health(): object {
      return { tenant: shop.tenant() };
    }
    order(id: string): Promise<object> {
      return shop.order(id);
    }
    echo(body: unknown): Promise<object> {
      return shop.echo(body);
    }
    fail(): Promise<never> {
      return shop.fail();
    }
    stream(response: PlatformResponse): void {
      response.hijack?.();
      const out = response.raw ?? (response as unknown as Writable);
      out.write('first half, ');
      void shop.gate.promise.then(() => out.end('second half'));
    }
    hang(): Promise<never> {
      shop.hanging.resolve();
      return new Promise(() => {});
    }
  }
  Controller()(ShopController);
  decorate(ShopController, 'health', [Get('health')]);
  decorate(ShopController, 'order', [Get('orders/:id')], Param('id'));
  decorate(ShopController, 'echo', [Post('echo'), HttpCode(200)], Body());
  decorate(ShopController, 'fail', [Get('fail')]);
  decorate(ShopController, 'stream', [Get('stream')], Res());
  decorate(ShopController, 'hang', [Get('hang')]);

  class Filter implements ExceptionFilter {
    catch(error: unknown, host: ArgumentsHost): void {
      shop.caught.push(error);
      const status = (error as { getStatus?(): number }).getStatus?.() ?? 500;
      host.switchToHttp().getResponse<PlatformResponse>().status(status).send({ error: 'failed' });
    }
  }
  Catch()(Filter);

  class AppModule {}
  Module({ imports: [IsotraceModule.forRoot(shop.registry, options)], controllers: [ShopController] })(AppModule);
  const app = await createNest(AppModule, platform);
  app.useGlobalFilters(new Filter());
  return listenNest(app);
}
