import type { DiagnosticLogger } from '../utils/diagnostics.ts';

const STDERR = 2;

/**
 * isotrace's own logger: pino on standard error, silent below `warn`. It is loaded when the first line is written, so
 * that a process without problems does not pay for it.
 */
export function createDefaultLogger(): DiagnosticLogger {
  let loading: Promise<DiagnosticLogger> | undefined;
  const write = (level: 'warn' | 'error', fields: object, message: string): void => {
    loading ??= import('pino').then(({ pino }) => pino({ name: 'isotrace', level: 'warn' }, pino.destination(STDERR)));
    loading.then(
      (logger) => logger[level](fields, message),
      () => undefined,
    );
  };
  return {
    debug: () => undefined,
    info: () => undefined,
    warn: (fields, message) => write('warn', fields, message),
    error: (fields, message) => write('error', fields, message),
  };
}
