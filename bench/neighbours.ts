import { setTimeout as sleep } from 'node:timers/promises';
import { loadPeer, type PeerTenant } from './peers/peer.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { startReceiver } from './support/receiver.ts';

const TENANTS = 100;
const BAD_TENANTS = 10;
const SPANS_PER_SECOND = 40;
const DELAY_MILLIS = 1_000;
const TICK_MILLIS = 100;
/** Of one tenant that floods: so many times what the others make. */
const FLOOD = 500;

/** By the name of the variant: how the receiver treats some of the tenants. */
const BAD = {
  'all are good': undefined,
  'ten hang': 'hang',
  'ten are refused': 'refuse',
  'ten get 429': 'throttle',
  'ten wait 3 s': 'slow',
  'one floods': undefined,
} as const;

/** What do the other tenants notice of a few that hang, are refused, are throttled, or flood? */
export const neighbours: Question = {
  name: 'neighbours',
  title: `The good ones of ${TENANTS} tenants with ${SPANS_PER_SECOND} spans/s each, batches of ${DELAY_MILLIS} ms`,
  rounds: 1,
  shortVariants: ['ten hang'],
  rows: Object.keys(BAD).flatMap((variant) => [
    { variant, figure: 'lost', unit: 'spans', goal: { value: 0 } },
    { variant, figure: 'delay, p50', unit: 'ms' },
    { variant, figure: 'delay, p99', unit: 'ms' },
  ]),
  async measure({ peer, short, variant }: Task): Promise<Figures> {
    const receiver = await startReceiver();
    const library = (await loadPeer(peer)).open({ mode: 'send', endpoint: receiver.url, delayMillis: DELAY_MILLIS });
    const fault = BAD[variant as keyof typeof BAD];
    const floods = variant === 'one floods';
    const nameOf = (index: number): string => {
      if (index === 0 && floods) return 'flood';
      return fault !== undefined && index < BAD_TENANTS ? fault : 'tenant';
    };
    const tenants = Array.from({ length: TENANTS }, (_, index) => library.tenant(`${nameOf(index)}-${index}`));
    const [flooding, ...others] = tenants as [PeerTenant, ...PeerTenant[]];
    const good = fault === undefined ? others : tenants.slice(BAD_TENANTS);
    let made = 0;
    const endsAt = performance.now() + (short ? 2_000 : 10_000);
    while (performance.now() < endsAt) {
      for (let index = 0; index < (SPANS_PER_SECOND * TICK_MILLIS) / 1_000; index++) {
        for (const tenant of tenants) tenant.single();
        made += good.length;
      }
      if (floods) for (let index = 0; index < FLOOD * 4; index++) flooding.single();
      await sleep(TICK_MILLIS);
    }
    // What good tenants made is on its way within a batch's delay.
    await sleep(3 * DELAY_MILLIS);
    const arrived = good.reduce((sum, tenant) => sum + tenant.exported(), 0);
    const { delayP50, delayP99 } = await receiver.stats();
    receiver.close();
    return { lost: made - arrived, 'delay, p50': delayP50, 'delay, p99': delayP99 };
  },
};
