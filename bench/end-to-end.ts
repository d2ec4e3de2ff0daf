import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadPeer, type OpenPeer, type PeerTenant } from './peers/peer.ts';
import { CpuMeter, nextTurn } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { startReceiver } from './support/receiver.ts';

const ONE = '1 tenant, bursts';
const MANY = '1,000 tenants, bursts';
const SPARSE = '1,000 tenants, 20,000 spans/s';

/** Requests traced for a tenant before the next one has its turn: 512 spans. */
const REQUESTS_PER_VISIT = 128;
/** A tenant's turn comes when what was made so many visits ago is delivered. */
const VISITS_AHEAD = 16;
/** With fewer tenants than that: spans of one that may be under way, so that stock's queue of 2,048 never overflows. */
const SPANS_AHEAD = 1_024;
/** Longer than any delay of a batch. */
const MAX_WAIT_MILLIS = 20_000;

const SPANS_PER_SECOND = 20_000;
const TICK_MILLIS = 10;
/** Of the histogram; it adds its own period to every delay. */
const STALL_RESOLUTION_MILLIS = 1;

/** What does a span cost until another process has it, and how far is the application held up? */
export const endToEnd: Question = {
  name: 'end-to-end',
  title: 'Spans delivered over HTTP to another process',
  rounds: 5,
  rows: [ONE, MANY, SPARSE].flatMap((variant) => [
    { variant, figure: 'CPU per span', unit: 'ns', goal: { ratio: variant === SPARSE ? 0.5 : 0.55 } },
    ...(variant === SPARSE
      ? [{ variant, figure: 'longest stall', unit: 'ms', goal: { value: 60 } }]
      : [
          {
            variant,
            figure: 'spans per CPU second',
            unit: '/s',
            better: 'higher' as const,
            ...(variant === MANY && { goal: { ratio: 2 } }),
          },
          { variant, figure: 'spans per second', unit: '/s', better: 'higher' as const },
        ]),
    { variant, figure: 'requests', unit: '' },
    ...(variant === SPARSE ? [{ variant, figure: 'CPU per request', unit: 'µs' }] : []),
    { variant, figure: 'sockets', unit: '', ...(variant !== ONE && { goal: { value: 8 } }) },
    { variant, figure: 'bytes on the wire per span', unit: 'B' },
    { variant, figure: 'peak RSS', unit: 'MB' },
    { variant, figure: 'lost', unit: 'spans', goal: { value: 0 } },
  ]),
  async measure({ peer, short, variant }: Task): Promise<Figures> {
    const receiver = await startReceiver();
    const library = (await loadPeer(peer)).open({
      mode: 'send',
      endpoint: receiver.url,
      ...(variant === SPARSE && { delayMillis: 1_000 }),
    });
    const tenants = Array.from({ length: variant === ONE ? 1 : 1_000 }, (_, index) =>
      library.tenant(`tenant-${index}`),
    );
    const load = new Load(library, tenants);
    await load.warmUp();

    const before = await receiver.stats();
    const madeBefore = load.made;
    const cpu = new CpuMeter();
    const stalls = monitorEventLoopDelay({ resolution: STALL_RESOLUTION_MILLIS });
    const startedAt = performance.now();
    cpu.start();
    stalls.enable();
    if (variant === SPARSE) await load.sparse(short ? 2_000 : 7_000);
    else await load.bursts(short ? 200 : 1_000);
    stalls.disable();
    await library.flush();
    cpu.stop();
    const seconds = (performance.now() - startedAt) / 1_000;

    const after = await receiver.stats();
    receiver.close();
    const made = load.made - madeBefore;
    return {
      'CPU per span': cpu.nanos / made,
      'spans per CPU second': (made / cpu.nanos) * 1e9,
      'spans per second': made / seconds,
      'longest stall': stalls.max / 1e6 - STALL_RESOLUTION_MILLIS,
      requests: after.requests - before.requests,
      'CPU per request': cpu.nanos / 1_000 / (after.requests - before.requests),
      sockets: after.peakSockets,
      'bytes on the wire per span': (after.bytes - before.bytes) / (after.spans - before.spans),
      'peak RSS': process.resourceUsage().maxRSS / 1_024,
      lost: made - (after.spans - before.spans),
    };
  },
};

class Load {
  readonly #library: OpenPeer;
  readonly #tenants: readonly PeerTenant[];
  readonly #madeBy: number[];
  made = 0;

  constructor(library: OpenPeer, tenants: readonly PeerTenant[]) {
    this.#library = library;
    this.#tenants = tenants;
    this.#madeBy = tenants.map(() => 0);
  }

  /** Opens connections, fills caches and lets the code be compiled. */
  async warmUp(): Promise<void> {
    for (let index = 0; index < this.#tenants.length; index++) {
      this.#requests(index, 1);
      if (index % 100 === 0) await this.#library.flush();
    }
    await this.#library.flush();
    await this.bursts(60);
    await this.#library.flush();
  }

  /** Visits one tenant after the other, as fast as their spans are delivered. */
  async bursts(visits: number): Promise<void> {
    const count = this.#tenants.length;
    const ahead = count >= VISITS_AHEAD ? 0 : SPANS_AHEAD;
    for (let visit = 0; visit < visits; visit++) {
      this.#requests(visit % count, REQUESTS_PER_VISIT);
      await nextTurn();
      await this.#delivered((visit + count * VISITS_AHEAD - VISITS_AHEAD + 1) % count, ahead);
    }
  }

  /** Spreads requests evenly over time and tenants. */
  async sparse(millis: number): Promise<void> {
    const startedAt = performance.now();
    const madeBefore = this.made;
    let next = 0;
    for (let elapsed = 0; elapsed < millis; elapsed = performance.now() - startedAt) {
      const due = (elapsed / 1_000) * SPANS_PER_SECOND;
      while (this.made - madeBefore < due) {
        this.#requests(next, 1);
        next = (next + 1) % this.#tenants.length;
      }
      await sleep(TICK_MILLIS);
    }
  }

  #requests(index: number, count: number): void {
    const tenant = this.#tenants[index] as PeerTenant;
    let made = 0;
    for (let request = 0; request < count; request++) made += tenant.request();
    this.#madeBy[index] = (this.#madeBy[index] ?? 0) + made;
    this.made += made;
  }

  async #delivered(index: number, ahead: number): Promise<void> {
    for (let waited = 0; this.#underWay(index) > ahead; waited++) {
      if (waited > MAX_WAIT_MILLIS) throw new Error(`${this.#underWay(index)} spans of a tenant are not delivered`);
      await sleep(1);
    }
  }

  #underWay(index: number): number {
    return (this.#madeBy[index] ?? 0) - (this.#tenants[index]?.exported() ?? 0);
  }
}
