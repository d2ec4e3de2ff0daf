import { type LogKind, openSignals, type SignalPeer } from './peers/signal-peer.ts';
import { CpuMeter, expectEqual, median, nextTurn } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { startReceiver } from './support/receiver.ts';

/** Records between two turns of the event loop: what stock takes into one batch. */
const SLICE = 512;
/** Slices until what was encoded is let go, which is not measured. */
const SLICES = 16;

const LOGS: Readonly<Record<string, LogKind>> = { 'log line': 'plain', 'log line, 8 attributes, in a span': 'span8' };

/** What does one log line cost, recorded and encoded to OTLP? */
export const signals: Question = {
  name: 'signals',
  title: 'One log line, recorded and encoded: CPU and garbage',
  rounds: 5,
  shortVariants: ['log line, 8 attributes, in a span'],
  rows: Object.keys(LOGS).flatMap((variant) => [
    { variant, figure: 'CPU', unit: 'ns', goal: { ratio: 1 } },
    { variant, figure: 'heap allocated', unit: 'B' },
  ]),
  async measure({ peer, short, variant }: Task): Promise<Figures> {
    const receiver = await startReceiver();
    const library = await openSignals(peer, receiver.url);
    const run = new Run(library, LOGS[variant] as LogKind);
    await run.windows(short ? 4 : 12);
    const before = { cpu: run.cpu.nanos, made: run.made };
    await run.windows(short ? 8 : 40);
    const cpu = (run.cpu.nanos - before.cpu) / (run.made - before.made);
    const heap = await run.heapPerItem(short ? 20 : 100);
    await library.flush();
    expectEqual('records exported', library.exported(), run.made);
    receiver.close();
    return { CPU: cpu, 'heap allocated': heap };
  },
};

class Run {
  readonly cpu = new CpuMeter();
  readonly #library: SignalPeer;
  readonly #kind: LogKind;
  made = 0;

  constructor(library: SignalPeer, kind: LogKind) {
    this.#library = library;
    this.#kind = kind;
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
  async heapPerItem(slices: number): Promise<number> {
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
    this.made += this.#library.log(this.#kind, SLICE);
    await nextTurn();
  }
}
