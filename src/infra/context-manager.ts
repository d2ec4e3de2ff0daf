import { context as contextApi, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';

/**
 * Makes sure that OpenTelemetry's context follows asynchronous code: keeps the host's context manager if there is one,
 * else registers one. One for the process, never one for each tenant: each further storage slows down every `await`.
 *
 * @throws Error when one is registered that does nothing: no tenant can then be found by the code that runs for it
 */
export function ensureContextManager(): void {
  if (followsContext()) return;
  contextApi.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  if (!followsContext()) throw new Error('the registered OpenTelemetry context manager does not keep a context');
}

function followsContext(): boolean {
  const key = createContextKey('isotrace.probe');
  return contextApi.with(ROOT_CONTEXT.setValue(key, true), () => contextApi.active().getValue(key) === true);
}
