import { systemClock } from '../../../utils/clock.ts';
import { MalformedOtlpError } from '../../otlp/malformed.ts';
import { jsonToProtobuf } from '../../otlp/otlp-json.ts';
import { RowBatch } from '../../otlp/row-batch.ts';
import { scanRequest } from '../../otlp/scan-request.ts';
import { decodeUtf8 } from '../../otlp/utf8.ts';
import { Segment } from '../ring/segment.ts';
import type { AppendRequest, AppendResult } from '../telemetry-store.ts';
import type { ClickHouseClient } from './client.ts';
import { toStoreError } from './client-error.ts';
import { encodeRow } from './encode-rows.ts';

export type RowWriter = (request: AppendRequest) => Promise<AppendResult>;

export interface RowWriterOptions {
  readonly client: ClickHouseClient;
  readonly tenantAttribute: string;
  readonly asyncInsert: boolean;
}

const ASYNC_INSERT = { async_insert: 1, wait_for_async_insert: 1 };

/** Writes OTLP requests as rows, one insert for each table that they go to. */
export function createRowWriter({ client, tenantAttribute, asyncInsert }: RowWriterOptions): RowWriter {
  const batch = new RowBatch();

  /** The rows by table. Nothing is awaited here: the batch is shared. */
  function readRows(request: AppendRequest): {
    tables: Map<string, object[]>;
    accepted: number;
    rejected: number;
    message: string;
  } {
    const { signal, format, bytes: body, tenantOf } = request;
    const receivedAt = systemClock.now();
    const bytes = format === 'json' ? jsonToProtobuf(decodeUtf8(body), signal) : body;
    scanRequest(bytes, batch, { signal, tenantAttribute, receivedAt });
    const receivedNanos = BigInt(Math.round(receivedAt)) * 1_000_000n;
    const tables = new Map<string, object[]>();
    let { rejected, rejectedBecause: message } = batch;
    let accepted = 0;
    for (const rows of batch.resources) {
      const tenant = tenantOf(rows.tenant);
      if (tenant === undefined) {
        rejected += rows.toRow - rows.fromRow;
        message = 'the tenant is not allowed';
        continue;
      }
      const segment = new Segment(tenant, signal, 0);
      segment.append(bytes, batch, rows);
      accepted += segment.count;
      for (let row = 0; row < segment.count; row += 1) {
        const { table, row: values } = encodeRow(segment.recordAt(row), tenantAttribute, receivedNanos);
        const list = tables.get(table);
        if (list === undefined) tables.set(table, [values]);
        else list.push(values);
      }
    }
    return { tables, accepted, rejected, message };
  }

  return async (request) => {
    let read: ReturnType<typeof readRows>;
    try {
      read = readRows(request);
    } catch (error) {
      if (error instanceof MalformedOtlpError) return { outcome: 'malformed', message: error.message };
      throw error;
    }
    const { tables, accepted, rejected, message } = read;
    try {
      for (const [table, values] of tables) {
        const settings = asyncInsert ? { clickhouse_settings: ASYNC_INSERT } : {};
        await client.insert({ table, values, format: 'JSONEachRow', ...settings });
      }
    } catch (error) {
      return { outcome: 'overloaded', message: toStoreError(error).message };
    }
    return { outcome: 'stored', accepted, rejected, message: rejected > 0 ? message : '' };
  };
}
