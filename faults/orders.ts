export const PRODUCTS = ['stock', 'isotrace'] as const;
export type Product = (typeof PRODUCTS)[number];

/** What a host process does; given as JSON in its first argument. */
export interface HostOrders {
  readonly product: Product;
  readonly endpoint: string;
  /** Default `http/protobuf`; the only one for the stock SDK here. */
  readonly protocol?: 'grpc';
  readonly spans: number;
  /** Tenants with as many spans each; each a provider and an exporter of its own in the stock SDK. Default 1. */
  readonly tenants?: number;
  /** One of the spans is bad. */
  readonly poison?: boolean;
  /** Makes six hostile calls beside the spans. */
  readonly hostile?: boolean;
  /** An exporter of the user's in place of the destination. */
  readonly exporter?: 'throws' | 'silent';
  /** Before what comes in the end. */
  readonly waitMillis?: number;
  readonly end: 'shutdown' | 'flush' | 'late span' | 'nothing' | 'signal';
}

export interface HostReport {
  /** Thrown by calls, unhandled rejections, uncaught exceptions. */
  readonly errors: number;
  /** Of the flush or the shutdown; undefined when there was none. */
  readonly endMillis?: number;
  /** Spans that are counted as dropped; undefined where nothing counts them. */
  readonly counted?: number;
}
