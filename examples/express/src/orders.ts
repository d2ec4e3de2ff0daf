import { registry } from './telemetry.ts';

export interface Order {
  readonly id: string;
  readonly item: string;
}

/** The orders of all tenants. Traced methods know nothing of tenants: they record for whoever is calling. */
export class Orders {
  readonly #orders = new Map<string, Order[]>();

  @registry.trace('orders.add')
  async add(tenantId: string, item: string, card: string): Promise<Order> {
    const orders = this.#orders.get(tenantId) ?? [];
    const order = { id: String(orders.length + 1), item };
    this.#orders.set(tenantId, [...orders, order]);
    registry.current()?.log.info('order placed', { 'order.id': order.id, card }); // the card is redacted
    return order;
  }

  @registry.trace('orders.find')
  async find(tenantId: string, id: string): Promise<Order> {
    const order = this.#orders.get(tenantId)?.find((known) => known.id === id);
    if (order === undefined) throw new RangeError(`no order ${id}`);
    return order;
  }
}
