import type { Framework } from '../../src/cli/init/answers.ts';
import { middlewareModule } from '../../src/cli/init/middleware-template.ts';

/** What a started application shows. */
export interface StartedApp {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * An application for the modules that `init` writes, as somebody would write it: `open()` serves any path, with a span
 * `work` that notes who the request said to be from (`?by=`). Its authentication takes the name in `Bearer <name>`.
 */
export function appFor(framework: Framework): string {
  const { file, exported } = middlewareModule(framework);
  const names = framework === 'express' ? `${exported}, telemetryErrors` : exported;
  return [
    "import { registry } from './telemetry/registry.js';",
    `import { ${names} } from './telemetry/${file}.js';`,
    COMMON,
    APPS[framework],
  ].join('\n');
}

const COMMON = `
export const userOf = (authorization: string | undefined) => ({ tenant: authorization?.replace('Bearer ', '') });

async function work(url: string | undefined): Promise<string> {
  return registry.withSpan('work', async (span) => {
    await new Promise((resolve) => setImmediate(resolve));
    span.setAttribute('by', new URL(url ?? '/', 'http://localhost').searchParams.get('by') ?? '');
    return 'done';
  });
}

export { registry };
`;

const LISTEN = `
  const server = createServer(LISTENER).listen(0);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
`;

const NODE_IMPORTS = `
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
`;

const APPS: Readonly<Record<Framework, string>> = {
  express: `${NODE_IMPORTS}
import createApp from 'express';

export async function open() {
  const app = createApp();
  app.use((request, _response, next) => {
    Object.assign(request, { user: userOf(request.headers.authorization) });
    next();
  });
  app.use(telemetry);
  app.use(createApp.json());
  app.use(async (request, response) => void response.json(await work(request.url)));
  app.use(telemetryErrors);
${LISTEN.replace('LISTENER', 'app')}}
`,
  fastify: `
import createFastify from 'fastify';

export async function open() {
  const app = createFastify();
  app.addHook('onRequest', async (request) => void Object.assign(request, { user: userOf(request.headers.authorization) }));
  await app.register(telemetry);
  app.get('/*', (request) => work(request.url));
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: Number(new URL(address).port), close: () => app.close() };
}
`,
  koa: `${NODE_IMPORTS}
import Koa from 'koa';

export async function open() {
  const app = new Koa();
  app.use((ctx, next) => {
    ctx.state['user'] = userOf(ctx.headers.authorization);
    return next();
  });
  app.use(telemetry);
  app.use(async (ctx) => void (ctx.body = await work(ctx.url)));
${LISTEN.replace('LISTENER', 'app.callback()')}}
`,
  hono: `
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

export async function open() {
  const app = new Hono<{ Variables: { jwtPayload: { tenant?: string | undefined } } }>();
  app.use((c, next) => {
    c.set('jwtPayload', userOf(c.req.header('authorization')));
    return next();
  });
  app.use(telemetry);
  app.get('*', async (c) => c.text(await work(c.req.url)));
  return new Promise<{ port: number; close(): Promise<void> }>((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0 }, ({ port }) => {
      resolve({ port, close: async () => void server.close() });
    });
  });
}
`,
  http: `${NODE_IMPORTS}
export async function open() {
  const listener = telemetry(async (request, response) => void response.end(await work(request.url)));
${LISTEN.replace(
  'LISTENER',
  `(request, response) => {
    Object.assign(request, { user: userOf(request.headers.authorization) });
    listener(request, response);
  }`,
)}}
`,
  nestjs: `
import 'reflect-metadata';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Get, Module, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

class Guard {
  canActivate(context: { switchToHttp(): { getRequest(): IncomingMessage } }): boolean {
    const request = context.switchToHttp().getRequest();
    Object.assign(request, { user: userOf(request.headers.authorization) });
    return true;
  }
}
class WorkController {
  work(request: IncomingMessage) {
    return work(request.url);
  }
}
class AppModule {}
// What decorators do, where the compiler is not set up for legacy ones.
const { prototype } = WorkController;
Req()(prototype, 'work', 0);
Get('*rest')(prototype, 'work', Object.getOwnPropertyDescriptor(prototype, 'work') as PropertyDescriptor);
Controller()(WorkController);
Module({ imports: [TelemetryModule], controllers: [WorkController] })(AppModule);

export async function open() {
  const app = await NestFactory.create(AppModule, { logger: false });
  app.useGlobalGuards(new Guard());
  await app.listen(0);
  return { port: (app.getHttpServer().address() as AddressInfo).port, close: () => app.close() };
}
`,
  none: `${NODE_IMPORTS}
export async function open() {
  const run = (tenant: string, url: string | undefined) => runAs(tenant, 'request', () => work(url));
${LISTEN.replace(
  'LISTENER',
  `async (request, response) => {
    response.end(await run(String(request.headers['x-tenant']), request.url));
  }`,
)}}
`,
};
