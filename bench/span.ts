import { loadPeer, type OpenPeer, PEER_NAMES, type PeerTenant } from './peers/peer.ts';
import { CpuMeter, expectEqual, median, nextTurn } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { startReceiver } from './support/receiver.ts';
import { SHAPES, type Shape } from './support/workload.ts';

/** Spans between two turns of the event loop: what stock takes into one batch. */
const SLICE = 512;
/** Spans between two looks at the heap: so few that hardly ever garbage is collected in between. */
const HEAP_SLICE = 128;
/** Slices until what was encoded is let go, which is not measured: sending is the question of `end-to-end`. */
const SLICES = 16;

/** What does one span cost, recorded and encoded to OTLP? */
export const span: Question = {
  name: 'span',
  title: 'One span, recorded and encoded: CPU and garbage',
  rounds: 7,
  peers: () => PEER_NAMES,
  shortVariants: ['child8'],
  rows: SHAPES.flatMap((variant) => [
    { variant, figure: 'CPU', unit: 'ns', ...(variant === 'child8' && { goal: { ratio: 0.55 } }) },
    { variant, figure: 'time', unit: 'ns' },
    { variant, figure: 'heap allocated', unit: 'B' },
  ]),
  async measure({ peer, short, variant }: Task): Promise<Figures> {
    const receiver = await startReceiver();
    const library = (await loadPeer(peer)).open({ mode: 'encode', endpoint: receiver.url });
    const run = new Run(library, variant as Shape);
    await run.windows(short ? 4 : 12);
    const before = { cpu: run.cpu.nanos, millis: run.millis, made: run.made };
    await run.windows(short ? 8 : 40);
    const made = run.made - before.made;
    const [cpu, time] = [(run.cpu.nanos - before.cpu) / made, ((run.millis - before.millis) * 1e6) / made];
    const heap = await run.heapPerSpan(short ? 20 : 100);
    await library.flush();
    expectEqual('spans exported', run.tenant.exported(), run.made);
    const { spans } = await receiver.stats();
    if (peer === 'isotrace') expectEqual('spans received', spans, run.made);
    receiver.close();
    return { CPU: cpu, time, 'heap allocated': heap };
  },
};

class Run {
  readonly cpu = new CpuMeter();
  readonly tenant: PeerTenant;
  readonly #library: OpenPeer;
  readonly #shape: Shape;
  made = 0;
  millis = 0;

  constructor(library: OpenPeer, shape: Shape) {
    this.#library = library;
    this.#shape = shape;
    this.tenant = library.tenant('bench');
  }

  async windows(count: number): Promise<void> {
    for (let window = 0; window < count; window++) {
      const startedAt = performance.now();
      this.cpu.start();
      for (let slice = 0; slice < SLICES; slice++) await this.#slice(SLICE);
      await this.#library.encoded();
      this.cpu.stop();
      this.millis += performance.now() - startedAt;
      await this.#library.flush();
    }
  }

  /** The median leaves out the slices in which garbage was collected. */
  async heapPerSpan(slices: number): Promise<number> {
    const allocated: number[] = [];
    for (let slice = 0; slice < slices; slice++) {
      const [heapBefore, madeBefore] = [process.memoryUsage().heapUsed, this.made];
      await this.#slice(HEAP_SLICE);
      await this.#library.encoded();
      allocated.push((process.memoryUsage().heapUsed - heapBefore) / (this.made - madeBefore));
      if (slice % SLICES === 0) await this.#library.flush();
    }
    return median(allocated);
  }

  async #slice(spans: number): Promise<void> {
    this.made += await this.tenant.repeat(this.#shape, spans);
    await nextTurn();
  }
}
