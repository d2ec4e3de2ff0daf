import { context as contextApi } from '@opentelemetry/api';
import type { TracerRegistry } from './core/registry.ts';
import { TracerBase } from './core/tracer-base.ts';
import { createLogSink, type LogSinkTarget } from './integration/log-sink.ts';
import { type PinoLineSettings, parsePinoLine } from './integration/pino-line.ts';
import { activeSpanFields } from './integration/trace-fields.ts';

export type { LogSinkTarget } from './integration/log-sink.ts';

/** As pino's own options of the same names; a logger that changes them has to say so here too. */
export interface PinoStreamOptions {
  /** Default: `msg`. */
  readonly messageKey?: string | undefined;
  /** Default: `err`. */
  readonly errorKey?: string | undefined;
}

/** A destination of a pino logger, by itself or as one of `pino.multistream`. */
export interface PinoStream {
  /** For pino: one line. */
  write(line: string): void;
}

const LOGGER = 'pino';

/**
 * A stream for a pino logger that makes a log record of each line: with a registry, of the tenant that the code which
 * logs works for. Levels, bindings, error objects and time are kept; what the logger redacts stays redacted. It runs
 * where the line is logged: a pino *transport* runs in another thread, which knows nothing of tenants. Never throws.
 */
export function pinoStream(target: LogSinkTarget, options: PinoStreamOptions = {}): PinoStream {
  const sink = createLogSink(target);
  const settings: PinoLineSettings = { messageKey: options.messageKey ?? 'msg', errorKey: options.errorKey ?? 'err' };
  return {
    write: (chunk) => {
      for (const line of String(chunk).split('\n')) {
        if (line === '') continue;
        const { entry, name } = parsePinoLine(line, settings);
        sink(entry, name ?? LOGGER);
      }
    },
  };
}

/**
 * A `mixin` for a pino logger whose lines go elsewhere: adds `trace_id`, `span_id` and `trace_flags` of the tenant's own
 * active span to each line, and with `tenant: true` the tenant's id. Outside every tenant it adds nothing. Never throws.
 */
export function pinoMixin(
  target: LogSinkTarget,
  { tenant = false }: { readonly tenant?: boolean | undefined } = {},
): () => Record<string, string> {
  return () => {
    const tracer = target instanceof TracerBase ? target : (target as TracerRegistry<TracerBase>).current();
    if (tracer === undefined) return {};
    return activeSpanFields(TracerBase.runtimeOf(tracer), contextApi.active(), tenant);
  };
}
