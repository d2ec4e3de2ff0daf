import type { TraceSummary } from '../../store/telemetry-store.ts';
import { traceKey } from '../model/followed-traces.ts';
import { buildSpanTree } from '../model/span-tree.ts';
import { type ModelUsage, plus, rollUpUsage, type UsageSum, usageByModel } from '../model/usage-rollup.ts';
import { expandTrace, type WireCompactTrace } from '../model/wire.ts';
import { apiPath, ask, isGone, RETRY_MILLIS } from './api.ts';

const AT_A_TIME = 6;

export interface UsedTrace extends Pick<TraceSummary, 'traceId' | 'tenant' | 'name' | 'startMillis'> {
  readonly sum: UsageSum;
  readonly models: readonly ModelUsage[];
}

/** What a list of traces used. */
export interface UsedTraces {
  readonly used: readonly UsedTrace[];
  /** How many could not be read: they are missing, or as they were before. */
  readonly unread: number;
}

/** A trace that was read. */
interface ReadTrace {
  /** What it was then; absent when it could not be read. */
  readonly summary: TraceSummary | undefined;
  /** Absent when nothing in it used a model. */
  readonly used: UsedTrace | undefined;
}

/**
 * Reads the traces of a list for what they used, each once more only when it has changed since. Of the lists that come
 * while it reads the newest is next: a list that takes longer to read than the next one takes to come is told all the same.
 */
export class UsageReader {
  readonly #found: (used: UsedTraces) => void;
  readonly #abort = new AbortController();
  #known: ReadonlyMap<string, ReadTrace> = new Map();
  #next: readonly TraceSummary[] | undefined;
  #reading = false;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(found: (used: UsedTraces) => void) {
    this.#found = found;
  }

  read(traces: readonly TraceSummary[]): void {
    clearTimeout(this.#retry);
    this.#next = traces;
    if (!this.#reading) void this.#readLists();
  }

  stop(): void {
    clearTimeout(this.#retry);
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
      const read = [...this.#known.values()];
      const unread = read.filter(({ summary }) => summary === undefined).length;
      this.#found({ used: read.flatMap(({ used }) => used ?? []), unread });
      if (unread > 0 && this.#next === undefined) this.#retry = setTimeout(() => this.read(traces), RETRY_MILLIS);
    }
    this.#reading = false;
  }

  async #readList(traces: readonly TraceSummary[]): Promise<ReadonlyMap<string, ReadTrace>> {
    const read = new Map<string, ReadTrace>();
    for (let at = 0; at < traces.length; at += AT_A_TIME) {
      const some = traces.slice(at, at + AT_A_TIME);
      const found = await Promise.all(some.map((summary) => this.#readTrace(summary).catch(() => undefined)));
      for (const [index, summary] of some.entries()) {
        const trace = found[index];
        if (trace !== undefined) read.set(traceKey(summary), trace);
      }
    }
    return read;
  }

  async #readTrace(summary: TraceSummary): Promise<ReadTrace | undefined> {
    const known = this.#known.get(traceKey(summary));
    if (known?.summary !== undefined && isSame(known.summary, summary)) return known;
    const { traceId, tenant } = summary;
    const path = apiPath(`traces/${traceId}`, { tenant, format: 'compact' });
    const answer = await ask<WireCompactTrace>(path, this.#abort.signal);
    if ('value' in answer) return { summary, used: usedBy(summary, answer.value) };
    // It had to make room, or is as it was until it can be read.
    return isGone(answer.error) ? undefined : { summary: undefined, used: known?.used };
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
