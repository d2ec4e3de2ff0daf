import { createRequire } from 'node:module';

const PACKAGE = '@opentelemetry/api-logs';

/** The optional peer `@opentelemetry/api-logs`, as far as it is used. */
type LogsLibrary = Pick<typeof import('@opentelemetry/api-logs'), 'logs'>;
type LogsApi = LogsLibrary['logs'];

/**
 * Makes `provider` the global one of the optional peer `@opentelemetry/api-logs`, unless that is not installed or has
 * another one. Answers a function that takes it out again.
 */
export function registerLoggerProvider(
  provider: ReturnType<LogsApi['getLoggerProvider']>,
  load: (specifier: string) => unknown = createRequire(import.meta.url),
): () => void {
  const api = loadLogsApi(load);
  if (api?.setGlobalLoggerProvider(provider) !== provider) return () => undefined;
  return () => {
    // Somebody else may have taken the place meanwhile.
    if (api.getLoggerProvider() === provider) api.disable();
  };
}

function loadLogsApi(load: (specifier: string) => unknown): LogsApi | undefined {
  try {
    return (load(PACKAGE) as LogsLibrary).logs;
  } catch {
    return undefined;
  }
}
