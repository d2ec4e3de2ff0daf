import { createHash } from 'node:crypto';

/** What the processes of the soak tell each other; all of it goes through JSON. */
export interface SoakOrders {
  readonly tenants: number;
  readonly seed: number;
  /** Also those after which a tenant is left alone for a minute. */
  readonly faults: 'none' | 'quick' | 'all';
  readonly endpoints: readonly Endpoint[];
}

export interface Endpoint {
  readonly url: string;
  readonly protocol: 'http/protobuf' | 'http/json' | 'grpc';
}

/** Receivers of one process. When it dies, another one gets the same, with the ports that they had. */
export interface ReceiverOrders {
  readonly tenants: number;
  readonly seed: number;
  readonly faults: SoakOrders['faults'];
  /** How many receivers there are in all processes. */
  readonly total: number;
  /** `port` 0: a free one. */
  readonly receivers: readonly { readonly index: number; readonly grpc: boolean; readonly port: number }[];
}

export type ToReceivers =
  | { readonly type: 'start'; readonly orders: ReceiverOrders }
  /** All faults stop. */
  | { readonly type: 'heal' };

export type FromReceivers =
  | { readonly type: 'listening'; readonly ports: readonly number[] }
  /** Of one request, told before it is answered: whatever becomes of the process then, this is known. */
  | { readonly type: 'arrived'; readonly arrivals: readonly Arrival[] };

export interface Arrival {
  /** Whose credentials and header came with it; undefined when these do not agree. */
  readonly sentAs: string | undefined;
  /** Whose span it is, by its own attributes. */
  readonly owner: string;
  /** Which receiver it came to. */
  readonly receiver: number;
  readonly spanId: string;
  readonly hash: string;
  /** Whether the sender was told. */
  readonly acknowledged: boolean;
}

export type ToHost =
  | { readonly type: 'start'; readonly orders: SoakOrders }
  /** No more traffic; deliver all, then one span of each tenant. */
  | { readonly type: 'settle' };

export type FromHost =
  /** It works from now on. */
  | { readonly type: 'started' }
  | { readonly type: 'created'; readonly spans: readonly Created[] }
  | { readonly type: 'dropped'; readonly tenantId: string; readonly reason: string; readonly count: number }
  /** An attempt of which the sender does not know what became. */
  | { readonly type: 'doubt'; readonly tenantId: string }
  /** The heap after a garbage collection. */
  | { readonly type: 'heap'; readonly seconds: number; readonly bytes: number }
  | { readonly type: 'over'; readonly account: Account; readonly life: Life; readonly escaped: readonly string[] };

export interface Created {
  readonly tenantId: string;
  readonly spanId: string;
  readonly hash: string;
  /** Made after the faults had stopped. */
  readonly fresh?: boolean;
}

/** The ledger of the registry in the end. */
export interface Account {
  readonly created: number;
  readonly exported: number;
  readonly queued: number;
  readonly dropped: Readonly<Record<string, number>>;
}

/** What happened to the tenants. */
export interface Life {
  readonly evicted: number;
  readonly revived: number;
  readonly reconfigured: number;
  readonly rotations: number;
  readonly sockets: number;
}

export function tenantName(number: number): string {
  return `tenant-${number}`;
}

/** Which receiver a tenant sends to. */
export function receiverOf(tenantId: string, receivers: number): number {
  return Number(tenantId.slice('tenant-'.length)) % receivers;
}

/** Of what a span says, the same before it is sent and after it has arrived. */
export function payloadHash(name: string, attributes: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha1')
    .update(JSON.stringify([name, entries]))
    .digest('base64')
    .slice(0, 16);
}
