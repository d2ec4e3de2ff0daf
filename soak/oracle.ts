import { type Account, type Arrival, type Created, receiverOf } from './messages.ts';

/** What is known of one span; either side may speak first. */
interface Trail {
  tenantId?: string;
  hash?: string;
  fresh?: boolean;
  arrivedHash?: string;
  arrivals: number;
  acknowledged: number;
}

interface Tally {
  created: number;
  dropped: number;
  doubts: number;
  arrived: number;
  acknowledged: number;
  missing: number;
}

interface Verdict {
  readonly problems: readonly string[];
  readonly spans: number;
  readonly arrived: number;
  readonly duplicates: number;
  /** Not arrived; all of them were counted as dropped if there is no problem. */
  readonly missing: number;
}

const MOST_PROBLEMS = 20;
/** Spans in a request of the soak, at most. */
export const MAX_BATCH = 32;

/** Knows each span by its id: whose it is, what it says, and how often it arrived where. */
export class Oracle {
  readonly #receivers: number;
  readonly #trails = new Map<string, Trail>();
  readonly #tallies = new Map<string, Tally>();
  readonly #problems: string[] = [];
  #problemCount = 0;
  #dropped = 0;

  constructor(receivers: number) {
    this.#receivers = receivers;
  }

  created({ tenantId, spanId, hash, fresh = false }: Created): void {
    const trail = this.#trail(spanId);
    if (trail.tenantId !== undefined) this.#problem(`span ${spanId} was made twice`);
    Object.assign(trail, { tenantId, hash, fresh });
    this.#tally(tenantId).created += 1;
  }

  arrived({ sentAs, owner, receiver, spanId, hash, acknowledged }: Arrival): void {
    const trail = this.#trail(spanId);
    trail.arrivals += 1;
    if (acknowledged) trail.acknowledged += 1;
    trail.arrivedHash ??= hash;
    if (trail.arrivedHash !== hash) this.#problem(`span ${spanId} of ${owner} arrived with two payloads`);
    if (sentAs !== owner) this.#problem(`span ${spanId} of ${owner} was sent as ${sentAs}`);
    if (receiver !== receiverOf(owner, this.#receivers))
      this.#problem(`span ${spanId} of ${owner} came to ${receiver}`);
  }

  dropped(tenantId: string, count: number): void {
    this.#tally(tenantId).dropped += count;
    this.#dropped += count;
  }

  /** The tenant does not know what became of an attempt, and may have to make it again. */
  doubt(tenantId: string): void {
    this.#tally(tenantId).doubts += 1;
  }

  /** Spans made after the faults that have not arrived. */
  get late(): number {
    let late = 0;
    for (const { fresh, arrivals } of this.#trails.values()) if (fresh && arrivals === 0) late += 1;
    return late;
  }

  verdict(account: Account): Verdict {
    let [arrived, duplicates, missing] = [0, 0, 0];
    for (const [spanId, trail] of this.#trails) {
      const tally = this.#judge(spanId, trail);
      arrived += trail.arrivals > 0 ? 1 : 0;
      duplicates += Math.max(trail.arrivals - 1, 0);
      if (tally === undefined) continue;
      tally.arrived += trail.arrivals > 0 ? 1 : 0;
      tally.acknowledged += trail.acknowledged > 0 ? 1 : 0;
      tally.missing += trail.arrivals > 0 ? 0 : 1;
      missing += trail.arrivals > 0 ? 0 : 1;
    }
    for (const [tenantId, tally] of this.#tallies) this.#judgeTenant(tenantId, tally);
    this.#judgeAccount(account);
    if (this.#problemCount > MOST_PROBLEMS) this.#problems.push(`… and ${this.#problemCount - MOST_PROBLEMS} more`);
    return { problems: this.#problems, spans: this.#trails.size, arrived, duplicates, missing };
  }

  #judge(spanId: string, trail: Trail): Tally | undefined {
    const { tenantId, hash, fresh, arrivedHash, arrivals, acknowledged } = trail;
    if (tenantId === undefined) {
      this.#problem(`span ${spanId} arrived and was never made`);
      return undefined;
    }
    const tally = this.#tally(tenantId);
    if (arrivals > 0 && arrivedHash !== hash)
      this.#problem(`span ${spanId} of ${tenantId} arrived with another payload`);
    if (fresh && acknowledged !== 1) this.#problem(`the last span of ${tenantId} arrived ${acknowledged} times`);
    // A sender that was told once sends again only if it could not know.
    if (acknowledged > 1 && tally.doubts === 0)
      this.#problem(`span ${spanId} of ${tenantId} was sent again for nothing`);
    return tally;
  }

  #judgeTenant(tenantId: string, { created, dropped, doubts, arrived, acknowledged, missing }: Tally): void {
    const exported = created - dropped;
    const sums = `${created} made, ${dropped} dropped, ${arrived} arrived, ${acknowledged} acknowledged`;
    if (missing > dropped) this.#problem(`${tenantId} lost ${missing - dropped} spans silently: ${sums}`);
    if (exported > acknowledged) this.#problem(`${tenantId} takes spans for delivered that are not: ${sums}`);
    if (acknowledged - exported > doubts * MAX_BATCH) this.#problem(`${tenantId} counts what arrived as lost: ${sums}`);
  }

  #judgeAccount({ created, exported, queued, dropped }: Account): void {
    const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    const made = [...this.#tallies.values()].reduce((sum, tally) => sum + tally.created, 0);
    if (created !== exported + queued + lost) this.#problem('the account of the registry does not balance');
    if (queued !== 0) this.#problem(`${queued} spans are still queued`);
    if (created !== made) this.#problem(`${made} spans were made, and ${created} counted`);
    if (lost !== this.#dropped) this.#problem(`${lost} spans were dropped, and ${this.#dropped} announced`);
  }

  #trail(spanId: string): Trail {
    let trail = this.#trails.get(spanId);
    if (trail === undefined) {
      trail = { arrivals: 0, acknowledged: 0 };
      this.#trails.set(spanId, trail);
    }
    return trail;
  }

  #tally(tenantId: string): Tally {
    let tally = this.#tallies.get(tenantId);
    if (tally === undefined) {
      tally = { created: 0, dropped: 0, doubts: 0, arrived: 0, acknowledged: 0, missing: 0 };
      this.#tallies.set(tenantId, tally);
    }
    return tally;
  }

  #problem(text: string): void {
    this.#problemCount += 1;
    if (this.#problemCount <= MOST_PROBLEMS) this.#problems.push(text);
  }
}
