import { type Attributes, type Context, context as contextApi, TraceFlags } from '@opentelemetry/api';
import type { Agenda, Job } from '../processing/agenda.ts';
import { MetricExport, type MetricTarget } from '../processing/metric-export.ts';
import {
  type Aggregation,
  type Instrument,
  type MeasurementHost,
  SyncInstrument,
} from '../processing/metric-instrument.ts';
import type { Exemplar, MetricIdentity, MetricKind, ScopeMetrics, Temporality } from '../processing/metric-model.ts';
import { pointCount } from '../processing/metric-split.ts';
import {
  type CallbackOfOne,
  ObservableInstrument,
  type RegisteredCallback,
} from '../processing/observable-instrument.ts';
import { ObservationRound } from '../processing/observation-round.ts';
import { isSame, type ScopeOwner, scopeOf } from '../processing/scope.ts';
import type { Clock } from '../utils/clock.ts';
import type { Guard } from '../utils/guard.ts';
import { matchesGlob } from '../utils/match-glob.ts';
import { InstrumentTable, type MetricScope } from './instrument-table.ts';
import type { MetricSettings, MetricView } from './metric-options.ts';

/** What the metrics of a tenant need of it. */
export interface MetricsOwner extends ScopeOwner {
  readonly guard: Guard;
  readonly clock: Clock;
  /** Set at each use. */
  touched: boolean;
  /** Takes an evicted tenant back in. Answers whether the tenant records. */
  admit(): boolean;
}

export interface TenantMetricsOptions {
  readonly owner: MetricsOwner;
  readonly agenda: Agenda;
  readonly use: MetricsUse;
}

/** What becomes of what a tenant measures. */
export interface MetricsUse {
  /** Whether somebody reads cumulative points. */
  readonly isRead: boolean;
  /** The time to send has come; to be answered by `collect`. */
  send(): void;
}

/** What one configuration of a tenant says of its metrics. */
export interface MetricRules {
  readonly settings: MetricSettings;
  /** Whether there are metrics at all. */
  readonly enabled: boolean;
  /** What its destinations prefer, by their place. */
  readonly temporalities: readonly Temporality[];
  readonly resource: () => Readonly<Attributes>;
}

/** Counts of a tenant's metrics. */
export interface MetricCounts {
  readonly instruments: number;
  /** Measurements that were counted without their attributes, because there were too many sets of them. */
  readonly overflowed: number;
  /** Measurements that were not acceptable, and instruments that could not be made. */
  readonly refused: number;
}

/** Which instruments. */
type Kind = 'all' | 'sync' | 'observable';

/** Instruments of one tenant. */
const MAX_INSTRUMENTS = 2_000;
/** The boundaries of the specification's default, made for milliseconds. */
const MILLIS_BOUNDARIES = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000];
/** Those that the HTTP semantic conventions advise for durations, in seconds. */
const SECONDS_BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const EXPONENTIAL = Object.freeze({ maxSize: 160 });

/**
 * The metrics of one tenant: its instruments and what they were told. They live as long as the tenant's tracer; what
 * was measured is given back when the tenant is evicted, after it was sent.
 */
export class TenantMetrics implements MeasurementHost, Job {
  /** Whether measurements are taken without asking. */
  open = false;
  readonly #options: TenantMetricsOptions;
  /** What is in force. */
  #rules: MetricRules;
  /** What its destinations and readers prefer. */
  #temporalities: readonly Temporality[];
  readonly #instruments = new InstrumentTable();
  readonly #callbacks: RegisteredCallback[] = [];
  #overflowed = 0;
  #refused = 0;
  #observing: Promise<void> | undefined;
  #nextAt = Number.NEGATIVE_INFINITY;

  constructor(options: TenantMetricsOptions, rules: MetricRules) {
    this.#options = options;
    this.#rules = rules;
    this.#temporalities = this.#wanted();
  }

  /** Whether there are cumulative points. */
  get isReadable(): boolean {
    return this.#temporalities.includes('cumulative');
  }

  set touched(value: boolean) {
    this.#options.owner.touched = value;
  }

  get counts(): MetricCounts {
    return { instruments: this.#instruments.size, overflowed: this.#overflowed, refused: this.#refused };
  }

  find(scope: MetricScope, kind: MetricKind, name: string): Instrument | undefined {
    return this.#instruments.find(scope, kind, name);
  }

  findByName(scope: MetricScope, name: unknown): SyncInstrument | undefined {
    return this.#instruments.findByName(scope, name);
  }

  /** The instrument of that scope, kind and name, made when it is asked for first; `undefined` above the limit. */
  instrument(scope: MetricScope, identity: MetricIdentity, advice?: readonly number[]): Instrument | undefined {
    const known = this.find(scope, identity.kind, identity.name);
    if (known !== undefined) return known;
    if (this.#instruments.size >= MAX_INSTRUMENTS) {
      this.report('instrument', `more than ${MAX_INSTRUMENTS} instruments`);
      return undefined;
    }
    const made = identity.kind.startsWith('observable')
      ? new ObservableInstrument(this, identity, this.now())
      : new SyncInstrument(this, identity, advice);
    this.#instruments.add(scope, made);
    return made;
  }

  enter(): boolean {
    if (!this.#options.owner.admit() || !this.#rules.enabled) return false;
    this.open = true;
    return true;
  }

  now(): number {
    return this.#options.owner.clock.now();
  }

  aggregationOf(instrument: Instrument): Aggregation {
    this.#schedule();
    const { cardinalityLimit, exemplars, views } = this.#rules.settings;
    const view = views.find((candidate) => this.#fits(candidate, instrument));
    return {
      buckets: bucketsOf(instrument, view),
      cardinalityLimit: view?.cardinalityLimit ?? cardinalityLimit,
      allowed: view?.attributes && new Set(view.attributes),
      dropped: view?.drop ?? false,
      temporalities: this.#temporalities,
      exemplars,
    };
  }

  exemplar(value: number, given: Context | undefined): Exemplar | undefined {
    const { owner } = this.#options;
    const scope = scopeOf(given ?? contextApi.active());
    // Inside another tenant's work the span of this one is not the one that is measured in.
    if (scope?.ownSpan === undefined || !isSame(scope.owner, owner)) return undefined;
    const { isRemote, spanId, traceFlags, traceId } = scope.ownSpan.spanContext();
    if (isRemote === true || (traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
    return { value, at: this.now(), traceId, spanId };
  }

  refused(instrument: MetricIdentity, reason: unknown): void {
    this.report(instrument.name, reason);
  }

  overflowed(instrument: MetricIdentity): void {
    if (this.#overflowed === 0) this.#options.owner.guard.report('metrics', instrument.name, 'too many attribute sets');
    this.#overflowed += 1;
  }

  /** Counts something that is not acceptable, and makes it known. */
  report(operation: string, reason: unknown): void {
    this.#refused += 1;
    this.#options.owner.guard.report('metrics', operation, reason);
  }

  addCallback(callback: RegisteredCallback): void {
    if (this.#callbacks.some((known) => isSameCallback(known, callback))) return;
    if (this.#callbacks.length >= MAX_INSTRUMENTS) this.report('callback', `more than ${MAX_INSTRUMENTS} callbacks`);
    else this.#callbacks.push(callback);
    this.#schedule();
  }

  removeCallback(callback: RegisteredCallback): void {
    const index = this.#callbacks.findIndex((known) => isSameCallback(known, callback));
    if (index >= 0) this.#callbacks.splice(index, 1);
  }

  /**
   * Hands what was measured to the targets: at once, but for observables whose callbacks are asynchronous, which are
   * waited for. Never throws or rejects, and ends in time.
   */
  collect({ targets }: { readonly targets: readonly MetricTarget[] }): void | Promise<void> {
    if (this.#instruments.size === 0) return undefined;
    const { guard } = this.#options.owner;
    const rules = this.#rules;
    const send = (kind: Kind): void => {
      guard.run('metrics', 'collect', () => this.#push(targets, rules, kind), undefined);
    };
    const observed = this.#observe();
    if (observed === undefined) {
      send('all');
      return undefined;
    }
    send('sync');
    return observed.then(() => send('observable'));
  }

  /** All points since the metrics began, for somebody who asks. Never rejects. */
  async read(): Promise<readonly ScopeMetrics[]> {
    await this.#observe();
    return this.#options.owner.guard.run('metrics', 'read', () => this.#gather('cumulative', 'all'), []);
  }

  /**
   * Puts other rules in force.
   *
   * @param unsent whether what was measured has not been collected
   */
  reconfigure(rules: MetricRules, unsent: boolean): void {
    this.#rest();
    this.#rules = rules;
    this.#temporalities = this.#wanted();
    this.#forEach('reconfigure', (instrument) => instrument.reconfigure(unsent));
    if (this.#callbacks.length > 0) this.#schedule();
  }

  /** Gives up what was measured and not collected, and answers how many points that is. */
  discard(): number {
    const points = pointCount(this.#gather(this.#temporalities[0] ?? 'cumulative', 'sync'));
    this.#forEach('discard', (instrument) => instrument.release());
    return points;
  }

  /** The tenant is out of use, and what was measured has been collected: gives the memory back. */
  release(): void {
    this.#rest();
    this.#forEach('release', (instrument) => instrument.release());
  }

  /** Measures and sends nothing until it is asked whether it may. */
  #rest(): void {
    this.open = false;
    this.#options.agenda.cancel(this);
    this.#nextAt = Number.NEGATIVE_INFINITY;
  }

  #forEach(operation: string, change: (instrument: Instrument) => void): void {
    const { guard } = this.#options.owner;
    for (const instrument of this.#instruments) guard.run('metrics', operation, () => change(instrument), undefined);
  }

  #push(targets: readonly MetricTarget[], { resource, settings, temporalities }: MetricRules, kind: Kind): void {
    const exported = new MetricExport(resource(), this.#options.owner.guard);
    const gathered = new Map<Temporality, readonly ScopeMetrics[]>();
    for (const target of targets) {
      const preference = temporalities[target.index] ?? settings.temporality;
      const metrics = gathered.get(preference) ?? this.#gather(preference, kind);
      gathered.set(preference, metrics);
      if (metrics.length > 0) exported.push(target, metrics);
    }
  }

  #gather(preference: Temporality, kind: Kind): ScopeMetrics[] {
    return this.#instruments.gather((instrument) => {
      const wanted = kind === 'all' || instrument instanceof SyncInstrument === (kind === 'sync');
      return wanted ? instrument.collect(preference) : [];
    });
  }

  /** Asks the callbacks; `undefined` when they have all answered at once. */
  #observe(): Promise<void> | undefined {
    if (this.#observing !== undefined) return this.#observing.then(() => this.#observe());
    for (const instrument of this.#instruments) if (instrument instanceof ObservableInstrument) instrument.clear();
    if (this.#callbacks.length === 0 || !this.#rules.enabled) return undefined;
    const round = new ObservationRound({
      owner: this.#options.owner,
      agenda: this.#options.agenda,
      failed: (name, error) => this.report(name, error),
    });
    const answered = round.ask(this.#callbacks);
    this.#observing = answered?.finally(() => {
      this.#observing = undefined;
    });
    return this.#observing;
  }

  #wanted(): readonly Temporality[] {
    const { settings, temporalities } = this.#rules;
    const wanted = new Set(temporalities.length === 0 ? [settings.temporality] : temporalities);
    if (this.#options.use.isRead) wanted.add('cumulative');
    return [...wanted];
  }

  #fits({ instrument, meter }: MetricView, candidate: Instrument): boolean {
    if (!matchesGlob(instrument, candidate.name.toLowerCase())) return false;
    return meter === undefined || this.#instruments.scopeOf(candidate).name === meter;
  }

  /** The first time at random, so that tenants which began together do not send together. */
  #schedule(): void {
    const { agenda, owner } = this.#options;
    if (this.#nextAt > Number.NEGATIVE_INFINITY || !this.#rules.enabled) return;
    const { intervalMillis } = this.#rules.settings;
    this.#nextAt = agenda.now() + intervalMillis * (0.5 + owner.clock.random() / 2);
    agenda.schedule(this, this.#nextAt);
  }

  /** An interval is over. */
  due(now: number): void {
    const { agenda, owner, use } = this.#options;
    this.#nextAt = Math.max(this.#nextAt + this.#rules.settings.intervalMillis, now);
    agenda.schedule(this, this.#nextAt);
    owner.guard.run('metrics', 'due', () => use.send(), undefined);
  }
}

function bucketsOf({ advice, unit }: Instrument, view: MetricView | undefined): Aggregation['buckets'] {
  if (view?.buckets === 'exponential') return EXPONENTIAL;
  return view?.buckets ?? advice ?? (unit === 's' ? SECONDS_BOUNDARIES : MILLIS_BOUNDARIES);
}

function isSameCallback(one: RegisteredCallback, other: RegisteredCallback): boolean {
  if (one.observe !== other.observe) return false;
  if ('instrument' in one || 'instrument' in other) {
    return (one as CallbackOfOne).instrument === (other as CallbackOfOne).instrument;
  }
  return (
    one.instruments.length === other.instruments.length &&
    one.instruments.every((item) => other.instruments.includes(item))
  );
}
