import { type Attributes, type Histogram, type Meter, ROOT_CONTEXT } from '@opentelemetry/api';
import type { ExportComponent, ExportRecorder, FinishedExport } from '../processing/export-recorder.ts';
import type { Clock } from '../utils/clock.ts';
import type { Guard } from '../utils/guard.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';

/** What a destination, or all beyond the first hundred of a kind, did. */
export interface ExportTally {
  readonly signal: TelemetrySignal;
  readonly attributes: Attributes;
  exported: number;
  /** By reason. */
  readonly failed: Map<string, number>;
}

/** Tenants choose their endpoints: the others are counted without address. */
const MAX_SERVERS = 100;
/** From a receiver next door to a batch that was retried until the give-up time. */
const BOUNDARIES_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Measures exports, once for each batch and all its attempts (semantic conventions for SDK metrics). */
export class ExportMeter implements ExportRecorder {
  readonly #clock: Clock;
  readonly #guard: Guard;
  readonly #duration: Histogram;
  readonly #tallies = new Map<string, ExportTally>();

  constructor(meter: Meter, guard: Guard, clock: Clock) {
    this.#clock = clock;
    this.#guard = guard;
    this.#duration = meter.createHistogram('otel.sdk.exporter.operation.duration', {
      unit: 's',
      description: 'The duration of exporting a batch of telemetry records.',
      advice: { explicitBucketBoundaries: BOUNDARIES_SECONDS },
    });
  }

  get tallies(): Iterable<ExportTally> {
    return this.#tallies.values();
  }

  finished({ component, dropped, exported, firstAt, reason }: FinishedExport): void {
    const seconds = (this.#clock.monotonic() - firstAt) / 1_000;
    const tally = this.tallyOf(component);
    tally.exported += exported;
    if (dropped > 0) tally.failed.set(reason, (tally.failed.get(reason) ?? 0) + dropped);
    const attributes = dropped > 0 ? { ...tally.attributes, 'error.type': reason } : tally.attributes;
    // In no tenant's context: an exemplar would tell its trace id.
    this.#guard.run('metrics', 'duration', () => this.#duration.record(seconds, attributes, ROOT_CONTEXT), undefined);
  }

  tallyOf(component: ExportComponent = { type: 'span_exporter' }): ExportTally {
    const { address, port, signal = 'traces', type } = component;
    const known = this.#tallies.get(keyOf(type, address, port));
    if (known !== undefined) return known;
    const isNamed = address !== undefined && this.#tallies.size < MAX_SERVERS;
    const key = isNamed ? keyOf(type, address, port) : keyOf(type);
    const tally = this.#tallies.get(key) ?? {
      signal,
      attributes: {
        'otel.component.type': type,
        'otel.component.name': `${type}/isotrace`,
        ...(isNamed && { 'server.address': address }),
        ...(isNamed && port !== undefined && { 'server.port': port }),
      },
      exported: 0,
      failed: new Map(),
    };
    this.#tallies.set(key, tally);
    return tally;
  }
}

function keyOf(type: string, address = '', port = 0): string {
  return `${type} ${address} ${port}`;
}
