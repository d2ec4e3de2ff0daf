import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Dispatcher,
  type DispatcherOptions,
  type Gate,
  originCapacity,
  type Sender,
  type Standing,
  type Turn,
} from '../../src/processing/dispatcher.ts';

const OVERDUE_PER_ORIGIN = 20;

describe('Dispatcher', () => {
  it('never gives out more than the slots, lets nobody starve and gets everything back', { timeout: 60_000 }, () => {
    const limits = fc.record({
      requestsPerOrigin: fc.integer({ min: 1, max: 5 }),
      requestsInAll: fc.integer({ min: 1, max: 8 }),
    });
    const origins = fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(limits, origins, fc.array(stepArbitrary(), { maxLength: 150 }), (options, senders, steps) => {
        const world = new World({ overduePerOrigin: 30, ...options }, senders);
        for (const step of steps) world.run(step);
        world.drain();
      }),
      { numRuns: 1_500 },
    );
  });

  it('serves lanes in turn, one batch each', () => {
    const { gate } = origin({ requestsPerOrigin: 1 });
    const order: string[] = [];
    const senders = ['a', 'b', 'c'].map((name) => new FakeSender(name, 'proven', order));
    for (const sender of senders) {
      sender.batches = 3;
      gate.offer(sender);
    }
    for (let turn = 0; turn < 9; turn += 1) {
      const sender = senders.find(({ runs }) => runs.length > 0) as FakeSender;
      (sender.runs[0] as Run).finished();
      gate.offer(sender);
    }
    expect(order).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c']);
  });

  it('gives the slots of the process to origins in turn', () => {
    const dispatcher = new Dispatcher({ requestsInAll: 1 });
    const order: string[] = [];
    const lanes = ['a', 'a', 'a', 'b', 'c'].map((name) => {
      const sender = new FakeSender(name, 'proven', order);
      sender.batches = 2;
      return { sender, gate: dispatcher.gate(name) };
    });
    for (const { gate, sender } of lanes) gate.offer(sender);
    for (let turn = 0; turn < 10; turn += 1) {
      const { gate, sender } = lanes.find((lane) => lane.sender.runs.length > 0) as (typeof lanes)[number];
      (sender.runs[0] as Run).finished();
      gate.offer(sender);
    }
    // Whoever has waited longest comes next.
    expect(order.join('')).toBe('aabcabacaa');
  });

  it('has all slots for the proven once the others are overdue, however many there are', () => {
    const { dispatcher, gate } = origin();
    const others = [...line(gate, 50, 'suspect'), ...line(gate, 50, 'unproven')];
    expect(runsOf(others)).toHaveLength(4 + 8);
    const proven = line(gate, 50, 'proven');
    makeOverdue(others);
    expect(runsOf(proven)).toHaveLength(8);
    expect(dispatcher.underWay).toBe(8 + 8 + 4);
  });

  it('has slots for suspects, however many others there are', () => {
    const { gate } = origin();
    line(gate, 50, 'proven');
    line(gate, 50, 'unproven');
    expect(runsOf(line(gate, 50, 'suspect'))).toHaveLength(4);
  });

  it('has no more slots for the proven and the unproven together, and a quarter for the unproven in any case', () => {
    const { gate } = origin();
    const proven = line(gate, 50, 'proven');
    const unproven = line(gate, 50, 'unproven');
    const counts = () => [runsOf(proven).length, runsOf(unproven).length];
    expect(counts()).toEqual([8, 0]);
    for (let turn = 0; turn < 5; turn += 1) (runsOf(proven)[0] as Run).finished();
    expect(counts()).toEqual([6, 2]);
    for (let turn = 0; turn < 5; turn += 1) (runsOf(unproven)[0] as Run).finished();
    expect(counts()).toEqual([6, 2]);
  });

  it('does not let suspects of many origins use up the process', () => {
    const dispatcher = new Dispatcher();
    for (let index = 0; index < 200; index += 1) {
      dispatcher.gate(`https://dead-${index}.test`).offer(new FakeSender('suspect', 'suspect'));
    }
    expect(dispatcher.underWay).toBe(32);
    expect(runsOf(line(dispatcher.gate('https://new.test'), 1, 'unproven'))).toHaveLength(1);
    expect(runsOf(line(dispatcher.gate('https://good.test'), 1, 'proven'))).toHaveLength(1);
  });

  it('does not let new tenants of many origins use up the process', () => {
    const dispatcher = new Dispatcher();
    const at = (name: string, standing: Standing) => line(dispatcher.gate(`https://${name}.test`), 1, standing);
    const hanging = Array.from({ length: 200 }, (_, index) => at(`new-${index}`, 'unproven')).flat();
    expect(dispatcher.underWay).toBe(64);
    const proven = Array.from({ length: 100 }, (_, index) => at(`proven-${index}`, 'proven')).flat();
    for (const run of runsOf(hanging)) run.overdue();
    // Those that took their slots: as many as are the unproven's in any case, and all others.
    expect([runsOf(hanging).length, runsOf(proven).length]).toEqual([64 + 16, 64 - 16]);
    makeOverdue(hanging);
    expect([runsOf(hanging).length, runsOf(proven).length]).toEqual([200, 64]);
  });

  it('takes the slot of an overdue request back, up to 20 beside the slots', () => {
    const { dispatcher, gate } = origin();
    const senders = line(gate, 60, 'proven');
    makeOverdue(senders);
    expect(runsOf(senders)).toHaveLength(8 + OVERDUE_PER_ORIGIN);
    expect(dispatcher.underWay).toBe(8);

    // One that is over makes room for the next that is overdue, whose slot is free again.
    (runsOf(senders)[0] as Run).finished();
    expect(runsOf(senders)).toHaveLength(8 + OVERDUE_PER_ORIGIN);
    for (let [run] = runsOf(senders); run !== undefined; [run] = runsOf(senders)) run.finished();
    expect([runsOf(senders), dispatcher.underWay]).toEqual([[], 0]);
  });

  it('keeps room for overdue requests of those that were well until now', () => {
    const { gate } = origin();
    const suspects = line(gate, 60, 'suspect');
    makeOverdue(suspects);
    expect(runsOf(suspects)).toHaveLength(4 + OVERDUE_PER_ORIGIN / 2);

    const unproven = line(gate, 60, 'unproven');
    makeOverdue(unproven);
    expect(runsOf(unproven)).toHaveLength(8 + OVERDUE_PER_ORIGIN / 4);

    const proven = line(gate, 60, 'proven');
    makeOverdue(proven);
    expect(runsOf(proven)).toHaveLength(8 + OVERDUE_PER_ORIGIN / 4);
    const all = runsOf([...suspects, ...unproven, ...proven]);
    expect(all).toHaveLength(originCapacity(8).connectionsPerOrigin);
  });

  it('tells a lane how long its request may take, by what is usual at its origin', () => {
    const { gate } = origin();
    const [first, ...others] = line(gate, 3, 'unproven').flatMap(({ runs }) => runs) as [Run, Run, Run];
    expect(first.patienceMillis).toBe(1_000);
    expect(first.answered(80)).toBe('proven');
    expect(runsOf(line(gate, 1, 'proven'))[0]?.patienceMillis).toBe(640);
    expect(others.map((run) => run.answered(3_000))).toEqual(['suspect', 'suspect']);
  });

  it.each([
    ['in its slot', false],
    ['beside the slots', true],
  ])('ignores what a request %s says after its end', (_case, isOverdue) => {
    const { dispatcher, gate } = origin();
    const sender = new FakeSender('a');
    gate.offer(sender);
    const run = sender.runs[0] as Run;
    if (isOverdue) run.overdue();
    run.finished();
    run.finished();
    run.overdue();
    expect(dispatcher.underWay).toBe(0);
    const others = line(gate, 60, 'proven');
    makeOverdue(others);
    expect(runsOf(others)).toHaveLength(8 + OVERDUE_PER_ORIGIN);
    expect(dispatcher.underWay).toBe(8);
  });

  it('does not take the slot of an overdue request twice when it ends before there was room for it', () => {
    const { dispatcher, gate } = origin();
    const senders = line(gate, 8 + OVERDUE_PER_ORIGIN, 'proven');
    makeOverdue(senders);
    const [first, ...others] = runsOf(senders);
    const last = others.pop();
    last?.finished();
    expect(dispatcher.underWay).toBe(7);
    first?.finished();
    expect(dispatcher.underWay).toBe(6);
    for (const run of others) run.finished();
    expect(dispatcher.underWay).toBe(0);
  });

  it('moves a lane that became suspect while it stood in line', () => {
    const { gate } = origin();
    const blockers = runsOf(line(gate, 8, 'proven'));
    const turned = new FakeSender('turned');
    gate.offer(turned);
    turned.standing = 'suspect';
    const other = new FakeSender('other');
    gate.offer(other);
    (blockers[0] as Run).finished();
    expect([turned.runs.length, other.runs.length]).toEqual([1, 1]);
  });

  it('forgets an origin with its last lane, and one whose lanes left while they waited costs nothing', () => {
    const dispatcher = new Dispatcher({ requestsInAll: 1 });
    const [first, second] = [dispatcher.gate('first'), dispatcher.gate('second')];
    const [running, waiting] = [new FakeSender('running'), new FakeSender('waiting')];
    first.offer(running);
    second.offer(waiting);
    second.withdraw(waiting);
    dispatcher.leave(second);
    expect(dispatcher.origins).toBe(1);
    (running.runs[0] as Run).finished();
    expect([dispatcher.underWay, waiting.runs.length]).toEqual([0, 0]);

    const again = dispatcher.gate('second');
    expect(again).not.toBe(second);
    again.offer(waiting);
    dispatcher.leave(again);
    (waiting.runs[0] as Run).finished();
    expect(dispatcher.underWay).toBe(0);
  });
});

type Run = Turn;

/** Sends as often as it has batches, one or two at a time. */
class FakeSender implements Sender {
  readonly runs: Run[] = [];
  standing: Standing;
  batches = 1;
  atOnce = 1;
  sent = 0;
  onSend = (): void => {};
  readonly #name: string;
  readonly #order: string[];

  constructor(name: string, standing: Standing = 'proven', order: string[] = []) {
    this.#name = name;
    this.standing = standing;
    this.#order = order;
  }

  sendable(): boolean {
    return this.batches > 0 && this.runs.length < this.atOnce;
  }

  send(turn: Turn): void {
    this.batches -= 1;
    this.sent += 1;
    this.#order.push(this.#name);
    const run: Run = {
      ...turn,
      finished: () => {
        const index = this.runs.indexOf(run);
        if (index >= 0) this.runs.splice(index, 1);
        turn.finished();
      },
    };
    this.runs.push(run);
    this.onSend();
  }
}

/** Lanes that have one batch each, in line. */
function line(gate: Gate, count: number, standing: Standing): FakeSender[] {
  const senders = Array.from({ length: count }, () => new FakeSender(standing, standing));
  for (const sender of senders) gate.offer(sender);
  return senders;
}

function runsOf(senders: readonly FakeSender[]): Run[] {
  return senders.flatMap(({ runs }) => runs);
}

/** Until nothing changes any more. */
function makeOverdue(senders: readonly FakeSender[]): void {
  for (let round = 0; round < 10; round += 1) for (const run of runsOf(senders)) run.overdue();
}

function origin(options?: DispatcherOptions): { dispatcher: Dispatcher; gate: Gate } {
  const dispatcher = new Dispatcher(options);
  return { dispatcher, gate: dispatcher.gate('https://one.test') };
}

type Step = {
  readonly kind: 'produce' | 'finish' | 'overdue' | Standing | 'leave';
  readonly pick: number;
};

/** Lanes of up to three origins, as real ones behave: they offer themselves whenever something changed. */
class World {
  readonly #dispatcher: Dispatcher;
  readonly #options: Required<DispatcherOptions>;
  readonly #lanes: { readonly sender: FakeSender; readonly gate: Gate; readonly origin: number }[];
  readonly #standings = new Map<Run, { readonly standing: Standing; readonly origin: number; overdue: boolean }>();
  #produced = 0;

  constructor(options: Required<DispatcherOptions>, origins: readonly number[]) {
    this.#options = options;
    this.#dispatcher = new Dispatcher(options);
    this.#lanes = origins.map((number, index) => {
      const sender = new FakeSender(`lane ${index}`);
      const gate = this.#dispatcher.gate(`origin ${number}`);
      sender.batches = 0;
      sender.atOnce = 2;
      sender.onSend = () => {
        const run = sender.runs.at(-1) as Run;
        this.#standings.set(run, { standing: sender.standing, origin: number, overdue: false });
        // As a lane with a full queue does, in the middle of the dispatcher's turn.
        if (sender.batches > 0) gate.offer(sender);
      };
      return { sender, gate, origin: number };
    });
  }

  run({ kind, pick }: Step): void {
    const lane = this.#lanes[pick % this.#lanes.length];
    if (lane === undefined) return;
    const { gate, sender } = lane;
    if (kind === 'produce') {
      this.#produced += 1;
      sender.batches += 1;
      gate.offer(sender);
    } else if (kind === 'leave') {
      this.#leave(pick % this.#lanes.length);
    } else if (kind === 'finish' || kind === 'overdue') {
      this.#end(kind, pick);
    } else {
      sender.standing = kind;
      gate.offer(sender);
    }
    this.#check();
  }

  /** Finishes everything: whoever has something must get its turn without any further offer than after its own runs. */
  drain(): void {
    for (let left = this.#produced; left >= 0 && this.#running().length > 0; left -= 1) this.#end('finish', 0);
    this.#check();
    expect(this.#lanes.filter(({ sender }) => sender.batches > 0 || sender.runs.length > 0)).toEqual([]);
    expect(this.#dispatcher.underWay).toBe(0);
    for (const { gate } of this.#lanes) this.#dispatcher.leave(gate);
    expect(this.#dispatcher.origins).toBe(0);
  }

  #leave(index: number): void {
    const [lane] = this.#lanes.splice(index, 1);
    if (lane === undefined) return;
    lane.gate.withdraw(lane.sender);
    this.#dispatcher.leave(lane.gate);
    this.#produced -= lane.sender.batches;
    lane.sender.batches = 0;
    for (const run of [...lane.sender.runs]) this.#finish(run);
  }

  #running(): Run[] {
    return this.#lanes.flatMap(({ sender }) => sender.runs);
  }

  #end(kind: 'finish' | 'overdue', pick: number): void {
    const running = this.#running();
    const run = running[pick % Math.max(running.length, 1)];
    if (run === undefined) return;
    const lane = this.#lanes.find(({ sender }) => sender.runs.includes(run));
    const standing = this.#standings.get(run);
    if (kind === 'finish') this.#finish(run);
    else {
      if (standing !== undefined) standing.overdue = true;
      run.overdue();
    }
    if (lane !== undefined) lane.gate.offer(lane.sender);
  }

  #finish(run: Run): void {
    this.#standings.delete(run);
    run.finished();
  }

  /** Up to 10 requests: there is always room beside the slots for those that are overdue. */
  #check(): void {
    const { requestsInAll, requestsPerOrigin } = this.#options;
    const inSlots = [...this.#standings.values()].filter(({ overdue }) => !overdue);
    expect(this.#dispatcher.underWay).toBe(inSlots.length);
    const isFree = (runs: readonly { readonly standing: Standing }[], standing: Standing, limit: number): boolean => {
      const suspects = runs.filter((run) => run.standing === 'suspect').length;
      const others = runs.length - suspects;
      expect(others).toBeLessThanOrEqual(limit);
      expect(suspects).toBeLessThanOrEqual(Math.ceil(limit / 2));
      return standing === 'suspect' ? suspects < Math.ceil(limit / 2) : others < limit;
    };
    for (const standing of ['proven', 'unproven', 'suspect'] as const) {
      for (const origin of [0, 1, 2]) {
        const there = inSlots.filter((run) => run.origin === origin);
        const free = isFree(inSlots, standing, requestsInAll) && isFree(there, standing, requestsPerOrigin);
        const waiting = this.#lanes.filter((lane) => lane.origin === origin && lane.sender.standing === standing);
        const couldSend = waiting.some(({ sender }) => sender.sendable());
        expect(couldSend && free, 'a lane waits beside a free slot').toBe(false);
      }
    }
  }
}

function stepArbitrary(): fc.Arbitrary<Step> {
  const pick = fc.nat({ max: 1_000 });
  return fc.oneof(
    { weight: 10, arbitrary: fc.record({ kind: fc.constant('produce'), pick }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('finish'), pick }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('overdue'), pick }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('suspect', 'unproven', 'proven'), pick }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave'), pick }) },
  );
}
