import { AnswerPace } from './answer-pace.ts';

/**
 * What is known of a lane.
 * - `proven`: its last request was answered, in a time that is usual there.
 * - `unproven`: none was answered yet.
 * - `suspect`: its last request failed or was unusually slow, or one that is under way takes long.
 */
export type Standing = 'proven' | 'unproven' | 'suspect';

/** One request of a lane, as the dispatcher sees it. */
export interface Turn {
  /** How long it may take before it is overdue, in milliseconds. */
  readonly patienceMillis: number;
  /** To be called when it is overdue. */
  overdue(): void;
  /** To be called with how long the receiver took, if it answered; tells what that says of the lane. */
  answered(millis: number): Standing;
  /** To be called when it is over. */
  finished(): void;
}

/** What the dispatcher needs of a lane. */
export interface Sender {
  readonly standing: Standing;
  sendable(): boolean;
  /** Starts one request. */
  send(turn: Turn): void;
}

/** Who shares connections: the origin of a URL, or an exporter of the user's. */
export type Origin = string | object;

/** Numbers of requests under way, not counting overdue ones. Suspects have half as many slots, beside these. */
export interface DispatcherOptions {
  /** Default 8. */
  readonly requestsPerOrigin?: number;
  /**
   * Overdue requests that may go on beside the slots. Half are kept free of suspects, and a quarter of the unproven, for
   * those that begin to hang. Default 20.
   */
  readonly overduePerOrigin?: number;
  /** Default: eight times as many as slots. */
  readonly requestsInAll?: number;
}

const STANDINGS = ['proven', 'unproven', 'suspect'] as const satisfies readonly Standing[];

const UNPROVEN_FIRST = ['unproven', 'proven', 'suspect'] as const satisfies readonly Standing[];

/** Slots and overdue requests of an origin, and the connections that are enough for all of them. */
export interface OriginCapacity {
  readonly requestsPerOrigin: number;
  readonly overduePerOrigin: number;
  readonly connectionsPerOrigin: number;
}

/** With 8 slots for the proven, as many for the unproven, 4 for suspects and 20 overdue requests: 40 connections. */
export function originCapacity(requestsPerOrigin: number): OriginCapacity {
  const overduePerOrigin = Math.floor(2.5 * requestsPerOrigin);
  const connectionsPerOrigin = 2 * requestsPerOrigin + Math.ceil(requestsPerOrigin / 2) + overduePerOrigin;
  return { requestsPerOrigin, overduePerOrigin, connectionsPerOrigin };
}

/**
 * Slots of an origin or of the process, and who waits for one; insertion order is the order of turns. The proven and the
 * unproven share theirs, where the unproven come first until they have a quarter, and last from then on. Those of the
 * unproven that are overdue leave the share, but still count among the unproven, of whom there are never more than
 * slots. Suspects have half as many of their own.
 */
class Slots<T> {
  readonly waiting: Readonly<Record<Standing, Set<T>>> = {
    proven: new Set(),
    unproven: new Set(),
    suspect: new Set(),
  };
  readonly #used: Record<Standing, number> = { proven: 0, unproven: 0, suspect: 0 };
  readonly #limit: number;
  /** Unproven requests that are overdue, and have found no room beside the slots. */
  #late = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get used(): number {
    return this.#used.proven + this.#used.unproven + this.#used.suspect;
  }

  /** In the order in which free slots are given out. */
  get order(): readonly Standing[] {
    return 4 * (this.#used.unproven - this.#late) < this.#limit ? UNPROVEN_FIRST : STANDINGS;
  }

  free(standing: Standing): boolean {
    const { proven, suspect, unproven } = this.#used;
    if (standing === 'suspect') return suspect < Math.ceil(this.#limit / 2);
    return proven + unproven - this.#late < this.#limit && (standing === 'proven' || unproven < this.#limit);
  }

  take(standing: Standing): void {
    this.#used[standing] += 1;
  }

  /** A request of the unproven that holds a slot is overdue. */
  outlast(): void {
    this.#late += 1;
  }

  /** `late`: of an unproven request that was overdue. */
  giveBack(standing: Standing, late: boolean): void {
    this.#used[standing] -= 1;
    if (late) this.#late -= 1;
  }

  forget(waiting: T): void {
    for (const standing of STANDINGS) this.waiting[standing].delete(waiting);
  }
}

/**
 * Shares requests out among lanes: in turn, one batch a turn, so that nobody waits behind a tenant with a long
 * queue. Slots, for each origin and in the process, go by what is known of a lane, so that those that do well wait for
 * nobody else; a request that takes long gives its slot back, so that it does not hold up others of its kind.
 */
export class Dispatcher {
  readonly #requestsPerOrigin: number;
  readonly #overduePerOrigin: number;
  readonly #slots: Slots<Gate>;
  readonly #gates = new Map<Origin, Gate>();
  #closed = false;

  constructor(options: DispatcherOptions = {}) {
    const { overduePerOrigin = 20, requestsPerOrigin = 8, requestsInAll = 8 * requestsPerOrigin } = options;
    this.#overduePerOrigin = overduePerOrigin;
    this.#requestsPerOrigin = requestsPerOrigin;
    this.#slots = new Slots(requestsInAll);
  }

  /** Requests that hold a slot. */
  get underWay(): number {
    return this.#slots.used;
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
    this.#slots.forget(gate);
  }

  /** Starts no request any more. */
  close(): void {
    this.#closed = true;
  }

  /** Takes a slot of the process, or remembers the origin for when one is free. */
  acquire(gate: Gate, standing: Standing): boolean {
    if (this.#closed) return false;
    if (!this.#slots.free(standing)) {
      this.#slots.waiting[standing].add(gate);
      return false;
    }
    this.#slots.take(standing);
    return true;
  }

  release(standing: Standing, late: boolean): void {
    this.#slots.giveBack(standing, late);
    this.#pumpAll();
  }

  /** An unproven request of a gate is overdue and keeps its slot. */
  outlast(): void {
    this.#slots.outlast();
    this.#pumpAll();
  }

  #pumpAll(): void {
    for (const standing of this.#slots.order) this.#pump(standing);
  }

  #pump(standing: Standing): void {
    const waiting = this.#slots.waiting[standing];
    for (const gate of waiting) {
      if (!this.#slots.free(standing)) return;
      waiting.delete(gate);
      gate.pump(standing);
    }
  }
}

/** A request under way and what it counts against. */
interface Run {
  readonly standing: Standing;
  /** `late`: a slot, but out of the share. */
  holds: 'slot' | 'late' | 'overdue' | 'nothing';
}

/** The slots of one origin, and the lanes that wait for them. */
export class Gate {
  readonly origin: Origin;
  users = 0;
  readonly #dispatcher: Dispatcher;
  readonly #slots: Slots<Sender>;
  readonly #overdueLimits: Readonly<Record<Standing, number>>;
  readonly #pace = new AnswerPace();
  /** Overdue requests that keep their slot until there is room beside the slots. */
  readonly #late = new Set<Run>();
  #overdue = 0;

  constructor(dispatcher: Dispatcher, origin: Origin, requests: number, overdue: number) {
    this.#dispatcher = dispatcher;
    this.origin = origin;
    this.#overdueLimits = {
      proven: overdue,
      unproven: Math.ceil(0.75 * overdue),
      suspect: Math.floor(overdue / 2),
    };
    this.#slots = new Slots(requests);
  }

  /** Puts a lane at the end of its line, unless it stands there. */
  offer(sender: Sender): void {
    if (!sender.sendable()) return;
    const { standing } = sender;
    const { waiting } = this.#slots;
    if (!waiting[standing].has(sender)) {
      this.withdraw(sender);
      waiting[standing].add(sender);
    }
    this.pump(standing);
  }

  withdraw(sender: Sender): void {
    this.#slots.forget(sender);
  }

  /** Gives free slots to the lanes in line. */
  pump(standing: Standing): void {
    while (this.#slots.free(standing)) {
      const sender = this.#first(standing);
      if (sender === undefined || !this.#dispatcher.acquire(this, standing)) return;
      this.#slots.waiting[standing].delete(sender);
      this.#slots.take(standing);
      this.#start(sender, { standing, holds: 'slot' });
    }
  }

  /** The first in line that can send; the others are put where they belong now. */
  #first(standing: Standing): Sender | undefined {
    const waiting = this.#slots.waiting[standing];
    for (const sender of waiting) {
      if (sender.sendable() && sender.standing === standing) return sender;
      waiting.delete(sender);
      this.offer(sender);
    }
    return undefined;
  }

  #start(sender: Sender, run: Run): void {
    sender.send({
      patienceMillis: this.#pace.patienceMillis(run.standing === 'unproven'),
      overdue: () => {
        if (run.holds !== 'slot') return;
        this.#late.add(run);
        this.#shelve();
        if (run.standing === 'unproven') this.#outlast(run);
      },
      answered: (millis) => {
        this.#pace.note(millis);
        return this.#pace.isUsual(millis) ? 'proven' : 'suspect';
      },
      finished: () => {
        const { holds } = run;
        run.holds = 'nothing';
        this.#late.delete(run);
        if (holds === 'slot' || holds === 'late') this.#giveBack(run.standing, holds === 'late');
        if (holds !== 'overdue') return;
        this.#overdue -= 1;
        this.#shelve();
      },
    });
  }

  #shelve(): void {
    for (const run of this.#late) {
      if (this.#overdue >= this.#overdueLimits[run.standing]) continue;
      const isLate = run.holds === 'late';
      this.#late.delete(run);
      run.holds = 'overdue';
      this.#overdue += 1;
      this.#giveBack(run.standing, isLate);
    }
  }

  /** One that found no room beside the slots. */
  #outlast(run: Run): void {
    if (run.holds !== 'slot') return;
    run.holds = 'late';
    this.#slots.outlast();
    this.#dispatcher.outlast();
    this.#pumpAll();
  }

  #giveBack(standing: Standing, late: boolean): void {
    this.#slots.giveBack(standing, late);
    this.#dispatcher.release(standing, late);
    this.#pumpAll();
  }

  #pumpAll(): void {
    for (const standing of this.#slots.order) this.pump(standing);
  }
}
