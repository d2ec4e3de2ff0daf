import type { Temporality } from '../processing/metric-model.ts';
import { integer, oneOf, text } from '../utils/option-checks.ts';
import { type Check, elementsOf, OptionReader } from '../utils/option-reader.ts';
import { describeKind } from '../utils/secret.ts';
import type { MetricOptions, MetricSettings, MetricView, MetricViewOptions } from './metric-options.ts';

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({
    intervalMillis: true,
    temporality: true,
    cardinalityLimit: true,
    exemplars: true,
    views: true,
  } satisfies Record<keyof MetricOptions, true>),
);
const KNOWN_VIEW: ReadonlySet<string> = new Set(
  Object.keys({
    instrument: true,
    meter: true,
    buckets: true,
    attributes: true,
    cardinalityLimit: true,
    drop: true,
  } satisfies Record<keyof MetricViewOptions, true>),
);
const MAX_VIEWS = 100;
const MAX_BOUNDARIES = 200;
const MAX_ATTRIBUTE_KEYS = 64;

export const TEMPORALITY: Check<Temporality> = oneOf('cumulative', 'delta');
const INTERVAL = integer('metrics.intervalMillis');
const CARDINALITY = integer('metrics.cardinalityLimit');
const FLAG = oneOf(true, false);
const NAME = text(255);
const ATTRIBUTE_KEY = text(1_024);
const BUCKETS: Check<readonly number[] | 'exponential'> = {
  accepted: `up to ${MAX_BOUNDARIES} rising numbers or "exponential"`,
  parse: (value) => (value === 'exponential' ? value : readBoundaries(value)),
  describe: describeKind,
};

/** `base` with what `metrics` gives; `base` itself when that is nothing. */
export function readMetrics(reader: OptionReader, base: MetricSettings): MetricSettings {
  const own = reader.open('metrics', KNOWN);
  if (own === undefined) return base;
  return Object.freeze({
    intervalMillis: own.read('intervalMillis', INTERVAL) ?? base.intervalMillis,
    temporality: own.read('temporality', TEMPORALITY) ?? base.temporality,
    cardinalityLimit: own.read('cardinalityLimit', CARDINALITY) ?? base.cardinalityLimit,
    exemplars: own.read('exemplars', FLAG) ?? base.exemplars,
    views: readViews(own) ?? base.views,
  });
}

/** Finite numbers, each above the one before; copied. `undefined` for anything else. May throw what the value throws. */
export function readBoundaries(value: unknown): readonly number[] | undefined {
  const boundaries = elementsOf(value, MAX_BOUNDARIES);
  let last = Number.NEGATIVE_INFINITY;
  for (const boundary of boundaries ?? []) {
    if (typeof boundary !== 'number' || !Number.isFinite(boundary) || boundary <= last) return undefined;
    last = boundary;
  }
  return boundaries && Object.freeze([...boundaries] as number[]);
}

function readViews(own: OptionReader): readonly MetricView[] | undefined {
  const given = own.get('views');
  if (given === undefined) return undefined;
  const path = own.pathOf('views');
  const list = elementsOf(given, MAX_VIEWS);
  if (list === undefined) {
    own.issues.add(path, `an array of up to ${MAX_VIEWS} views`, describeKind(given));
    return undefined;
  }
  const views = list.map((view, index) => readView(own, view, `${path}[${index}]`));
  return Object.freeze(views.filter((view) => view !== undefined));
}

/** A view counts as a whole: half of one would put together what was to be kept apart, or the other way round. */
function readView({ issues }: OptionReader, given: unknown, path: string): MetricView | undefined {
  const before = issues.count;
  const reader = OptionReader.open(given, path, KNOWN_VIEW, issues);
  const instrument = reader?.read('instrument', NAME);
  if (instrument === undefined && issues.count === before) issues.add(`${path}.instrument`, NAME.accepted, 'undefined');
  if (reader === undefined || instrument === undefined) return undefined;
  const view = Object.freeze({
    instrument: instrument.toLowerCase(),
    meter: reader.read('meter', NAME),
    buckets: reader.read('buckets', BUCKETS),
    attributes: reader.readList('attributes', ATTRIBUTE_KEY, MAX_ATTRIBUTE_KEYS),
    cardinalityLimit: reader.read('cardinalityLimit', CARDINALITY),
    drop: reader.read('drop', FLAG) ?? false,
  });
  return issues.count === before ? view : undefined;
}
