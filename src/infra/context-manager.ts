import { type ContextManager, context as contextApi, createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { describeConflict, findApiConflict } from './global-api.ts';

/**
 * Makes sure that OpenTelemetry's context follows asynchronous code: keeps the host's context manager if there is one,
 * else registers one. One for the process, never one for each tenant: each further storage slows down every `await`.
 * Where another version of the API forbids that, the copy that isotrace uses gets one for itself.
 *
 * @throws Error when that was so, and when a context manager is registered that does nothing: no tenant can then be
 * found by the code that runs for it
 */
export function ensureContextManager(): void {
  if (followsContext()) return;
  const manager = new AsyncLocalStorageContextManager().enable();
  contextApi.setGlobalContextManager(manager);
  if (followsContext()) return;
  const conflict = findApiConflict();
  if (conflict === undefined) throw new Error('the registered OpenTelemetry context manager does not keep a context');
  keepOwnContext(manager);
  throw new Error(`${describeConflict(conflict)}: its context is kept apart`);
}

/** Only for those who use the same copy of the API, to whom nothing that is registered is of use. */
function keepOwnContext(manager: ContextManager): void {
  contextApi.active = () => manager.active();
  contextApi.with = (context, fn, self, ...args) => manager.with(context, fn, self, ...args);
  contextApi.bind = (context, target) => manager.bind(context, target);
}

function followsContext(): boolean {
  const key = createContextKey('isotrace.probe');
  return contextApi.with(ROOT_CONTEXT.setValue(key, true), () => contextApi.active().getValue(key) === true);
}
