import type { Clock } from '../utils/clock.ts';
import type { Agenda } from './agenda.ts';
import { Breaker } from './breaker.ts';
import type { Standing, Turn } from './dispatcher.ts';
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
  #lastAnswer: Standing = 'unproven';

  constructor(clock: Clock, policy: RetryPolicy) {
    this.breaker = new Breaker(clock, policy);
  }

  join(member: GroupMember): void {
    // Unlike a spread, this reserves nothing.
    this.#members = this.#members.concat(member);
  }

  leave(member: GroupMember): void {
    this.#members = this.#members.filter((other) => other !== member);
  }

  /** What its requests say of the destination, but for those that failed. */
  get standing(): Standing {
    return this.#overdue > 0 ? 'suspect' : this.#lastAnswer;
  }

  /** Whether one more request may start now. `single`: not beside another. */
  hasRoom(single: boolean): boolean {
    return this.#underWay < (single ? 1 : HEALTHY_REQUESTS);
  }

  /** Notes that a request starts. Answers what is to be called once when it has ended, with whether it was answered. */
  begin(member: GroupMember, agenda: Agenda, turn: Turn): (answered: boolean) => void {
    this.#underWay += 1;
    if (this.#members.length > 1 && this.#members.at(-1) !== member && this.#members.includes(member)) {
      this.leave(member);
      this.join(member);
    }
    const startedAt = agenda.now();
    let isOverdue = false;
    const watch = watchOverdue(agenda, turn.patienceMillis, () => {
      isOverdue = true;
      this.#overdue += 1;
      turn.overdue();
    });
    return (answered) => {
      agenda.cancel(watch);
      this.#underWay -= 1;
      if (isOverdue) this.#overdue -= 1;
      if (answered) this.#lastAnswer = turn.answered(agenda.now() - startedAt);
    };
  }

  /** To be called when all has been done about a request that ended: those who had none for longest come first. */
  freed(by: GroupMember): void {
    for (const member of this.#members) if (member !== by) member.freed();
  }
}
