export interface HeapSample {
  readonly seconds: number;
  readonly bytes: number;
}

export interface HeapTrend {
  readonly samples: number;
  /** From the median of the first third after the warm-up to that of the last. */
  readonly growthBytes: number;
  readonly bytesPerHour: number;
  /** Of the slope. */
  readonly standardError: number;
  /** The medians of ten equal parts of the run, warm-up included. */
  readonly course: readonly number[];
}

const WARM_UP = 0.5;

/** How the heap went, once what is made on first use had been made. */
export function heapTrend(all: readonly HeapSample[]): HeapTrend {
  const from = (all.at(-1)?.seconds ?? 0) * WARM_UP;
  const samples = all.filter(({ seconds }) => seconds >= from);
  const third = Math.max(Math.floor(samples.length / 3), 1);
  return {
    samples: samples.length,
    growthBytes: median(samples.slice(-third)) - median(samples.slice(0, third)),
    ...slope(samples),
    course: Array.from({ length: 10 }, (_, part) =>
      median(all.slice(Math.floor((all.length * part) / 10), Math.floor((all.length * (part + 1)) / 10))),
    ),
  };
}

function median(samples: readonly HeapSample[]): number {
  const sorted = samples.map(({ bytes }) => bytes).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Least squares. */
function slope(samples: readonly HeapSample[]): { bytesPerHour: number; standardError: number } {
  const count = samples.length;
  if (count < 3) return { bytesPerHour: 0, standardError: Number.POSITIVE_INFINITY };
  const mean = (of: (sample: HeapSample) => number): number => samples.reduce((sum, each) => sum + of(each), 0) / count;
  const [x, y] = [mean(({ seconds }) => seconds), mean(({ bytes }) => bytes)];
  const spread = samples.reduce((sum, { seconds }) => sum + (seconds - x) ** 2, 0);
  const perSecond = samples.reduce((sum, { seconds, bytes }) => sum + (seconds - x) * (bytes - y), 0) / spread;
  const rest = samples.reduce((sum, { seconds, bytes }) => sum + (bytes - y - perSecond * (seconds - x)) ** 2, 0);
  const error = Math.sqrt(rest / (count - 2) / spread);
  return { bytesPerHour: perSecond * 3_600, standardError: error * 3_600 };
}
