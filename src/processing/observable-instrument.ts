import type { BatchObservableCallback, Observable, ObservableCallback } from '@opentelemetry/api';
import { describeKind } from '../utils/secret.ts';
import type { AttributeList } from './ended-span.ts';
import { attributesKey, copyAttributes, NO_ATTRIBUTES, OVERFLOW_ATTRIBUTES } from './metric-attributes.ts';
import { Instrument, type MeasurementHost } from './metric-instrument.ts';
import {
  type CollectedMetric,
  type MetricIdentity,
  type NumberPoint,
  type Temporality,
  temporalityOf,
} from './metric-model.ts';

/** What the observables of one tenant need of it. */
export interface ObservableHost extends MeasurementHost {
  addCallback(callback: CallbackOfOne): void;
  removeCallback(callback: Pick<CallbackOfOne, 'instrument' | 'observe'>): void;
}

/** A callback of the host's, of one instrument or of several. */
export type RegisteredCallback = CallbackOfOne | CallbackOfMany;
export interface CallbackOfOne {
  readonly instrument: ObservableInstrument;
  readonly observe: ObservableCallback;
}
export interface CallbackOfMany {
  readonly instruments: readonly ObservableInstrument[];
  readonly observe: BatchObservableCallback;
}

interface Observation {
  readonly attributes: AttributeList;
  readonly value: number;
}

const NOTHING: ReadonlyMap<string, Observation> = new Map();
const OVERFLOW = 'overflow';
const NO_EXEMPLARS = Object.freeze([]);

/** An instrument whose callbacks are asked when metrics are collected. No method throws. */
export class ObservableInstrument extends Instrument implements Observable {
  declare protected readonly host: ObservableHost;
  readonly #startMillis: number;
  #observations = new Map<string, Observation>();
  /** What the last delta counted from, and when that was. */
  #previous: ReadonlyMap<string, Observation> = NOTHING;
  #previousMillis: number;

  constructor(host: ObservableHost, identity: MetricIdentity, startMillis: number) {
    super(host, identity);
    this.#startMillis = startMillis;
    this.#previousMillis = startMillis;
  }

  addCallback(callback: ObservableCallback): void {
    this.host.addCallback({ instrument: this, observe: callback });
  }

  removeCallback(callback: ObservableCallback): void {
    this.host.removeCallback({ instrument: this, observe: callback });
  }

  /** Forgets what was observed, before the callbacks are asked again. */
  clear(): void {
    this.#observations = new Map();
  }

  /** Takes what a callback says. The last word on an attribute set counts. */
  observe(value: unknown, attributes?: unknown): void {
    try {
      if (typeof value !== 'number' || !Number.isFinite(value)) {
        this.host.refused(this, `${describeKind(value)} is no observation`);
        return;
      }
      const { allowed, cardinalityLimit, dropped } = this.aggregation;
      if (dropped) return;
      const isRecord = typeof attributes === 'object' && attributes !== null;
      const key = isRecord ? attributesKey(attributes, allowed) : '';
      if (this.#observations.has(key) || this.#observations.size < cardinalityLimit - 1) {
        const own = isRecord && key !== '' ? copyAttributes(attributes, allowed) : NO_ATTRIBUTES;
        // Where a view leaves keys out, what they told apart is added up.
        const others =
          allowed === undefined || this.kind === 'observableGauge' ? undefined : this.#observations.get(key);
        this.#observations.set(key, { attributes: own, value: (others?.value ?? 0) + value });
        return;
      }
      this.host.overflowed(this);
      const sum = this.kind === 'observableGauge' ? 0 : (this.#observations.get(OVERFLOW)?.value ?? 0);
      this.#observations.set(OVERFLOW, { attributes: OVERFLOW_ATTRIBUTES, value: sum + value });
    } catch (error) {
      this.host.refused(this, error);
    }
  }

  release(): void {
    this.clear();
  }

  collect(preference: Temporality): readonly CollectedMetric[] {
    const temporality = temporalityOf(this.kind, preference);
    const isDelta = temporality === 'delta' && this.kind === 'observableCounter';
    const atMillis = this.host.now();
    const points: NumberPoint[] = [];
    for (const [key, { attributes, value }] of this.#observations) {
      const before = isDelta ? (this.#previous.get(key)?.value ?? 0) : 0;
      points.push({
        attributes,
        startMillis: isDelta ? this.#previousMillis : this.#startMillis,
        atMillis,
        exemplars: NO_EXEMPLARS,
        // A counter that went back began anew.
        value: value < before ? value : value - before,
      });
    }
    if (isDelta) {
      this.#previous = this.#observations;
      this.#previousMillis = atMillis;
    }
    return points.length === 0 ? [] : [this.describe(points, temporality)];
  }
}
