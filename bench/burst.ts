import { loadPeer } from './peers/peer.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { startReceiver } from './support/receiver.ts';

const VARIANT = '10,000 spans in one tick';
const SPANS = 10_000;

/** How much of a sudden burst arrives, with the default settings? */
export const burst: Question = {
  name: 'burst',
  title: 'A burst with default settings',
  rounds: 1,
  rows: [{ variant: VARIANT, figure: 'lost', unit: 'spans', goal: { value: 0 } }],
  async measure({ peer }: Task): Promise<Figures> {
    const receiver = await startReceiver();
    const library = (await loadPeer(peer)).open({ mode: 'send', endpoint: receiver.url });
    const tenant = library.tenant('bench');
    for (let made = 0; made < SPANS; made++) tenant.single();
    await library.flush();
    const { spans } = await receiver.stats();
    receiver.close();
    return { lost: SPANS - spans };
  },
};
