/** A queue that counts against the process's budget. */
export interface BudgetUser {
  /** What it holds, also what it cannot give up. */
  readonly bytes: number;
  /** Whether it makes room before all others: what it holds is a copy. */
  readonly yields?: boolean;
  /** Gives up the newest items until about `bytes` are free, and answers how many bytes that freed. */
  shed(bytes: number): number;
}

/** Freed at least, so that a full budget is not shed span by span. */
const SHED_BYTES = 64 * 1_024;

/**
 * The bytes that may wait in memory, of all tenants together. When they are used up, copies give way first, then whoever holds most
 * gives up its newest items; a tenant below the largest never loses anything to make room for it.
 */
export class ByteBudget {
  readonly maxBytes: number;
  readonly #users = new Set<BudgetUser>();
  #used = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get used(): number {
    return this.#used;
  }

  join(user: BudgetUser): void {
    this.#users.add(user);
  }

  leave(user: BudgetUser): void {
    this.#users.delete(user);
  }

  /**
   * Makes room for `bytes` more of `user` at the cost of those who hold more. False when nobody who does has anything
   * left to give up: then the user has to do without.
   */
  reserve(user: BudgetUser, bytes: number): boolean {
    if (this.#used + bytes > this.maxBytes && !this.#makeRoom(user, bytes)) return false;
    this.#used += bytes;
    return true;
  }

  /** Takes room without asking anybody for it; with `exceed` also when there is none. False when there is none. */
  claim(bytes: number, exceed: boolean): boolean {
    if (!exceed && this.#used + bytes > this.maxBytes) return false;
    this.#used += bytes;
    return true;
  }

  /** Whether there is room for `bytes` more without anybody giving up something. */
  fits(bytes: number): boolean {
    return this.#used + bytes <= this.maxBytes;
  }

  release(bytes: number): void {
    this.#used -= bytes;
  }

  #makeRoom(user: BudgetUser, bytes: number): boolean {
    /** What they hold is under way, so they cannot give it up. */
    const spent = new Set<BudgetUser>();
    while (this.#used + bytes > this.maxBytes) {
      let largest = user;
      for (const other of this.#users) {
        if (!spent.has(other) && comesBefore(other, largest)) largest = other;
      }
      if (largest === user) return false;
      if (largest.shed(Math.max(bytes, SHED_BYTES)) === 0) spent.add(largest);
    }
    return true;
  }
}

/** Whether `user` makes room before `other` does: whoever yields, and then whoever holds more. */
function comesBefore(user: BudgetUser, other: BudgetUser): boolean {
  const yields = user.yields === true;
  return yields === (other.yields === true) ? user.bytes > other.bytes : yields && user.bytes > 0;
}
