import type { Attributes } from '@opentelemetry/api';
import type { Guard } from '../utils/guard.ts';
import { AttributeMap } from './attribute-map.ts';
import type { AttributeList } from './ended-span.ts';
import { encodeMetrics } from './metric-encoder.ts';
import { encodeMetricsJson } from './metric-json.ts';
import type { ScopeMetrics } from './metric-model.ts';
import { redactMetrics } from './metric-redaction.ts';
import { pointCount, splitMetrics } from './metric-split.ts';
import { encodeResource } from './span-encoder.ts';
import { encodeResourceJson } from './span-json.ts';

/** A destination that takes requests of metrics. */
export interface MetricTarget {
  /** Its place among the tenant's destinations. */
  readonly index: number;
  readonly format: 'protobuf' | 'json';
  /** What may be shown there of a data point's attributes; `undefined` when that cannot be told. Never throws. */
  shown(attributes: AttributeList): AttributeList | undefined;
  /** Takes an encoded request with `count` data points, and counts them. */
  push(body: Uint8Array, count: number): void;
  /** Counts data points that do not come to a request. */
  drop(reason: 'unserializable', count: number): void;
}

/** Data points of one request: some hundred bytes each. */
const MAX_POINTS = 1_000;

interface EncodedPart {
  /** `undefined`: it could not be encoded. */
  readonly body: Uint8Array | undefined;
  readonly points: number;
}

/** Puts the metrics of one tenant into requests, each once for all targets that may see the same. */
export class MetricExport {
  readonly #resource: Readonly<Attributes>;
  readonly #guard: Guard;
  readonly #encoded = new Map<string, Map<readonly ScopeMetrics[], readonly EncodedPart[]>>();

  constructor(resource: Readonly<Attributes>, guard: Guard) {
    this.#resource = resource;
    this.#guard = guard;
  }

  push(target: MetricTarget, metrics: readonly ScopeMetrics[]): void {
    const shown = redactMetrics(
      metrics,
      (attributes) => target.shown(attributes),
      (points) => target.drop('unserializable', points),
    );
    for (const { body, points } of this.#parts(target.format, shown)) {
      if (body === undefined) target.drop('unserializable', points);
      else target.push(body, points);
    }
  }

  #parts(format: MetricTarget['format'], metrics: readonly ScopeMetrics[]): readonly EncodedPart[] {
    const known = this.#encoded.get(format) ?? new Map<readonly ScopeMetrics[], readonly EncodedPart[]>();
    this.#encoded.set(format, known);
    const parts = known.get(metrics) ?? splitMetrics(metrics, MAX_POINTS).flatMap((part) => this.#encode(format, part));
    known.set(metrics, parts);
    return parts;
  }

  /** What cannot be encoded together is tried in halves, so that one bad point costs only itself. */
  #encode(format: MetricTarget['format'], part: readonly ScopeMetrics[]): EncodedPart[] {
    const points = pointCount(part);
    try {
      const resource = this.#resourceList();
      const body =
        format === 'json'
          ? encodeMetricsJson(encodeResourceJson(resource), part)
          : encodeMetrics(encodeResource(resource), part);
      return [{ body, points }];
    } catch (error) {
      if (points > 1) return splitMetrics(part, Math.ceil(points / 2)).flatMap((half) => this.#encode(format, half));
      this.#guard.report('encoder', 'encodeMetrics', error);
      return [{ body: undefined, points }];
    }
  }

  #resourceList(): AttributeList {
    const list = new AttributeMap();
    list.setAll(this.#resource, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, (error) => {
      this.#guard.report('encoder', 'resource', error);
    });
    return list;
  }
}
