import { createRequire } from 'node:module';
import * as api from '@opentelemetry/api';

const PACKAGE = '@opentelemetry/api-logs';

/** The Logs API, as far as it is used: part of `@opentelemetry/api` since 1.10, before that a package of its own. */
interface LogsLibrary {
  readonly logs?: Pick<typeof import('@opentelemetry/api-logs')['logs'], 'getLoggerProvider' | 'disable'> & {
    setGlobalLoggerProvider(provider: LoggerProvider): unknown;
  };
}
type LoggerProvider = ReturnType<typeof import('@opentelemetry/api-logs')['logs']['getLoggerProvider']>;

/**
 * Makes `provider` the global one of `@opentelemetry/api`, if that has logs, and of the optional peer
 * `@opentelemetry/api-logs`, if that is installed; not where somebody has another one. The two keep it in different
 * places, and libraries ask the one that they know. Answers a function that takes it out again.
 */
export function registerLoggerProvider(
  provider: LoggerProvider,
  load: (specifier: string) => unknown = createRequire(import.meta.url),
): () => void {
  const undo = [api as LogsLibrary, loadPackage(load)].map((library) => registerWith(library, provider));
  return () => {
    for (const each of undo) each();
  };
}

function registerWith({ logs }: LogsLibrary, provider: LoggerProvider): () => void {
  logs?.setGlobalLoggerProvider(provider);
  return () => {
    // Somebody else may have the place, or have taken it meanwhile.
    if (logs?.getLoggerProvider() === provider) logs.disable();
  };
}

function loadPackage(load: (specifier: string) => unknown): LogsLibrary {
  try {
    return load(PACKAGE) as LogsLibrary;
  } catch {
    return {};
  }
}
