import { attributesKey } from './metric-attributes.ts';
import type {
  CollectedMetric,
  Exemplar,
  ExponentialPoint,
  HistogramPoint,
  NumberPoint,
  PointBase,
  ScopeMetrics,
} from './metric-model.ts';
import { escapeHelp, escapeLabel, prometheusLabelName, prometheusName, unitName } from './prometheus-names.ts';

/** The metrics of one tenant, with the labels that tell them from those of others. */
export interface LabelledMetrics {
  readonly labels: Readonly<Record<string, string>>;
  /** What the process is, for `target_info`; of one group at most. */
  readonly target?: Readonly<Record<string, unknown>>;
  readonly scopes: readonly ScopeMetrics[];
}

export interface PrometheusTextOptions {
  /** OpenMetrics 1.0, with units and exemplars, instead of Prometheus's text format 0.0.4. */
  readonly openMetrics: boolean;
  /** Lines with values at most, so that no answer is endless. */
  readonly maxSamples: number;
}

type FamilyType = 'counter' | 'gauge' | 'histogram' | 'info';

interface Family {
  readonly name: string;
  readonly type: FamilyType;
  readonly help: string;
  readonly unit: string;
  readonly lines: string[];
  /** Label sets that are there already: a second one would make the whole answer unreadable. */
  readonly seen: Set<string>;
}

/**
 * Cumulative metrics as a page that Prometheus reads (OpenTelemetry specification, "Prometheus and OpenMetrics
 * Compatibility"). Metrics of the same name but another type than the first are left out.
 */
export function prometheusText(groups: readonly LabelledMetrics[], options: PrometheusTextOptions): string {
  const page = new PrometheusPage(options);
  for (const { labels, scopes, target } of groups) {
    if (target !== undefined) page.addTarget(target);
    for (const { scope, metrics } of scopes) {
      for (const metric of metrics) page.add(metric, { ...labels, ...scopeLabels(scope) });
    }
  }
  return page.text;
}

/** isotrace's own instruments need no scope to be told apart. */
function scopeLabels({ name, version }: ScopeMetrics['scope']): Record<string, string> {
  if (name === 'isotrace') return {};
  return { otel_scope_name: name, ...(version !== undefined && { otel_scope_version: version }) };
}

class PrometheusPage {
  readonly #options: PrometheusTextOptions;
  readonly #families = new Map<string, Family>();
  #room: number;

  constructor(options: PrometheusTextOptions) {
    this.#options = options;
    this.#room = options.maxSamples;
  }

  get text(): string {
    const { openMetrics } = this.#options;
    const parts = [...this.#families.values()].map(({ help, lines, name, type, unit }) => {
      // In the older format a counter's family has the name of its sample.
      const shown = type === 'counter' && !openMetrics ? `${name}_total` : name;
      return [
        ...(help === '' ? [] : [`# HELP ${shown} ${escapeHelp(help, openMetrics)}`]),
        `# TYPE ${shown} ${type}`,
        ...(openMetrics && unit !== '' && name.endsWith(`_${unit}`) ? [`# UNIT ${shown} ${unit}`] : []),
        ...lines,
      ].join('\n');
    });
    const body = parts.map((part) => `${part}\n`).join('');
    return openMetrics ? `${body}# EOF\n` : body;
  }

  addTarget(target: Readonly<Record<string, unknown>>): void {
    const attributes = { keys: Object.keys(target), values: Object.values(target) } as PointBase['attributes'];
    const type = this.#options.openMetrics ? 'info' : 'gauge';
    const name = this.#options.openMetrics ? 'target' : 'target_info';
    const line = this.#line('target_info', labelsOf({ attributes }, {}, 'gauge'), '1');
    this.#families.set(name, { name, type, help: 'Target metadata', unit: '', lines: [line], seen: new Set() });
  }

  add(metric: CollectedMetric, own: Readonly<Record<string, string>>): void {
    const family = this.#familyOf(metric);
    if (family === undefined) return;
    for (const point of metric.points) {
      const labels = labelsOf(point, own, family.type);
      const key = attributesKey(labels, undefined);
      if (family.seen.has(key) || this.#room <= 0) continue;
      family.seen.add(key);
      const before = family.lines.length;
      this.#addPoint(family, metric, point, labels);
      this.#room -= family.lines.length - before;
    }
  }

  #familyOf(metric: CollectedMetric): Family | undefined {
    const type = typeOf(metric);
    const name = prometheusName(metric.name, metric.unit, type);
    const known = this.#families.get(name);
    if (known !== undefined) return known.type === type ? known : undefined;
    const { description: help } = metric;
    const family = { name, type, help, unit: unitName(metric.unit), lines: [], seen: new Set<string>() };
    this.#families.set(name, family);
    return family;
  }

  #addPoint({ lines, name, type }: Family, metric: CollectedMetric, point: PointBase, labels: Labels): void {
    if (type !== 'histogram') {
      const sample = type === 'counter' ? `${name}_total` : name;
      lines.push(
        this.#line(
          sample,
          labels,
          numberText((point as NumberPoint).value),
          type === 'counter' ? point.exemplars[0] : undefined,
        ),
      );
      return;
    }
    const { count, sum } = point as HistogramPoint;
    let below = 0;
    let last = Number.NEGATIVE_INFINITY;
    for (const { bound, count: inBucket } of bucketsOf(metric, point)) {
      below += inBucket;
      const exemplar = exemplarBetween(point.exemplars, last, bound);
      last = bound;
      lines.push(this.#line(`${name}_bucket`, { ...labels, le: this.#boundText(bound) }, String(below), exemplar));
    }
    lines.push(this.#line(`${name}_sum`, labels, numberText(sum)), this.#line(`${name}_count`, labels, String(count)));
  }

  #line(name: string, labels: Labels, value: string, exemplar?: Exemplar): string {
    const shown = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
    const line = `${name}${shown.length > 0 ? `{${shown.join(',')}}` : ''} ${value}`;
    if (exemplar === undefined || !this.#options.openMetrics) return line;
    const { at, spanId, traceId } = exemplar;
    return `${line} # {trace_id="${traceId}",span_id="${spanId}"} ${numberText(exemplar.value)} ${(at / 1_000).toFixed(3)}`;
  }

  #boundText(bound: number): string {
    const text = numberText(bound);
    return this.#options.openMetrics && Number.isInteger(bound) && !text.includes('e') ? `${text}.0` : text;
  }
}

type Labels = Readonly<Record<string, string>>;

function typeOf(metric: CollectedMetric): Exclude<FamilyType, 'info'> {
  if (metric.shape === 'gauge') return 'gauge';
  if (metric.shape === 'sum') return metric.isMonotonic ? 'counter' : 'gauge';
  return 'histogram';
}

/** The labels of a point; those whose names become the same are joined, as the specification asks. */
function labelsOf({ attributes }: Pick<PointBase, 'attributes'>, own: Labels, type: FamilyType): Labels {
  const labels: Record<string, string> = Object.create(null);
  for (const [index, key] of attributes.keys.entries()) {
    const value = attributes.values[index];
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
    let name = prometheusLabelName(key);
    if (Object.hasOwn(own, name) || (type === 'histogram' && name === 'le')) name = `exported_${name}`;
    labels[name] = name in labels ? `${labels[name]};${text}` : text;
  }
  return { ...own, ...labels };
}

interface Bucket {
  /** Upper bound, inclusive. */
  readonly bound: number;
  readonly count: number;
}

function bucketsOf(metric: CollectedMetric, point: PointBase): Bucket[] {
  if (metric.shape === 'histogram') {
    return (point as HistogramPoint).buckets.map((count, index) => ({
      count,
      bound: metric.boundaries[index] ?? Number.POSITIVE_INFINITY,
    }));
  }
  const { buckets, count, offset, scale, zeroCount } = point as ExponentialPoint;
  const bounded = buckets.map((inBucket, index) => ({
    count: inBucket,
    bound: 2 ** ((offset + index + 1) * 2 ** -scale),
  }));
  const counted = bounded.reduce((sum, bucket) => sum + bucket.count, zeroCount);
  return [{ bound: 0, count: zeroCount }, ...bounded, { bound: Number.POSITIVE_INFINITY, count: count - counted }];
}

function exemplarBetween(exemplars: readonly Exemplar[], low: number, high: number): Exemplar | undefined {
  return exemplars.find(({ value }) => value > low && value <= high);
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
