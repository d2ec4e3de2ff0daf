import type { PeerName } from './peer.ts';

/** What is logged: a message alone, or with 8 attributes in an active span. */
export type LogKind = 'plain' | 'span8';

/** A library for the signals beside traces, set up for one tenant. */
export interface SignalPeer {
  /** Logs so many records, and answers how many that were. */
  log(kind: LogKind, count: number): number;
  /** Resolves when everything is encoded. */
  encoded(): Promise<void>;
  /** Resolves when everything is exported. */
  flush(): Promise<void>;
  exported(): number;
}

/** Loaded one at a time: each measures in a process without the other. */
export async function openSignals(name: PeerName, endpoint: string): Promise<SignalPeer> {
  return name === 'stock'
    ? (await import('./signals-stock.ts')).openStockSignals()
    : (await import('./signals-isotrace.ts')).openIsotraceSignals(endpoint);
}
