import { loadPeer } from './peers/peer.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { startReceiver } from './support/receiver.ts';

const VARIANT = '1,000 tenants, every endpoint hangs';
const TENANTS = 1_000;
const DEADLINE_MILLIS = 1_000;

/** How long does a process take to shut down when no receiver answers? */
export const shutdown: Question = {
  name: 'shutdown',
  title: `Shutdown with a deadline of ${DEADLINE_MILLIS} ms, where there is one`,
  rounds: 3,
  rows: [{ variant: VARIANT, figure: 'took', unit: 'ms', goal: { value: DEADLINE_MILLIS + 100 } }],
  async measure({ peer, short }: Task): Promise<Figures> {
    const receiver = await startReceiver();
    const library = (await loadPeer(peer)).open({ mode: 'send', endpoint: receiver.url });
    for (let index = 0; index < (short ? 50 : TENANTS); index++) library.tenant(`hang-${index}`).single();
    const startedAt = performance.now();
    await library.shutdown(DEADLINE_MILLIS);
    const took = performance.now() - startedAt;
    receiver.close();
    return { took };
  },
};
