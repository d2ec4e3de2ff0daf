import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Dispatcher, type DispatcherOptions, type Gate, type Sender } from '../../src/processing/dispatcher.ts';

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
        const world = new World({ overduePerOrigin: 20, ...options }, senders);
        for (const step of steps) world.run(step);
        world.drain();
      }),
      { numRuns: 1_500 },
    );
  });

  it('serves lanes in turn, one batch each', () => {
    const { gate } = origin({ requestsPerOrigin: 1 });
    const order: string[] = [];
    const senders = ['a', 'b', 'c'].map((name) => new FakeSender(name, order));
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
      const sender = new FakeSender(name, order);
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

  it('has slots left for the healthy however many suspects there are, and the other way round', () => {
    const { dispatcher, gate } = origin();
    const suspects = Array.from({ length: 50 }, () => new FakeSender('suspect', [], true));
    for (const sender of suspects) gate.offer(sender);
    expect(suspects.filter(({ runs }) => runs.length > 0)).toHaveLength(4);
    const healthy = Array.from({ length: 50 }, () => new FakeSender('healthy'));
    for (const sender of healthy) gate.offer(sender);
    expect(healthy.filter(({ runs }) => runs.length > 0)).toHaveLength(8);
    expect(dispatcher.underWay).toBe(12);
  });

  it('does not let suspects of many origins use up the process', () => {
    const dispatcher = new Dispatcher();
    for (let index = 0; index < 200; index += 1) {
      dispatcher.gate(`https://dead-${index}.test`).offer(new FakeSender('suspect', [], true));
    }
    expect(dispatcher.underWay).toBe(32);
    const healthy = new FakeSender('healthy');
    dispatcher.gate('https://good.test').offer(healthy);
    expect(healthy.runs).toHaveLength(1);
  });

  it('takes the slot of an overdue request back, up to 20 beside the slots', () => {
    const { dispatcher, gate } = origin();
    const senders = Array.from({ length: 60 }, () => new FakeSender('hanging'));
    for (const sender of senders) gate.offer(sender);
    const running = (): Run[] => senders.flatMap(({ runs }) => runs);
    for (let round = 0; round < 10; round += 1) for (const run of running()) run.overdue();
    expect(running()).toHaveLength(8 + OVERDUE_PER_ORIGIN);
    expect(dispatcher.underWay).toBe(8);

    // One that is over makes room for the next that is overdue, whose slot is free again.
    (running()[0] as Run).finished();
    expect(running()).toHaveLength(8 + OVERDUE_PER_ORIGIN);
    for (let [run] = running(); run !== undefined; [run] = running()) run.finished();
    expect([running(), dispatcher.underWay]).toEqual([[], 0]);
  });

  it('keeps half of the room for overdue requests free of suspects', () => {
    const { gate } = origin();
    const suspects = Array.from({ length: 60 }, () => new FakeSender('suspect', [], true));
    for (const sender of suspects) gate.offer(sender);
    const running = (): Run[] => suspects.flatMap(({ runs }) => runs);
    for (let round = 0; round < 10; round += 1) for (const run of running()) run.overdue();
    expect(running()).toHaveLength(4 + OVERDUE_PER_ORIGIN / 2);

    const hanging = Array.from({ length: 20 }, () => new FakeSender('hanging'));
    for (const sender of hanging) gate.offer(sender);
    for (let round = 0; round < 10; round += 1) {
      for (const { runs } of hanging) for (const run of runs) run.overdue();
    }
    expect(hanging.filter(({ runs }) => runs.length > 0)).toHaveLength(8 + OVERDUE_PER_ORIGIN / 2);
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
    const others = Array.from({ length: 60 }, () => new FakeSender('b'));
    for (const other of others) gate.offer(other);
    for (let round = 0; round < 10; round += 1) {
      for (const { runs } of others) for (const other of runs) other.overdue();
    }
    expect(others.filter(({ runs }) => runs.length > 0)).toHaveLength(8 + OVERDUE_PER_ORIGIN);
    expect(dispatcher.underWay).toBe(8);
  });

  it('does not take the slot of an overdue request twice when it ends before there was room for it', () => {
    const { dispatcher, gate } = origin();
    const senders = Array.from({ length: 28 }, () => new FakeSender('hanging'));
    for (const sender of senders) gate.offer(sender);
    const running = (): Run[] => senders.flatMap(({ runs }) => runs);
    for (let round = 0; round < 10; round += 1) for (const run of running()) run.overdue();
    const [first, ...others] = running();
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
    const blockers = fill(gate, 8);
    const turned = new FakeSender('turned');
    gate.offer(turned);
    turned.suspect = true;
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

interface Run {
  overdue(): void;
  finished(): void;
}

/** Sends as often as it has batches, one or two at a time. */
class FakeSender implements Sender {
  readonly runs: Run[] = [];
  suspect: boolean;
  batches = 1;
  atOnce = 1;
  sent = 0;
  onSend = (): void => {};
  readonly #name: string;
  readonly #order: string[];

  constructor(name: string, order: string[] = [], suspect = false) {
    this.#name = name;
    this.#order = order;
    this.suspect = suspect;
  }

  sendable(): boolean {
    return this.batches > 0 && this.runs.length < this.atOnce;
  }

  send(overdue: () => void, finished: () => void): void {
    this.batches -= 1;
    this.sent += 1;
    this.#order.push(this.#name);
    const run: Run = {
      overdue,
      finished: () => {
        const index = this.runs.indexOf(run);
        if (index >= 0) this.runs.splice(index, 1);
        finished();
      },
    };
    this.runs.push(run);
    this.onSend();
  }
}

function origin(options?: DispatcherOptions): { dispatcher: Dispatcher; gate: Gate } {
  const dispatcher = new Dispatcher(options);
  return { dispatcher, gate: dispatcher.gate('https://one.test') };
}

/** Takes slots with lanes that have nothing else to send. */
function fill(gate: Gate, slots: number): Run[] {
  return Array.from({ length: slots }, () => {
    const sender = new FakeSender('blocker');
    gate.offer(sender);
    return sender.runs[0] as Run;
  });
}

type Step = {
  readonly kind: 'produce' | 'finish' | 'overdue' | 'suspect' | 'healthy' | 'leave';
  readonly pick: number;
};

/** Lanes of up to three origins, as real ones behave: they offer themselves whenever something changed. */
class World {
  readonly #dispatcher: Dispatcher;
  readonly #options: Required<DispatcherOptions>;
  readonly #lanes: { readonly sender: FakeSender; readonly gate: Gate; readonly origin: number }[];
  readonly #standings = new Map<Run, { readonly suspect: boolean; readonly origin: number; overdue: boolean }>();
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
        this.#standings.set(run, { suspect: sender.suspect, origin: number, overdue: false });
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
    } else if (kind === 'suspect' || kind === 'healthy') {
      sender.suspect = kind === 'suspect';
      gate.offer(sender);
    } else if (kind === 'leave') {
      this.#leave(pick % this.#lanes.length);
    } else {
      this.#end(kind, pick);
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
    for (const suspect of [false, true]) {
      const share = suspect ? 2 : 1;
      const alike = inSlots.filter((run) => run.suspect === suspect);
      const freeInAll = Math.ceil(requestsInAll / share) - alike.length;
      expect(freeInAll).toBeGreaterThanOrEqual(0);
      for (const origin of [0, 1, 2]) {
        const free = Math.ceil(requestsPerOrigin / share) - alike.filter((run) => run.origin === origin).length;
        expect(free).toBeGreaterThanOrEqual(0);
        const waiting = this.#lanes.filter((lane) => lane.origin === origin && lane.sender.suspect === suspect);
        const couldSend = waiting.some(({ sender }) => sender.sendable());
        expect(couldSend && free > 0 && freeInAll > 0, 'a lane waits beside a free slot').toBe(false);
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
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('suspect', 'healthy'), pick }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave'), pick }) },
  );
}
