import { loadPeer, OWN_PEERS, PEER_NAMES } from './peers/peer.ts';
import { expectEqual, settledMemory } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { startReceiver } from './support/receiver.ts';

/** So few that every peer keeps them: Sentry sends a trace that has 1,000. */
const ALL_HOLD = '1 tenant, 900 spans';

/** Tenants, and the spans that wait in each. */
const VARIANTS = {
  [ALL_HOLD]: [1, 900],
  '1 tenant, 20,000 spans': [1, 20_000],
  '100 tenants, 200 spans each': [100, 200],
  '1,000 tenants, 20 spans each': [1_000, 20],
} as const;

/** What does a span with 8 attributes keep in memory while it waits to be sent? */
export const memory: Question = {
  name: 'memory',
  title: 'A waiting span with 8 attributes',
  rounds: 3,
  peers: (variant) => (variant === ALL_HOLD ? PEER_NAMES : OWN_PEERS),
  shortVariants: ['100 tenants, 200 spans each'],
  rows: Object.keys(VARIANTS).flatMap((variant) => [
    { variant, figure: 'heap', unit: 'B' },
    { variant, figure: 'off-heap', unit: 'B', goal: { value: 450 } },
    { variant, figure: 'heap and off-heap', unit: 'B' },
    { variant, figure: 'on the wire', unit: 'B' },
  ]),
  async measure({ peer, variant }: Task): Promise<Figures> {
    const [tenantCount, spansEach] = VARIANTS[variant as keyof typeof VARIANTS];
    const receiver = await startReceiver();
    const library = (await loadPeer(peer)).open({ mode: 'hold', endpoint: receiver.url });
    // What a tenant costs by itself is the question of `tenants`: each has had a span.
    const tenants = Array.from({ length: tenantCount }, (_, index) => library.tenant(`tenant-${index}`));
    let made = tenants.reduce((sum, tenant) => sum + tenant.single(), 0);
    await library.flush();

    const before = await settledMemory();
    for (let turn = 0; turn < spansEach; turn++) for (const tenant of tenants) made += tenant.single();
    const waiting = tenantCount * spansEach;
    const after = await settledMemory();
    const exported = (): number => tenants.reduce((sum, tenant) => sum + tenant.exported(), 0);
    const sentBefore = await receiver.stats();
    expectEqual('spans sent too early', exported(), tenantCount);
    await library.flush();
    const sent = await receiver.stats();
    expectEqual('spans sent', exported(), made);
    if (OWN_PEERS.includes(peer)) expectEqual('spans received', sent.spans, made);
    receiver.close();
    const [heap, offHeap] = [(after.heap - before.heap) / waiting, (after.offHeap - before.offHeap) / waiting];
    return {
      heap,
      'off-heap': offHeap,
      'heap and off-heap': heap + offHeap,
      'on the wire': (sent.bytes - sentBefore.bytes) / waiting,
    };
  },
};
