/** What the dispatcher needs of a lane. */
export interface Sender {
  /** Whether its last attempt failed, or one that is under way takes long. */
  readonly suspect: boolean;
  sendable(): boolean;
  /** Starts one request. `overdue` is called when it takes long, `finished` exactly once when it is over. */
  send(overdue: () => void, finished: () => void): void;
}

/** Who shares connections: the origin of a URL, or an exporter of the user's. */
export type Origin = string | object;

/** Numbers of requests under way, not counting overdue ones. Suspects have half as many slots, beside these. */
export interface DispatcherOptions {
  /** Default 8. */
  readonly requestsPerOrigin?: number;
  /**
   * Overdue requests that may go on beside the slots; half as many of suspects, who leave room for tenants whose first
   * request hangs. Default 20.
   */
  readonly overduePerOrigin?: number;
  /** Default: eight times as many as slots. */
  readonly requestsInAll?: number;
}

type Standing = 'healthy' | 'suspect';

/** Slots and overdue requests of an origin, and the connections that are enough for all of them. */
export interface OriginCapacity {
  readonly requestsPerOrigin: number;
  readonly overduePerOrigin: number;
  readonly connectionsPerOrigin: number;
}

/** With 8 slots for the healthy and 4 for suspects, 20 overdue requests: 32 connections. */
export function originCapacity(requestsPerOrigin: number): OriginCapacity {
  const overduePerOrigin = Math.floor(2.5 * requestsPerOrigin);
  const connectionsPerOrigin = requestsPerOrigin + Math.ceil(requestsPerOrigin / 2) + overduePerOrigin;
  return { requestsPerOrigin, overduePerOrigin, connectionsPerOrigin };
}

/** Slots of the whole process, and the origins that wait for one, in turn. */
interface Quota {
  readonly limit: number;
  used: number;
  readonly waiting: Set<Gate>;
}

/**
 * Shares requests out among lanes: in turn, one batch a turn, so that nobody waits behind a tenant with a long
 * queue. Lanes that do well and suspects have slots of their own, for each origin and in the process, so that neither
 * wait for the other; a request that hangs gives its slot back, so that it does not hold up anybody for long.
 */
export class Dispatcher {
  readonly #requestsPerOrigin: number;
  readonly #overduePerOrigin: number;
  readonly #quotas: Readonly<Record<Standing, Quota>>;
  readonly #gates = new Map<Origin, Gate>();

  constructor(options: DispatcherOptions = {}) {
    const { overduePerOrigin = 20, requestsPerOrigin = 8, requestsInAll = 8 * requestsPerOrigin } = options;
    this.#overduePerOrigin = overduePerOrigin;
    this.#requestsPerOrigin = requestsPerOrigin;
    this.#quotas = {
      healthy: { limit: requestsInAll, used: 0, waiting: new Set() },
      suspect: { limit: Math.ceil(requestsInAll / 2), used: 0, waiting: new Set() },
    };
  }

  /** Requests that hold a slot. */
  get underWay(): number {
    return this.#quotas.healthy.used + this.#quotas.suspect.used;
  }

  get origins(): number {
    return this.#gates.size;
  }

  /** The gate of an origin, for a lane that will use it until it calls `leave`. */
  gate(origin: Origin): Gate {
    let gate = this.#gates.get(origin);
    if (gate === undefined) {
      gate = new Gate(this, origin, this.#requestsPerOrigin, this.#overduePerOrigin);
      this.#gates.set(origin, gate);
    }
    gate.users += 1;
    return gate;
  }

  leave(gate: Gate): void {
    gate.users -= 1;
    if (gate.users > 0) return;
    this.#gates.delete(gate.origin);
    for (const { waiting } of Object.values(this.#quotas)) waiting.delete(gate);
  }

  /** Takes a slot of the process, or remembers the origin for when one is free. */
  acquire(gate: Gate, standing: Standing): boolean {
    const quota = this.#quotas[standing];
    if (quota.used >= quota.limit) {
      quota.waiting.add(gate);
      return false;
    }
    quota.used += 1;
    return true;
  }

  release(standing: Standing): void {
    const quota = this.#quotas[standing];
    quota.used -= 1;
    for (const gate of quota.waiting) {
      if (quota.used >= quota.limit) return;
      quota.waiting.delete(gate);
      gate.pump(standing);
    }
  }
}

/** Slots of one origin, and the lanes that wait for one; insertion order is the order of turns. */
interface Line {
  readonly limit: number;
  used: number;
  readonly waiting: Set<Sender>;
}

/** A request under way and what it counts against. */
interface Run {
  readonly standing: Standing;
  holds: 'slot' | 'overdue' | 'nothing';
}

/** The lines of one origin. */
export class Gate {
  readonly origin: Origin;
  users = 0;
  readonly #dispatcher: Dispatcher;
  readonly #lines: Readonly<Record<Standing, Line>>;
  readonly #overdueLimits: Readonly<Record<Standing, number>>;
  /** Overdue requests that keep their slot until there is room beside the slots. */
  readonly #late = new Set<Run>();
  #overdue = 0;

  constructor(dispatcher: Dispatcher, origin: Origin, requests: number, overdue: number) {
    this.#dispatcher = dispatcher;
    this.origin = origin;
    this.#overdueLimits = { healthy: overdue, suspect: Math.floor(overdue / 2) };
    this.#lines = {
      healthy: { limit: requests, used: 0, waiting: new Set() },
      suspect: { limit: Math.ceil(requests / 2), used: 0, waiting: new Set() },
    };
  }

  /** Puts a lane at the end of its line, unless it stands there. */
  offer(sender: Sender): void {
    if (!sender.sendable()) return;
    const standing = standingOf(sender);
    this.#lines[standing === 'healthy' ? 'suspect' : 'healthy'].waiting.delete(sender);
    this.#lines[standing].waiting.add(sender);
    this.pump(standing);
  }

  withdraw(sender: Sender): void {
    for (const { waiting } of Object.values(this.#lines)) waiting.delete(sender);
  }

  /** Gives free slots to the lanes in line. */
  pump(standing: Standing): void {
    const line = this.#lines[standing];
    while (line.used < line.limit) {
      const sender = this.#first(standing);
      if (sender === undefined || !this.#dispatcher.acquire(this, standing)) return;
      line.waiting.delete(sender);
      line.used += 1;
      this.#start(sender, { standing, holds: 'slot' });
    }
  }

  /** The first in line that can send; the others are put where they belong now. */
  #first(standing: Standing): Sender | undefined {
    const { waiting } = this.#lines[standing];
    for (const sender of waiting) {
      if (sender.sendable() && standingOf(sender) === standing) return sender;
      waiting.delete(sender);
      this.offer(sender);
    }
    return undefined;
  }

  #start(sender: Sender, run: Run): void {
    sender.send(
      () => {
        if (run.holds !== 'slot') return;
        this.#late.add(run);
        this.#shelve();
      },
      () => {
        const { holds } = run;
        run.holds = 'nothing';
        this.#late.delete(run);
        if (holds === 'slot') this.#giveBack(run.standing);
        if (holds !== 'overdue') return;
        this.#overdue -= 1;
        this.#shelve();
      },
    );
  }

  #shelve(): void {
    for (const run of this.#late) {
      if (this.#overdue >= this.#overdueLimits[run.standing]) continue;
      this.#late.delete(run);
      run.holds = 'overdue';
      this.#overdue += 1;
      this.#giveBack(run.standing);
    }
  }

  #giveBack(standing: Standing): void {
    this.#lines[standing].used -= 1;
    this.#dispatcher.release(standing);
    this.pump(standing);
  }
}

function standingOf(sender: Sender): Standing {
  return sender.suspect ? 'suspect' : 'healthy';
}
