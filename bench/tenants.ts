import { createHook } from 'node:async_hooks';
import { loadPeer, type OpenPeer, type PeerTenant } from './peers/peer.ts';
import { expectEqual, median, nextTurn, settledMemory } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { startReceiver } from './support/receiver.ts';

const COST = '1,000 tenants';
const HANDLES = '1,000 tenants, timers and sockets';
const COUNT = 1_000;
/** Tenants that lived before, so that code is compiled and tables have grown. */
const EARLIER = 200;

/** What does a tenant cost that does nothing, and one that was used? */
export const tenants: Question = {
  name: 'tenants',
  title: 'A tenant: memory, time to make one, timers and sockets',
  rounds: 5,
  rows: [
    { variant: COST, figure: 'creation, p50', unit: 'µs', goal: { value: 60 } },
    { variant: COST, figure: 'heap, idle', unit: 'B', goal: { value: 5_120 } },
    { variant: COST, figure: 'heap, used', unit: 'B', goal: { value: 8_192 } },
    { variant: HANDLES, figure: 'timers, a span waits in each', unit: '', goal: { value: 3 } },
    { variant: HANDLES, figure: 'timers, all delivered', unit: '', goal: { value: 3 } },
    { variant: HANDLES, figure: 'sockets', unit: '', goal: { value: 8 } },
  ],
  async measure({ peer, variant }: Task): Promise<Figures> {
    const receiver = await startReceiver();
    const timers = variant === HANDLES ? new TimerCount() : undefined;
    const library = (await loadPeer(peer)).open({ mode: 'send', endpoint: receiver.url });
    const figures = timers === undefined ? await cost(library) : await handles(library, timers);
    const { peakSockets, spans } = await receiver.stats();
    expectEqual('spans received', spans, timers === undefined ? EARLIER + COUNT : COUNT);
    receiver.close();
    return { ...figures, sockets: peakSockets };
  },
};

async function cost(library: OpenPeer): Promise<Figures> {
  await useAll(
    library,
    Array.from({ length: EARLIER }, (_, index) => library.tenant(`earlier-${index}`)),
  );
  const ids = Array.from({ length: COUNT }, (_, index) => `tenant-${index}`);
  const made = new Array<PeerTenant | undefined>(COUNT).fill(undefined);
  const nanos = new Array<number>(COUNT).fill(0);
  const before = await settledMemory();
  for (const [index, id] of ids.entries()) {
    const startedAt = process.hrtime.bigint();
    made[index] = library.tenant(id);
    nanos[index] = Number(process.hrtime.bigint() - startedAt);
  }
  const idle = await settledMemory();
  await useAll(library, made as PeerTenant[]);
  const used = await settledMemory();
  return {
    'creation, p50': median(nanos) / 1_000,
    'heap, idle': (idle.heap - before.heap) / COUNT,
    'heap, used': (used.heap - before.heap) / COUNT,
  };
}

async function handles(library: OpenPeer, timers: TimerCount): Promise<Figures> {
  for (let index = 0; index < COUNT; index++) library.tenant(`tenant-${index}`).single();
  const waiting = await timers.count();
  await library.flush();
  return { 'timers, a span waits in each': waiting, 'timers, all delivered': await timers.count() };
}

async function useAll(library: OpenPeer, made: readonly PeerTenant[]): Promise<void> {
  for (const tenant of made) tenant.single();
  await library.flush();
}

/** Timers that run, also those that do not keep the process alive. */
class TimerCount {
  readonly #running = new Set<number>();

  constructor() {
    createHook({
      init: (id, type) => {
        if (type === 'Timeout') this.#running.add(id);
      },
      destroy: (id) => this.#running.delete(id),
    }).enable();
  }

  async count(): Promise<number> {
    // Node tells of cleared timers a little later.
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    return this.#running.size;
  }
}
