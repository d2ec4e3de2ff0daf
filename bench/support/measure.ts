/** Adds up the processor time, of all threads of the process, between `start` and `stop`. */
export class CpuMeter {
  #micros = 0;
  #since: NodeJS.CpuUsage | undefined;

  start(): void {
    this.#since = process.cpuUsage();
  }

  stop(): void {
    const { user, system } = process.cpuUsage(this.#since);
    this.#micros += user + system;
  }

  get nanos(): number {
    return this.#micros * 1_000;
  }
}

/** Bytes of the JavaScript heap and beside it, after everything that is garbage was collected. */
export async function settledMemory(): Promise<{ readonly heap: number; readonly offHeap: number }> {
  if (gc === undefined) throw new Error('node must run with --expose-gc');
  for (let pass = 0; pass < 4; pass++) {
    await gc({ execution: 'async', type: 'major' });
    // Finalizers and buffers that are freed on another thread.
    await nextTurn();
  }
  const { external, heapUsed } = process.memoryUsage();
  return { heap: heapUsed, offHeap: external };
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length >>> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function expectEqual(what: string, actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`${what}: ${actual} instead of ${expected}`);
}
