import { loadPeer, type OpenPeer, type PeerTenant } from './peers/peer.ts';
import { CpuMeter, expectEqual, median, nextTurn } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { startReceiver } from './support/receiver.ts';
import { SHAPES, type Shape } from './support/workload.ts';

/** Spans between two turns of the event loop: what stock takes into one batch. */
const SLICE = 512;
/** Slices until what was encoded is let go, which is not measured: sending is the question of `end-to-end`. */
const SLICES = 16;

/** What does one span cost, recorded and encoded to OTLP? */
export const span: Question = {
  name: 'span',
  title: 'One span, recorded and encoded: CPU and garbage',
  rounds: 7,
  shortVariants: ['child8'],
  rows: SHAPES.flatMap((variant) => [
    { variant, figure: 'CPU', unit: 'ns', ...(variant === 'child8' && { goal: { ratio: 0.55 } }) },
    { variant, figure: 'heap allocated', unit: 'B' },
  ]),
  async measure({ peer, short, variant }: Task): Promise<Figures> {
    const receiver = await startReceiver();
    const library = (await loadPeer(peer)).open({ mode: 'encode', endpoint: receiver.url });
    const run = new Run(library, variant as Shape);
    await run.windows(short ? 4 : 12);
    const before = { cpu: run.cpu.nanos, made: run.made };
    await run.windows(short ? 8 : 40);
    const cpu = (run.cpu.nanos - before.cpu) / (run.made - before.made);
    const heap = await run.heapPerSpan(short ? 20 : 100);
    await library.flush();
    expectEqual('spans exported', run.tenant.exported(), run.made);
    const { requests, spans } = await receiver.stats();
    if (requests > 0) expectEqual('spans received', spans, run.made);
    receiver.close();
    return { CPU: cpu, 'heap allocated': heap };
  },
};

class Run {
  readonly cpu = new CpuMeter();
  readonly tenant: PeerTenant;
  readonly #library: OpenPeer;
  readonly #shape: Shape;
  made = 0;

  constructor(library: OpenPeer, shape: Shape) {
    this.#library = library;
    this.#shape = shape;
    this.tenant = library.tenant('bench');
  }

  async windows(count: number): Promise<void> {
    for (let window = 0; window < count; window++) {
      this.cpu.start();
      for (let slice = 0; slice < SLICES; slice++) await this.#slice();
      await this.#library.encoded();
      this.cpu.stop();
      await this.#library.flush();
    }
  }

  /** The median leaves out the slices in which garbage was collected. */
  async heapPerSpan(slices: number): Promise<number> {
    const allocated: number[] = [];
    for (let slice = 0; slice < slices; slice++) {
      const [heapBefore, madeBefore] = [process.memoryUsage().heapUsed, this.made];
      await this.#slice();
      await this.#library.encoded();
      allocated.push((process.memoryUsage().heapUsed - heapBefore) / (this.made - madeBefore));
      if (slice % SLICES === 0) await this.#library.flush();
    }
    return median(allocated);
  }

  async #slice(): Promise<void> {
    this.made += await this.tenant.repeat(this.#shape, SLICE);
    await nextTurn();
  }
}
