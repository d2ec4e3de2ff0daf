import type { TraceSummary } from '../../store/telemetry-store.ts';
import { buildSpanTree } from '../model/span-tree.ts';
import { type ModelUsage, plus, rollUpUsage, type UsageSum, usageByModel } from '../model/usage-rollup.ts';
import { expandTrace, type WireCompactTrace } from '../model/wire.ts';
import { apiPath, ask } from './api.ts';
import { traceKey } from './use-live-traces.ts';

const AT_A_TIME = 6;

export interface UsedTrace {
  readonly traceId: string;
  readonly tenant: string;
  readonly name: string;
  readonly startMillis: number;
  readonly sum: UsageSum;
  readonly models: readonly ModelUsage[];
}

/** A trace that was read. */
interface ReadTrace {
  /** What it was then. */
  readonly summary: TraceSummary;
  /** Absent when nothing in it used a model. */
  readonly used: UsedTrace | undefined;
}

/**
 * Reads the traces of a list for what they used, each once more only when it has changed since. Of the lists that come
 * while it reads the newest is next: a list that takes longer to read than the next one takes to come is told all the same.
 */
export class UsageReader {
  readonly #found: (used: readonly UsedTrace[]) => void;
  readonly #abort = new AbortController();
  #known: ReadonlyMap<string, ReadTrace> = new Map();
  #next: readonly TraceSummary[] | undefined;
  #reading = false;

  constructor(found: (used: readonly UsedTrace[]) => void) {
    this.#found = found;
  }

  read(traces: readonly TraceSummary[]): void {
    this.#next = traces;
    if (!this.#reading) void this.#readLists();
  }

  stop(): void {
    this.#next = undefined;
    this.#abort.abort();
  }

  async #readLists(): Promise<void> {
    this.#reading = true;
    while (this.#next !== undefined) {
      const traces = this.#next;
      this.#next = undefined;
      this.#known = await this.#readList(traces);
      if (this.#abort.signal.aborted) return;
      this.#found([...this.#known.values()].flatMap(({ used }) => used ?? []));
    }
    this.#reading = false;
  }

  async #readList(traces: readonly TraceSummary[]): Promise<ReadonlyMap<string, ReadTrace>> {
    const read = new Map<string, ReadTrace>();
    for (let at = 0; at < traces.length; at += AT_A_TIME) {
      const some = traces.slice(at, at + AT_A_TIME);
      const found = await Promise.all(some.map((summary) => this.#readTrace(summary).catch(() => undefined)));
      for (const [index, trace] of found.entries()) {
        if (trace !== undefined) read.set(traceKey(some[index] as TraceSummary), trace);
      }
    }
    return read;
  }

  async #readTrace(summary: TraceSummary): Promise<ReadTrace | undefined> {
    const known = this.#known.get(traceKey(summary));
    if (known !== undefined && isSame(known.summary, summary)) return known;
    const { traceId, tenant } = summary;
    const path = apiPath(`traces/${traceId}`, { tenant, format: 'compact' });
    const answer = await ask<WireCompactTrace>(path, this.#abort.signal);
    // As it was, until it can be read.
    return 'value' in answer ? { summary, used: usedBy(summary, answer.value) } : known;
  }
}

function isSame(left: TraceSummary, right: TraceSummary): boolean {
  return left.spans === right.spans && left.errors === right.errors && left.durationNanos === right.durationNanos;
}

function usedBy({ traceId, tenant, name, startMillis }: TraceSummary, trace: WireCompactTrace): UsedTrace | undefined {
  const tree = buildSpanTree(expandTrace(traceId, trace).spans);
  const sums = rollUpUsage(tree);
  const roots = tree.roots.flatMap((root) => sums.get(root) ?? []);
  if (roots.length === 0) return undefined;
  return { traceId, tenant, name, startMillis, sum: roots.reduce(plus), models: usageByModel(tree) };
}
