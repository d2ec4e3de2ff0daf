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
  /** The packages that a user imports, in the order of import, from the peer's folder. */
  readonly packages: readonly string[];
  open(settings: PeerSettings): OpenPeer;
}

interface PeerEntry {
  /** Its folder in `packages`, where it is not part of the root install. */
  readonly folder?: string;
  /** The first version of Node that it runs on. */
  readonly node?: readonly [major: number, minor: number];
  load(): Promise<Peer>;
}

/** Every library that is compared. Loaded one at a time, because some change the process that they are in. */
const PEERS = {
  stock: { load: async () => (await import('./stock.ts')).stock },
  isotrace: { load: async () => (await import('./isotrace.ts')).isotrace },
  otel3: { folder: 'otel3', node: [22, 15], load: async () => (await import('./otel3.ts')).otel3 },
  'dd-trace': { folder: 'dd-trace', load: async () => (await import('./dd-trace.ts')).ddTrace },
  logfire: { folder: 'logfire', load: async () => (await import('./logfire.ts')).logfire },
  langfuse: { folder: 'langfuse', load: async () => (await import('./langfuse.ts')).langfuse },
  sentry: { folder: 'sentry', load: async () => (await import('./sentry.ts')).sentry },
} satisfies Record<string, PeerEntry>;

export type PeerName = keyof typeof PEERS;

/** The first is the one that ratios refer to. */
export const PEER_NAMES = Object.keys(PEERS) as PeerName[];

/** Those of the root install, which every question is asked of; the others have one tracer for a whole process. */
export const OWN_PEERS: readonly PeerName[] = ['stock', 'isotrace'];

export function loadPeer(name: PeerName): Promise<Peer> {
  return PEERS[name].load();
}

/** Where its packages are, if not in the root install. */
export function folderOf(name: PeerName): string | undefined {
  const entry: PeerEntry = PEERS[name];
  return entry.folder;
}

/** Whether it runs on a version of Node, as `process.version` names it. */
export function runsOn(name: PeerName, nodeVersion: string): boolean {
  const { node = [0, 0] }: PeerEntry = PEERS[name];
  const [major = 0, minor = 0] = nodeVersion.replace('v', '').split('.').map(Number);
  return major > node[0] || (major === node[0] && minor >= node[1]);
}
