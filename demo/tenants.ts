import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** The shop's customers, each a tenant, and what is special about each. */
export const TENANTS = {
  acme: 'an ordinary tenant',
  globex: 'its configuration takes 300 ms; its spans wait for it',
  initech: 'its receiver is down',
  umbrella: 'evicted again and again while it has open spans, and revived by its next request',
  hooli: 'its requests call courier, which calls back into hooli',
  courier: 'runs inside the requests of hooli, and serves requests of its own',
  nobody: 'the directory has no such customer',
} as const;

export type TenantId = keyof typeof TENANTS;
export const TENANT_IDS = Object.keys(TENANTS) as TenantId[];

/** What the directory knows of a customer. */
export interface Customer {
  readonly id: TenantId;
  /** Base URL of the customer's own OTLP receiver. */
  readonly endpoint: string;
  readonly apiKey: string;
}

export const serviceNameOf = (tenantId: TenantId): string => `shop-${tenantId}`;

/** A secret for each tenant. Its requests and all its spans carry it, and nobody else's telemetry may. */
export function createCanaries(): Record<TenantId, string> {
  return Object.fromEntries(TENANT_IDS.map((id) => [id, randomUUID()])) as Record<TenantId, string>;
}

/** Stands for the database that a service asks for its customers. */
export class Directory {
  readonly #customers: ReadonlyMap<string, Customer>;

  constructor(customers: Iterable<Customer>) {
    this.#customers = new Map([...customers].map((customer) => [customer.id, customer]));
  }

  async find(id: string): Promise<Customer | undefined> {
    await sleep(id === 'globex' ? 300 : 20);
    return this.#customers.get(id);
  }
}
