import type { ExportResult } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';

const SUCCESS = 0;

interface ExporterClass {
  readonly prototype: SpanExporter;
}

export interface ExportCounting {
  readonly exporterClass: ExporterClass;
  /** Which spans are the application's. */
  readonly counts: (span: ReadableSpan) => boolean;
  /** Takes the place of sending, as the exporter would serialize. */
  readonly serialize: ((spans: ReadableSpan[]) => Uint8Array | undefined) | undefined;
}

/** Counts what a library gives to the OTLP exporter that it makes itself, and with `serialize` keeps it from sending. */
export class ExportCount {
  exported = 0;

  constructor({ counts, exporterClass, serialize }: ExportCounting) {
    const send = exporterClass.prototype.export;
    const add = (spans: ReadableSpan[], result: ExportResult): void => {
      if (result.code === SUCCESS) for (const span of spans) if (counts(span)) this.exported += 1;
    };
    exporterClass.prototype.export = function (spans, done) {
      const settle = (result: ExportResult): void => {
        add(spans, result);
        done(result);
      };
      if (serialize === undefined) send.call(this, spans, settle);
      else if ((serialize(spans)?.length ?? 0) > 0) settle({ code: SUCCESS });
    };
  }
}
