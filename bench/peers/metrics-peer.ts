import type { PeerName } from './peer.ts';

/** A counter without attributes, with the same three each time, with three that take turns, and a histogram with those. */
export type MeasurementKind = 'bare' | 'same' | 'turns' | 'histogram';

/** One tenant with all three signals. */
export interface MeasuringTenant {
  measure(kind: MeasurementKind, count: number): void;
  /** Ends a span and writes a log line, too. */
  useAll(): void;
}

export interface MetricsPeer {
  tenant(id: string): MeasuringTenant;
  /** What the instruments of a tenant have counted, by what leaves them. */
  counted(id: string): Promise<number>;
  flush(): Promise<void>;
}

/** 32 attribute sets, as a server's routes are. */
export const SETS = Array.from({ length: 32 }, (_, index) => ({
  'http.request.method': index % 2 === 0 ? 'GET' : 'POST',
  'http.route': `/orders/${index % 8}/{id}`,
  'http.response.status_code': 200 + (index % 32),
}));

/** Loaded one at a time: each measures in a process without the other. */
export async function openMetrics(name: PeerName, endpoint: string): Promise<MetricsPeer> {
  return name === 'stock'
    ? (await import('./metrics-stock.ts')).openStockMetrics(endpoint)
    : (await import('./metrics-isotrace.ts')).openIsotraceMetrics(endpoint);
}
