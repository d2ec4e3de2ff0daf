import { type ByteRange, bytesEqual, EMPTY_RANGE, textOf } from './byte-range.ts';
import { checkMessage, createCheckStack, messageKind } from './check-message.ts';
import type { RowBatch } from './row-batch.ts';
import type { Scan, ScanOptions } from './scan.ts';
import { scanLogRecord } from './scan-log.ts';
import { scanMetric } from './scan-metric.ts';
import { scanSpan } from './scan-span.ts';
import { WireReader } from './wire-reader.ts';

const KEY_VALUE = messageKind('KeyValue');
const SCOPE = messageKind('Scope');
const SERVICE_NAME = Buffer.from('service.name');

const RESOURCE_DEPTH = 2;
const TAG_1 = (1 << 3) | 2;
const TAG_2 = (2 << 3) | 2;
const TAG_STRING_VALUE = TAG_1;

const SCANNERS = { traces: scanSpan, logs: scanLogRecord, metrics: scanMetric } as const;

/**
 * Checks every byte of an OTLP request in protobuf and fills `batch` with its rows. Throws `MalformedOtlpError` when
 * it is none; then nothing of it may be used.
 */
export function scanRequest(bytes: Uint8Array, batch: RowBatch, options: ScanOptions): void {
  batch.clear();
  const reader = new WireReader(bytes);
  const scan: Scan = { ...options, reader, batch, stack: createCheckStack() };
  const tenantKey = Buffer.from(options.tenantAttribute);
  const end = reader.end;
  while (reader.next()) {
    if (reader.tag !== TAG_1) continue;
    reader.enter();
    scanResourceRows(scan, tenantKey);
    reader.end = end;
  }
}

function scanResourceRows(scan: Scan, tenantKey: Uint8Array): void {
  const { reader, batch } = scan;
  const { at: start, end } = reader;
  const fromRow = batch.count;
  const found: ResourceAttributes = { service: EMPTY_RANGE, tenant: EMPTY_RANGE };
  let resource = EMPTY_RANGE;
  while (reader.next()) {
    if (reader.tag === TAG_1) {
      resource = { start: reader.start, stop: reader.stop };
      scanResource(scan, tenantKey, found);
    } else if (reader.tag === TAG_2) {
      scanScopeRows(scan);
    }
  }
  batch.resources.push({
    range: { start, stop: end },
    resource,
    service: found.service,
    tenant: found.tenant === EMPTY_RANGE ? undefined : textOf(reader.bytes, found.tenant),
    fromRow,
    toRow: batch.count,
  });
}

interface ResourceAttributes {
  service: ByteRange;
  tenant: ByteRange;
}

function scanResource(scan: Scan, tenantKey: Uint8Array, found: ResourceAttributes): void {
  const { reader, stack } = scan;
  const outerEnd = reader.end;
  reader.enter();
  const end = reader.end;
  while (reader.next()) {
    if (reader.tag !== TAG_1) continue;
    const { start, stop } = reader;
    checkMessage(reader, KEY_VALUE, stack, RESOURCE_DEPTH + 1);
    reader.at = start;
    reader.end = stop;
    let key = EMPTY_RANGE;
    let value = EMPTY_RANGE;
    while (reader.next()) {
      if (reader.tag === TAG_1) key = { start: reader.start, stop: reader.stop };
      else if (reader.tag === TAG_2) value = { start: reader.start, stop: reader.stop };
    }
    reader.at = stop;
    reader.end = end;
    if (bytesEqual(reader.bytes, key, SERVICE_NAME)) found.service = stringValue(reader, value);
    if (bytesEqual(reader.bytes, key, tenantKey)) found.tenant = stringValue(reader, value);
  }
  reader.end = outerEnd;
}

/** The text in an `AnyValue`, or nothing if it holds something else. Leaves the reader where it was. */
function stringValue(reader: WireReader, value: ByteRange): ByteRange {
  const { at, end } = reader;
  reader.at = value.start;
  reader.end = value.stop;
  let text = EMPTY_RANGE;
  while (reader.next())
    text = reader.tag === TAG_STRING_VALUE ? { start: reader.start, stop: reader.stop } : EMPTY_RANGE;
  reader.at = at;
  reader.end = end;
  return text;
}

function scanScopeRows(scan: Scan): void {
  const { reader, batch, stack } = scan;
  const outerEnd = reader.end;
  reader.enter();
  const { at: start, end } = reader;
  // The scope may come after the rows: it is looked for first.
  let scope = EMPTY_RANGE;
  while (reader.next()) {
    if (reader.tag !== TAG_1) continue;
    scope = { start: reader.start, stop: reader.stop };
    checkMessage(reader, SCOPE, stack, RESOURCE_DEPTH + 1);
  }
  const scanRow = SCANNERS[scan.signal];
  if (scan.signal !== 'metrics') batch.groups.push({ scope, metric: undefined });
  reader.at = start;
  reader.end = end;
  while (reader.next()) if (reader.tag === TAG_2) scanRow(scan, scope);
  reader.end = outerEnd;
}
