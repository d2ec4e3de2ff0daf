import { setTimeout as sleep } from 'node:timers/promises';
import { SpanKind, trace } from '@opentelemetry/api';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { TracerRegistry } from 'isotrace';
import type { TenantId } from './tenants.ts';

export interface Order {
  readonly id: number;
  readonly items: number;
  readonly card: 'good' | 'declined';
}

class CardDeclined extends Error {}

/**
 * How many spans so many orders make, for each tenant: `POST /orders`, `load cart` and `charge card`, declined or not. An
 * order of hooli also makes a `confirm address` there, and a `book courier` and a `find driver` for courier.
 */
export function spansOf(orders: Readonly<Record<TenantId, number>>): Record<TenantId, number> {
  const own = Object.entries(orders).map(([id, count]) => [id, count * 3]);
  const spans = Object.fromEntries(own) as Record<TenantId, number>;
  spans.hooli += orders.hooli;
  spans.courier += orders.hooli * 2;
  return spans;
}

export interface ShopOptions {
  readonly registry: TracerRegistry;
  /** The courier's secret, which its spans carry when they are made for another tenant's order. */
  readonly courierCanary: string;
  /** Without tracing the middleware is left out: no tenant is entered, and the wrapped functions just run. */
  readonly tracing: boolean;
}

/** The service: takes orders of many customers, and traces each for the customer whose it is. */
export function createShop({ registry, courierCanary, tracing }: ShopOptions): Express {
  const attributes = () => ({ canary: registry.current()?.getBaggage('canary') ?? 'none' });

  // Wrapped once, at start. Each call finds the tenant that it runs for and is a span of that tenant.
  const loadCart = registry.trace({ name: 'load cart', attributes }, async (order: Order) => {
    await sleep(2);
    return { total: order.items * 995 };
  });

  const charge = registry.trace({ name: 'charge card', attributes }, async (order: Order) => {
    await sleep(2);
    if (order.card === 'declined') throw new CardDeclined(`the card of order ${order.id} was declined`);
  });

  const confirmAddress = registry.trace({ name: 'confirm address', attributes }, async () => {
    await sleep(1);
    return '1 Hacker Way';
  });

  const findDriver = registry.trace({ name: 'find driver', attributes }, async (address: string) => {
    await sleep(1);
    return `driver to ${address}`;
  });

  /** Runs as courier, in a trace of courier's own, and asks the tenant that called it on the way. */
  const bookCourier = registry.trace({ name: 'book courier', attributes }, async (customerId: string) => {
    const address = await registry.run(customerId, confirmAddress);
    return findDriver(address);
  });

  const app = express();
  app.delete('/tenants/:tenantId', (req, res) => {
    res.json({ evicted: registry.delete(req.params.tenantId) });
  });
  if (tracing) app.use(traceRequests(registry));
  app.use(express.json());

  app.post('/orders', async (req, res) => {
    const order = req.body as Order;
    const customerId = customerOf(req);
    // OpenTelemetry's own API, and every library that uses it, finds the span of this tenant.
    trace.getActiveSpan()?.setAttributes({ 'order.id': order.id, 'order.items': order.items });
    const { total } = await loadCart(order);
    if (customerId === 'hooli') {
      const courier = registry.get('courier');
      await courier.withBaggage({ canary: courierCanary }, () => bookCourier(customerId));
    }
    await charge(order);
    res.status(201).json({ order: order.id, total });
  });

  app.use((error: Error, _req: Request, res: Response, _next: NextFunction) => {
    res.status(error instanceof CardDeclined ? 402 : 500).json({ error: error.message });
  });
  return app;
}

/** Makes each request a span of its customer; whatever runs for the request belongs to that tenant. */
function traceRequests(registry: TracerRegistry) {
  return (req: Request, res: Response, next: NextFunction): void => {
    const canary = req.get('x-canary') ?? 'none';
    const options = {
      kind: SpanKind.SERVER,
      attributes: { 'http.request.method': req.method, 'url.path': req.path, canary },
    };
    const serve = registry.run(customerOf(req), () =>
      registry.withSpan(`${req.method} ${req.path}`, options, async (span) => {
        const closed = new Promise((resolve) => {
          res.once('close', resolve);
        });
        registry.get(customerOf(req)).withBaggage({ canary }, next);
        await closed;
        span.setAttribute('http.response.status_code', res.statusCode);
      }),
    );
    serve.catch(next);
  };
}

/** In production this comes from the session or the API key, never from a header that the caller is free to set. */
function customerOf(req: Request): string {
  return req.get('x-customer') ?? '';
}
