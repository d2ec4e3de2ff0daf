import type { Work } from '../support/workload.ts';

/** What happens to ended spans. */
export type PeerMode =
  /** The peer's default settings, to an OTLP receiver. */
  | 'send'
  /** They are encoded, and leave the process at `flush` only, if at all; nothing is lost. */
  | 'encode'
  /** They wait in the queue, as the peer keeps them there, until `flush`; nothing is lost. */
  | 'hold';

export interface PeerSettings {
  readonly mode: PeerMode;
  /** Base URL of the receiver. */
  readonly endpoint: string;
  /** Longest wait for a batch to fill, in mode `send`. Default: the peer's own. */
  readonly delayMillis?: number;
}

export interface PeerTenant extends Work {
  /** Spans that were taken by the receiver or, where the mode sends none, by the encoder. */
  exported(): number;
}

/** A tracing library, set up in this process for many tenants. */
export interface OpenPeer {
  /** The tenant of that id, made when it is new. */
  tenant(id: string): PeerTenant;
  /** Makes the library the one that instrumented code records with. Answers how such code enters the tenant. */
  instrument(id: string): (fn: () => void) => void;
  /** Resolves when everything that ended is encoded, in mode `encode`. */
  encoded(): Promise<void>;
  /** Resolves when everything that ended was exported. */
  flush(): Promise<void>;
  /** Shuts everything down, in so much time where the library can be told. */
  shutdown(timeoutMillis: number): Promise<void>;
}

export interface Peer {
  /** The packages that a user imports, in the order of import. */
  readonly packages: readonly string[];
  open(settings: PeerSettings): OpenPeer;
}

/** Every library that is compared. Loaded one at a time, because some change the process that they are in. */
const PEERS = {
  stock: async () => (await import('./stock.ts')).stock,
  isotrace: async () => (await import('./isotrace.ts')).isotrace,
} satisfies Record<string, () => Promise<Peer>>;

export type PeerName = keyof typeof PEERS;

/** The first is the one that ratios refer to. */
export const PEER_NAMES = Object.keys(PEERS) as PeerName[];

export function loadPeer(name: PeerName): Promise<Peer> {
  return PEERS[name]();
}
