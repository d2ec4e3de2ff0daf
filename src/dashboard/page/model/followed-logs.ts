import { logMillis, type WireLog } from './wire.ts';

/** How many there are of each record: records have no id. */
type Counts = Map<string, number>;

/**
 * A list of log records that is asked for and told of what comes in: each record once, whether it was told before or after
 * the answer that has it too, and the very same object as long as it is shown.
 */
export class FollowedLogs {
  readonly #most: number;
  #path = '';
  /** Of the answer, those that have not been told yet. */
  #untold: Counts = new Map();
  /** What was told since it was asked for. */
  #told: readonly WireLog[] = [];
  #shown: readonly WireLog[] = [];

  /** @param most the most records; the oldest have to go. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The list is asked for: with another path it begins anew. */
  ask(path: string): void {
    if (path !== this.#path) {
      this.#shown = [];
      this.#untold = new Map();
    }
    this.#path = path;
    this.#told = [];
  }

  answer(logs: readonly WireLog[]): readonly WireLog[] {
    this.#untold = new Map();
    const known = new Map<string, WireLog[]>();
    for (const log of this.#shown) {
      const same = known.get(keyOf(log));
      if (same === undefined) known.set(keyOf(log), [log]);
      else same.push(log);
    }
    const kept = logs.map((log) => {
      const key = keyOf(log);
      this.#untold.set(key, (this.#untold.get(key) ?? 0) + 1);
      return known.get(key)?.shift() ?? log;
    });
    this.#shown = [];
    return this.#add([...this.#told.filter((log) => !this.#wasAnswered(log)), ...kept]);
  }

  tell(logs: readonly WireLog[]): readonly WireLog[] {
    this.#told = [...logs, ...this.#told].slice(0, this.#most);
    return this.#add(logs.filter((log) => !this.#wasAnswered(log)));
  }

  #wasAnswered(log: WireLog): boolean {
    const key = keyOf(log);
    const count = this.#untold.get(key) ?? 0;
    if (count > 1) this.#untold.set(key, count - 1);
    else this.#untold.delete(key);
    return count > 0;
  }

  /** Newest first; those that come in are told newest first too. */
  #add(logs: readonly WireLog[]): readonly WireLog[] {
    this.#shown = [...logs, ...this.#shown]
      .sort((left, right) => logMillis(right) - logMillis(left))
      .slice(0, this.#most);
    return this.#shown;
  }
}

function keyOf({ timeUnixNano, observedTimeUnixNano, tenant, spanId, body, attributes }: WireLog): string {
  return JSON.stringify([timeUnixNano, observedTimeUnixNano, tenant, spanId, body, attributes]);
}
