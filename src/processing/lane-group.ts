import type { Clock } from '../utils/clock.ts';
import type { Agenda } from './agenda.ts';
import { Breaker } from './breaker.ts';
import { watchOverdue } from './overdue-watch.ts';
import type { RetryPolicy } from './retry-policy.ts';

/** Requests under way to a destination that does well. */
const HEALTHY_REQUESTS = 2;

/** What the group needs of a lane. */
export interface GroupMember {
  /** Another lane of the destination has ended an attempt. */
  freed(): void;
}

const NO_MEMBERS: readonly GroupMember[] = Object.freeze([]);

/**
 * The lanes that lead to one destination for one tenant, one for each signal: they share what is known of the
 * destination, and never have more requests under way together than one of them would have alone.
 */
export class LaneGroup {
  readonly breaker: Breaker;
  /** Those who had a request last come last. */
  #members: readonly GroupMember[] = NO_MEMBERS;
  #underWay = 0;
  #overdue = 0;

  constructor(clock: Clock, policy: RetryPolicy) {
    this.breaker = new Breaker(clock, policy);
  }

  join(member: GroupMember): void {
    this.#members = [...this.#members, member];
  }

  leave(member: GroupMember): void {
    this.#members = this.#members.filter((other) => other !== member);
  }

  /** Whether a request takes long. */
  get overdue(): boolean {
    return this.#overdue > 0;
  }

  /** Whether one more request may start now. `single`: not beside another. */
  hasRoom(single: boolean): boolean {
    return this.#underWay < (single ? 1 : HEALTHY_REQUESTS);
  }

  /** Notes that a request starts; `overdue` is called when it takes long. Answers what is to be called once when it has ended. */
  begin(member: GroupMember, agenda: Agenda, overdue: () => void): () => void {
    this.#underWay += 1;
    if (this.#members.length > 1 && this.#members.at(-1) !== member && this.#members.includes(member)) {
      this.leave(member);
      this.join(member);
    }
    let isOverdue = false;
    const watch = watchOverdue(agenda, () => {
      isOverdue = true;
      this.#overdue += 1;
      overdue();
    });
    return () => {
      agenda.cancel(watch);
      this.#underWay -= 1;
      if (isOverdue) this.#overdue -= 1;
    };
  }

  /** To be called when all has been done about a request that ended: those who had none for longest come first. */
  freed(by: GroupMember): void {
    for (const member of this.#members) if (member !== by) member.freed();
  }
}
