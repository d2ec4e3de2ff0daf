import { createRequire } from 'node:module';
import { context } from '@opentelemetry/api';
import type { Logger } from '@opentelemetry/api-logs';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchLogRecordProcessor,
  LoggerProvider,
  type LogRecordExporter,
  type ReadableLogRecord,
} from '@opentelemetry/sdk-logs';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { eightAttributes } from '../support/workload.ts';
import type { SignalPeer } from './signal-peer.ts';

const serializer = (
  createRequire(import.meta.url)('@opentelemetry/otlp-transformer') as {
    ProtobufLogsSerializer: { serializeRequest(records: ReadableLogRecord[]): Uint8Array };
  }
).ProtobufLogsSerializer;

/** Serializes as the OTLP exporter does, sends nothing, and succeeds at once. */
class EncodingExporter implements LogRecordExporter {
  exported = 0;

  export(records: ReadableLogRecord[], done: (result: ExportResult) => void): void {
    const encoded = serializer.serializeRequest(records);
    this.exported += records.length;
    done({ code: encoded.length > 0 ? ExportResultCode.SUCCESS : ExportResultCode.FAILED });
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}

/** OpenTelemetry's own SDK for logs: a provider, a batch processor and the protobuf serializer. */
export function openStockSignals(): SignalPeer {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const exporter = new EncodingExporter();
  const resource = defaultResource().merge(resourceFromAttributes({ 'service.name': 'bench' }));
  const provider = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter })] });
  const logger = provider.getLogger('bench');
  const tracer = new TracerProvider().getTracer('bench');
  return {
    log: (kind, count) => {
      if (kind === 'plain') return logPlain(logger, count);
      return tracer.startActiveSpan('parent', (span) => {
        for (let turn = 0; turn < count; turn++) {
          const attributes = eightAttributes(turn) as Record<string, string | number | boolean>;
          logger.emit({ severityNumber: 9, severityText: 'INFO', body: 'order placed', attributes });
        }
        span.end();
        return count;
      });
    },
    encoded: () => provider.forceFlush(),
    flush: () => provider.forceFlush(),
    exported: () => exporter.exported,
  };
}

function logPlain(logger: Logger, count: number): number {
  for (let turn = 0; turn < count; turn++) {
    logger.emit({ severityNumber: 9, severityText: 'INFO', body: 'order placed' });
  }
  return count;
}
