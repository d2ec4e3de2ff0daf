import type { TracePage, TraceSummary } from '../../store/telemetry-store.ts';

export type TraceOrder = 'newest' | 'longest';

type Traces = ReadonlyMap<string, TraceSummary>;

/**
 * A list of traces that is asked for and told of what comes in. What was told since it was asked for is newer than the
 * answer, and stays; of the rest the answer decides as far as it reaches: what it lacks is gone.
 */
export class FollowedTraces {
  readonly #most: number;
  #path = '';
  #told: Traces = new Map();
  #shown: Traces = new Map();

  /** @param most the most traces; the last ones have to go. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The list is asked for: with another path it begins anew. */
  ask(path: string): void {
    if (path !== this.#path) this.#shown = new Map();
    this.#path = path;
    this.#told = new Map();
  }

  answer({ traces, more, partial }: TracePage, order: TraceOrder): readonly TraceSummary[] {
    const last = traces.at(-1);
    // What comes behind its last one, and what a search did not come to, the answer does not know.
    const beyond = [...this.#shown].filter(
      ([, trace]) => partial || (more && last !== undefined && compare(trace, last, order) > 0),
    );
    this.#shown = new Map([...beyond, ...byKey(traces), ...this.#told]);
    return this.#list(order);
  }

  tell(traces: readonly TraceSummary[], order: TraceOrder): readonly TraceSummary[] {
    this.#told = new Map([...this.#told, ...byKey(traces)]);
    this.#shown = new Map([...this.#shown, ...byKey(traces)]);
    return this.#list(order);
  }

  #list(order: TraceOrder): readonly TraceSummary[] {
    const list = [...this.#shown.values()].sort((left, right) => compare(left, right, order)).slice(0, this.#most);
    this.#shown = byKey(list);
    this.#told = new Map([...this.#told].filter(([key]) => this.#shown.has(key)));
    return list;
  }
}

export function traceKey({ tenant, traceId }: Pick<TraceSummary, 'tenant' | 'traceId'>): string {
  return `${traceId} ${tenant}`;
}

function byKey(traces: readonly TraceSummary[]): Traces {
  return new Map(traces.map((trace) => [traceKey(trace), trace]));
}

/** Positive when the first one is the later one in the list. */
function compare(left: TraceSummary, right: TraceSummary, order: TraceOrder): number {
  return order === 'newest' ? right.startMillis - left.startMillis : right.durationNanos - left.durationNanos;
}
