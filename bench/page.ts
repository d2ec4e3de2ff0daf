import type { Figures, Question, Task } from './support/question.ts';

const LATENCY = 'while 5,000 spans/s arrive';
const WATERFALL = 'waterfall of 10,000 spans';

interface PageMeasurements {
  measureLatency(short: boolean): Promise<Figures>;
  measureWaterfall(short: boolean): Promise<Figures>;
}

/**
 * How soon is a span that ended in another process a row on the dashboard's page, and does the page stay smooth? In a
 * real browser, which takes a core of its own: wall time, on a machine that does nothing else.
 */
export const page: Question = {
  name: 'page',
  title: "The dashboard's page, in Chromium",
  peers: () => ['isotrace'],
  rounds: 3,
  rows: [
    { variant: LATENCY, figure: 'span ended to row, p50', unit: 'ms' },
    { variant: LATENCY, figure: 'span ended to row, p99', unit: 'ms', goal: { value: 1_000 } },
    { variant: LATENCY, figure: 'spans a second that arrived', unit: 'spans/s', better: 'higher' },
    { variant: WATERFALL, figure: 'address to first row', unit: 'ms' },
    { variant: WATERFALL, figure: 'frame while scrolling, p50', unit: 'ms' },
    { variant: WATERFALL, figure: 'frame while scrolling, longest', unit: 'ms', goal: { value: 50 } },
  ],
  async measure({ variant, short }: Task): Promise<Figures> {
    // The browser's types need those of the DOM, which nothing else here does: they are checked apart.
    const file = new URL('./page/measure-page.ts', import.meta.url).href;
    const { measureLatency, measureWaterfall } = (await import(file)) as PageMeasurements;
    return variant === LATENCY ? await measureLatency(short) : await measureWaterfall(short);
  },
};
