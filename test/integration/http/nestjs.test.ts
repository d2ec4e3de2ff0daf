import 'reflect-metadata';
import { type CanActivate, Controller, type ExecutionContext, Get, Injectable, Module, Param } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { IsotraceInterceptor, IsotraceModule, type NestRequest, Traced } from '../../../src/nestjs.ts';
import { type HttpWorld, startWorld } from './http-kit.ts';
import { createNest, decorate, listenNest, type NestPlatform } from './nest-app.ts';
import type { Served } from './subjects.ts';

/** An application whose guard puts the user on the request, as authentication does. */
async function startGuarded(
  world: HttpWorld,
  platform: NestPlatform,
  tenant = (request: NestRequest): string => request.user.org,
): Promise<Served> {
  const { registry } = world;
  class Guard implements CanActivate {
    async canActivate(context: ExecutionContext): Promise<boolean> {
      const request = context.switchToHttp().getRequest();
      await new Promise(setImmediate);
      request.user = request.headers['x-org'] === undefined ? undefined : { org: request.headers['x-org'] };
      return request.headers['x-org'] !== 'locked';
    }
  }
  class Orders {
    async load(id: string): Promise<object> {
      return { id, tenant: registry.current()?.tenantId ?? null };
    }
  }
  Injectable()(Orders);
  decorate(Orders, 'load', [Traced() as never]);
  const orders = new Orders();
  class OrdersController {
    find(id: string): Promise<object> {
      return orders.load(id);
    }
    stream(): Observable<object> {
      return new Observable((subscriber) => {
        setImmediate(() => {
          subscriber.next({ tenant: registry.current()?.tenantId ?? null });
          subscriber.complete();
        });
      });
    }
  }
  Controller('orders')(OrdersController);
  // In the order in which a decorator of a route would be lost.
  decorate(OrdersController, 'find', [Traced('find order') as never, Get(':id')], Param('id'));
  decorate(OrdersController, 'stream', [Get('all/stream')]);
  class AppModule {}
  Module({
    imports: [IsotraceModule.forRoot(registry, { tenant })],
    controllers: [OrdersController],
    providers: [{ provide: APP_GUARD, useValue: new Guard() }],
  })(AppModule);
  const app = await createNest(AppModule, platform);
  app.setGlobalPrefix('v1');
  return listenNest(app);
}

describe.each(['Express', 'Fastify'] as const)('the module for NestJS on %s', (platform) => {
  it('finds a tenant that a guard has authenticated, and counts the time of the guard in', async () => {
    const world = await startWorld();
    const { fetch } = await startGuarded(world, platform);
    for (const org of ['tenant-0', 'tenant-1']) {
      const response = await fetch('/v1/orders/5', { headers: { 'x-org': org } });
      expect(await response.json()).toEqual({ id: '5', tenant: org });
      const [server] = await world.servers(1, org);
      const spans = await world.spans(org);
      expect(spans.map(({ name }) => name).sort()).toEqual(['GET /v1/orders/:id', 'Orders.load', 'find order']);
      const find = spans.find(({ name }) => name === 'find order');
      expect(find?.parentSpanId).toBe(server?.spanId);
      expect(spans.find(({ name }) => name === 'Orders.load')?.parentSpanId).toBe(find?.spanId);
    }
    expect(world.registry.health().recentErrors).toEqual([]);
  });

  it('keeps the tenant for handlers that answer observables', async () => {
    const world = await startWorld();
    const { fetch } = await startGuarded(world, platform);
    const response = await fetch('/v1/orders/all/stream', { headers: { 'x-org': 'tenant-1' } });
    expect(await response.json()).toEqual({ tenant: 'tenant-1' });
    expect((await world.servers(1, 'tenant-1')).map(({ name }) => name)).toEqual(['GET /v1/orders/all/stream']);
  });

  it('has no span for a request that a guard turned away before anybody knew its tenant', async () => {
    const world = await startWorld(['tenant-0', 'locked']);
    const { fetch } = await startGuarded(world, platform);
    expect((await fetch('/v1/orders/5', { headers: { 'x-org': 'locked' } })).status).toBe(403);
    expect(await world.spans('locked')).toEqual([]);
  });

  it('has one for what a guard or a parser turned away, where the tenant is known before', async () => {
    const world = await startWorld(['tenant-0', 'locked']);
    const { fetch } = await startGuarded(world, platform, ({ headers }) => headers['x-org']);
    expect((await fetch('/v1/orders/5', { headers: { 'x-org': 'locked' } })).status).toBe(403);
    const [refused] = await world.servers(1, 'locked');
    expect(refused?.attributes).toMatchObject({ 'http.response.status_code': 403, 'url.path': '/v1/orders/5' });
    // On Express, Nest's parser of bodies comes before all middleware.
    if (platform === 'Express') return;
    const headers = { 'x-org': 'tenant-0', 'content-type': 'application/json' };
    expect((await fetch('/v1/orders/5', { method: 'POST', headers, body: '{"broken' })).status).toBeGreaterThan(399);
    const [unread] = await world.servers(1);
    expect(unread?.attributes).toMatchObject({ 'http.request.method': 'POST' });
    expect(await world.spans()).toHaveLength(1);
  });
});

describe('the interceptor for NestJS', () => {
  it('lets alone what is not HTTP', async () => {
    const { registry, spans } = await startWorld();
    const interceptor = new IsotraceInterceptor(registry, { tenant: () => 'tenant-0' });
    const result = new Observable<unknown>();
    const context = { getType: () => 'rpc' } as unknown as ExecutionContext;
    expect(interceptor.intercept(context, { handle: () => result })).toBe(result);
    expect(await spans()).toEqual([]);
  });
});

describe('@Traced()', () => {
  it('decorates standard methods too, and copies what was noted about a method', async () => {
    const { registry, spans } = await startWorld();
    class Service {
      @Traced({ name: 'work', attributes: { 'work.kind': 'hard' } }) async work(): Promise<number> {
        return 1;
      }
      @Traced() rest(): number {
        return 2;
      }
    }
    const service = new Service();
    await registry.run('tenant-0', async () => [await service.work(), service.rest()]);
    expect(service.rest()).toBe(2);
    expect((await spans()).map(({ name, attributes }) => [name, attributes])).toEqual([
      ['work', { 'work.kind': 'hard' }],
      ['rest', {}],
    ]);
    class Legacy {
      method(): void {}
    }
    Reflect.defineMetadata('note', 'kept', Legacy.prototype.method);
    decorate(Legacy, 'method', [Traced() as never]);
    expect(Reflect.getMetadata('note', Legacy.prototype.method)).toBe('kept');
  });
});
