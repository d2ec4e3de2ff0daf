import { type ByteRange, EMPTY_RANGE, textOf } from './byte-range.ts';
import { checkMessage, messageKind } from './check-message.ts';
import type { MessageName } from './otlp-schema.ts';
import { METRIC_TYPES, type MetricHeader, type MetricType } from './row-batch.ts';
import type { Scan } from './scan.ts';
import { NANOS_PER_MILLI } from './scan-record.ts';

const DEPTH = 5;

const NAME = (1 << 3) | 2;
const DESCRIPTION = (2 << 3) | 2;
const UNIT = (3 << 3) | 2;

const POINTS = (1 << 3) | 2;
const TEMPORALITY = 2 << 3;
const MONOTONIC = 3 << 3;

const TIME = (3 << 3) | 1;
const AS_DOUBLE = (4 << 3) | 1;
const AS_INT = (6 << 3) | 1;
const SUM = (5 << 3) | 1;

const TEMPORALITIES = ['unspecified', 'delta', 'cumulative'] as const;
const METRIC = messageKind('Metric');
const POINT_MESSAGES: Readonly<Record<MetricType, MessageName>> = {
  gauge: 'NumberPoint',
  sum: 'NumberPoint',
  histogram: 'HistogramPoint',
  exponentialHistogram: 'ExponentialPoint',
  summary: 'SummaryPoint',
};
const TYPE_TAGS: ReadonlyMap<number, MetricType> = new Map([
  [(5 << 3) | 2, 'gauge'],
  [(7 << 3) | 2, 'sum'],
  [(9 << 3) | 2, 'histogram'],
  [(10 << 3) | 2, 'exponentialHistogram'],
  [(11 << 3) | 2, 'summary'],
]);

/** Reads the metric that the reader's current field holds: one row for each of its data points. */
export function scanMetric(scan: Scan, scope: ByteRange): void {
  const { reader, batch, stack } = scan;
  const outerEnd = reader.end;
  const { start, stop } = reader;
  checkMessage(reader, METRIC, stack, DEPTH - 2);
  reader.at = start;
  reader.end = stop;
  let name = EMPTY_RANGE;
  let description = EMPTY_RANGE;
  let unit = EMPTY_RANGE;
  let type: MetricType = 'gauge';
  let data = EMPTY_RANGE;
  while (reader.next()) {
    const range = { start: reader.start, stop: reader.stop };
    if (reader.tag === NAME) name = range;
    else if (reader.tag === DESCRIPTION) description = range;
    else if (reader.tag === UNIT) unit = range;
    const found = TYPE_TAGS.get(reader.tag);
    if (found === undefined) continue;
    type = found;
    data = range;
  }
  const { bytes } = reader;
  const header = {
    name: textOf(bytes, name),
    description: textOf(bytes, description),
    unit: textOf(bytes, unit),
    type,
  };
  const group = batch.groups.length;
  const points = scanPoints(scan, data, type, (row) => {
    batch.nameStart[row] = name.start;
    batch.nameStop[row] = name.stop;
    batch.group[row] = group;
  });
  batch.groups.push({ scope, metric: { ...header, ...points } });
  reader.at = stop;
  reader.end = outerEnd;
}

/** Adds the rows of the points in a `Gauge`, `Sum` …; returns what is said about all of them. */
function scanPoints(
  scan: Scan,
  data: ByteRange,
  type: MetricType,
  name: (row: number) => void,
): Pick<MetricHeader, 'temporality' | 'monotonic'> {
  const { reader, batch } = scan;
  let temporality: MetricHeader['temporality'] = 'unspecified';
  let monotonic = false;
  reader.at = data.start;
  reader.end = data.stop;
  while (reader.next()) {
    if (reader.tag === TEMPORALITY) temporality = TEMPORALITIES[reader.low] ?? 'unspecified';
    else if (reader.tag === MONOTONIC) monotonic = reader.low !== 0;
    if (reader.tag !== POINTS) continue;
    const { start, stop, end } = reader;
    const row = batch.add();
    const isNumber = POINT_MESSAGES[type] === 'NumberPoint';
    let time = 0;
    let value = 0;
    reader.enter();
    while (reader.next()) {
      if (reader.tag === TIME) time = reader.unsigned;
      else if (isNumber && reader.tag === AS_DOUBLE) value = reader.double;
      else if (isNumber && reader.tag === AS_INT) value = Number(reader.bigSigned);
      else if (!isNumber && reader.tag === SUM) value = reader.double;
    }
    reader.end = end;
    batch.time[row] = time > 0 ? time / NANOS_PER_MILLI : scan.receivedAt;
    batch.value[row] = value;
    batch.start[row] = start;
    batch.stop[row] = stop;
    batch.traceAt[row] = 0;
    batch.flags[row] = METRIC_TYPES.indexOf(type);
    name(row);
  }
  return { temporality, monotonic };
}
