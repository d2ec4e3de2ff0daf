import { type Instrument, SyncInstrument } from '../processing/metric-instrument.ts';
import {
  type CollectedMetric,
  isInstrumentName,
  type MetricKind,
  type ScopeMetrics,
} from '../processing/metric-model.ts';
import { OWN_SCOPE } from './own-scope.ts';

/** An instrumentation scope. */
export interface MetricScope {
  readonly name: string;
  readonly version?: string | undefined;
}

interface Group {
  readonly scope: MetricScope;
  readonly instruments: Map<string, Instrument>;
}

const SYNC_KINDS: readonly MetricKind[] = ['gauge', 'counter', 'histogram', 'upDownCounter'];

/** The instruments of one tenant, by scope, kind and name; case does not tell names apart. */
export class InstrumentTable {
  /** A few. */
  #groups: readonly Group[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  *[Symbol.iterator](): Iterator<Instrument> {
    for (const { instruments } of this.#groups) yield* instruments.values();
  }

  find(scope: MetricScope, kind: MetricKind, name: string): Instrument | undefined {
    return this.#groupOf(scope)?.instruments.get(nameOf({ kind, name }));
  }

  /** The one of that name that takes measurements, of whatever kind. */
  findByName(scope: MetricScope, name: unknown): SyncInstrument | undefined {
    if (!isInstrumentName(name)) return undefined;
    for (const kind of SYNC_KINDS) {
      const known = this.find(scope, kind, name);
      if (known instanceof SyncInstrument) return known;
    }
    return undefined;
  }

  add(scope: MetricScope, instrument: Instrument): void {
    const group = this.#groupOf(scope) ?? this.#newGroup(scope);
    group.instruments.set(nameOf(instrument), instrument);
    this.#size += 1;
  }

  scopeOf(instrument: Instrument): MetricScope {
    for (const { scope, instruments } of this.#groups) {
      if (instruments.get(nameOf(instrument)) === instrument) return scope;
    }
    return OWN_SCOPE;
  }

  /** What `collect` answers for each of the instruments, by scope; those without anything are left out. */
  gather(collect: (instrument: Instrument) => readonly CollectedMetric[]): ScopeMetrics[] {
    const scopes: ScopeMetrics[] = [];
    for (const { scope, instruments } of this.#groups) {
      const metrics = [...instruments.values()].flatMap(collect);
      if (metrics.length > 0) scopes.push({ scope, metrics });
    }
    return scopes;
  }

  #groupOf({ name, version = '' }: MetricScope): Group | undefined {
    for (const group of this.#groups) {
      if (group.scope.name === name && (group.scope.version ?? '') === version) return group;
    }
    return undefined;
  }

  #newGroup(scope: MetricScope): Group {
    const group = { scope, instruments: new Map<string, Instrument>() };
    this.#groups = this.#groups.concat(group);
    return group;
  }
}

function nameOf({ kind, name }: Pick<Instrument, 'kind' | 'name'>): string {
  return `${kind} ${name.toLowerCase()}`;
}
