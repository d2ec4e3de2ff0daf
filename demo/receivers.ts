import type { ReceiverMethods, ReceiverReport } from './receiver.ts';
import { Remote } from './remote.ts';
import { type Customer, serviceNameOf, TENANT_IDS, type TenantId } from './tenants.ts';

/** What a test of the demo plants to see it fail: a receiver that forgets a request, or a customer's wrong address. */
export type Plant = 'none' | 'loss' | 'leak';

/** The customers' OTLP receivers, each a process of its own, and none for nobody. */
export class Receivers {
  readonly #processes = new Map<TenantId, Remote<ReceiverMethods>>();

  /** Starts all of them; answers the customers as the directory is to know them. */
  async start(canaries: Readonly<Record<TenantId, string>>, plant: Plant): Promise<Customer[]> {
    const customers = await Promise.all(
      TENANT_IDS.filter((id) => id !== 'nobody').map(async (id) => {
        const receiver = new Remote<ReceiverMethods>('receiver.ts');
        this.#processes.set(id, receiver);
        const apiKey = `key-of-${id}`;
        const endpoint = await receiver.ask('listen', {
          serviceName: serviceNameOf(id),
          apiKey,
          canary: canaries[id],
          foreignCanaries: TENANT_IDS.filter((other) => other !== id).map((other) => canaries[other]),
          forgetsFirstRequest: plant === 'loss' && id === 'acme',
        });
        return { id, endpoint, apiKey };
      }),
    );
    await this.#processes.get('initech')?.ask('goDown');
    if (plant !== 'leak') return customers;
    const [acme] = customers;
    return customers.map((customer) =>
      customer.id === 'globex' && acme ? { ...customer, endpoint: acme.endpoint } : customer,
    );
  }

  /** Spans received so far, by all together. */
  async received(): Promise<number> {
    const counts = await Promise.all([...this.#processes.values()].map((receiver) => receiver.ask('received')));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async report(id: TenantId): Promise<ReceiverReport> {
    return (await this.#processes.get(id)?.ask('report')) ?? { spans: 0, foreign: 0, orphans: 0, traceIds: [] };
  }

  close(): void {
    for (const receiver of this.#processes.values()) receiver.close();
  }
}
