import { Pool } from 'undici';
import { serve } from './remote.ts';
import type { Order } from './shop.ts';

export interface Load {
  /** Base URL of the shop. */
  readonly url: string;
  readonly orders: number;
  /** Requests in flight at any time, each on a keep-alive connection of its own. */
  readonly concurrency: number;
  /** The customers, who order in turn. */
  readonly customers: readonly { readonly id: string; readonly canary: string }[];
  /** Whether a card is declined now and then. */
  readonly declines: boolean;
  /** Has the shop evict a tenant now and then. */
  readonly evict?: { readonly tenantId: string; readonly everyOrders: number };
}

export interface LoadResult {
  /** Orders sent, by customer. */
  readonly orders: Readonly<Record<string, number>>;
  /** What went wrong. A declined card is not wrong. */
  readonly failures: readonly string[];
}

export type ClientMethods = {
  run(load: Load): Promise<LoadResult>;
  /** Orders answered in the run under way. */
  answered(): number;
};

let answered = 0;

serve<ClientMethods>({
  async run({ url, orders, concurrency, customers, declines, evict }) {
    const pool = new Pool(url, { connections: concurrency });
    const sent: Record<string, number> = {};
    const failures: string[] = [];
    let next = 0;
    answered = 0;

    const expect = async (status: number, path: string, method: 'POST' | 'DELETE', headers = {}, body?: string) => {
      try {
        const response = await pool.request({ path, method, headers, body: body ?? null });
        const text = await response.body.text();
        if (response.statusCode !== status) failures.push(`${method} ${path}: ${response.statusCode} ${text}`);
      } catch (error) {
        failures.push(`${method} ${path}: ${error}`);
      }
    };
    const worker = async () => {
      while (next < orders) {
        next += 1;
        const order: Order = { id: next, items: next % 7, card: declines && next % 11 === 0 ? 'declined' : 'good' };
        const { id = '', canary = '' } = customers[next % customers.length] ?? {};
        const headers = { 'content-type': 'application/json', 'x-customer': id, 'x-canary': canary };
        sent[id] = (sent[id] ?? 0) + 1;
        if (evict !== undefined && order.id % evict.everyOrders === 0) {
          await expect(200, `/tenants/${evict.tenantId}`, 'DELETE');
        }
        await expect(order.card === 'good' ? 201 : 402, '/orders', 'POST', headers, JSON.stringify(order));
        answered += 1;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    await pool.close();
    return { orders: sent, failures };
  },
  answered: () => answered,
});
