import type { MetricHeader } from '../otlp/row-batch.ts';
import type { PointRecord, TelemetryAttributes } from '../otlp/telemetry-model.ts';
import { valueText } from '../query/match.ts';
import { addIncrease, combine, createTally, type PointTally } from './point-tally.ts';
import type {
  MetricAggregation,
  MetricAnswer,
  MetricExemplar,
  MetricQuestion,
  MetricSeries,
} from './telemetry-store.ts';

const NANOS_PER_MILLI = 1e6;
const MAX_EXEMPLARS = 20;
/** Points before the range tell what cumulative ones in it add. */
const LOOKBACK_MILLIS = 5 * 60_000;

interface RawSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: PointRecord[];
}

/** The beginning of what has to be read for a question. */
export function lookbackStart({ range, stepMillis }: Pick<MetricQuestion, 'range' | 'stepMillis'>): number {
  return range.startMillis - Math.max(stepMillis, LOOKBACK_MILLIS);
}

/** What is shown of a metric when nothing else is asked for. */
export function defaultAggregation({ type, monotonic }: MetricHeader): MetricAggregation {
  if (type === 'sum') return monotonic ? 'rate' : 'sum';
  return type === 'gauge' || type === 'summary' ? 'avg' : 'p95';
}

/** Gathers the points of one metric into series, steps and groups. */
export class MetricTable {
  readonly #question: Omit<MetricQuestion, 'scope' | 'query'>;
  readonly #series = new Map<string, RawSeries>();
  #metric: MetricHeader | undefined;

  constructor(question: Omit<MetricQuestion, 'scope' | 'query'>) {
    this.#question = question;
  }

  /** In any order; points from `lookbackStart` on. */
  add(point: PointRecord): void {
    this.#metric ??= point.metric;
    const { tenant, resource, scope, attributes } = point;
    const key = seriesKey([tenant, resource, scope.name, attributes]);
    const series = this.#series.get(key);
    if (series === undefined) this.#series.set(key, { labels: this.#labelsOf(point), points: [point] });
    else series.points.push(point);
  }

  answer(): Omit<MetricAnswer, 'partial'> {
    const { stepMillis, limit } = this.#question;
    const metric = this.#metric;
    const aggregation = this.#question.aggregation ?? (metric === undefined ? 'avg' : defaultAggregation(metric));
    const groups = new Map<string, RawSeries[]>();
    for (const series of this.#series.values()) {
      const key = JSON.stringify(Object.entries(series.labels).sort(([left], [right]) => (left < right ? -1 : 1)));
      groups.set(key, [...(groups.get(key) ?? []), series]);
    }
    const series = [...groups]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, members]) => this.#toSeries(members, aggregation))
      .filter(({ points }) => points.length > 0);
    const omittedSeries = Math.max(series.length - limit, 0);
    return { metric, aggregation, stepMillis, series: series.slice(0, limit), omittedSeries };
  }

  #labelsOf({ tenant, service, attributes, resource }: PointRecord): Record<string, string> {
    const { groupBy } = this.#question;
    const labels = Object.create(null) as Record<string, string>;
    if (groupBy.length === 0) {
      labels['tenant'] = tenant;
      labels['service'] = service;
      for (const [key, value] of Object.entries(attributes)) labels[key] = valueText(value);
      return labels;
    }
    for (const field of groupBy) labels[field] = labelValue(field, tenant, service, attributes, resource);
    return labels;
  }

  #toSeries(members: readonly RawSeries[], aggregation: MetricAggregation): MetricSeries {
    const { stepMillis, range } = this.#question;
    const steps = new Map<number, PointTally[]>();
    const exemplars: MetricExemplar[] = [];
    for (const { points } of members) {
      const tallies = new Map<number, PointTally>();
      points.sort((left, right) => (left.timeUnixNano < right.timeUnixNano ? -1 : 1));
      let previous: PointRecord | undefined;
      for (const point of points) {
        const at = Number(point.timeUnixNano) / NANOS_PER_MILLI;
        if (at >= range.startMillis && at < range.endMillis) {
          const step = Math.floor(at / stepMillis);
          const tally = tallies.get(step) ?? createTally();
          tallies.set(step, tally);
          addIncrease(tally, point, previous, range.startMillis - LOOKBACK_MILLIS);
          exemplars.push(...exemplarsOf(point));
        }
        previous = point;
      }
      for (const [step, tally] of tallies) steps.set(step, [...(steps.get(step) ?? []), tally]);
    }
    const points = [...steps]
      .sort(([left], [right]) => left - right)
      .map(([step, tallies]) => [step * stepMillis, combine(tallies, aggregation, stepMillis)] as const)
      .filter((point): point is readonly [number, number] => point[1] !== undefined);
    exemplars.sort((left, right) => right.timeMillis - left.timeMillis);
    return { labels: members[0]?.labels ?? {}, points, exemplars: exemplars.slice(0, MAX_EXEMPLARS) };
  }
}

function labelValue(
  field: string,
  tenant: string,
  service: string,
  attributes: TelemetryAttributes,
  resource: TelemetryAttributes,
): string {
  if (field === 'tenant') return tenant;
  if (field === 'service') return service;
  const value = field.startsWith('resource.')
    ? resource[field.slice('resource.'.length)]
    : attributes[field.replace(/^attr\./, '')];
  return value === undefined ? '' : valueText(value);
}

function exemplarsOf({ exemplars, tenant }: PointRecord): MetricExemplar[] {
  return exemplars
    .filter(({ traceId }) => traceId !== '')
    .map(({ timeUnixNano, value, traceId, spanId }) => {
      return { timeMillis: Number(timeUnixNano) / NANOS_PER_MILLI, value, tenant, traceId, spanId };
    });
}

function seriesKey(parts: readonly unknown[]): string {
  return JSON.stringify(parts, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}
