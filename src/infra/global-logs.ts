import { createRequire } from 'node:module';

const PACKAGE = '@opentelemetry/api-logs';

interface LogsApi {
  getLoggerProvider(): unknown;
  setGlobalLoggerProvider(provider: object): unknown;
  disable(): void;
}

/**
 * Makes `provider` the global one of the optional peer `@opentelemetry/api-logs`, unless that is not installed or has
 * another one. Answers a function that takes it out again.
 */
export function registerLoggerProvider(
  provider: object,
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
    return (load(PACKAGE) as { readonly logs: LogsApi }).logs;
  } catch {
    return undefined;
  }
}
