import { AsyncLocalStorage } from 'node:async_hooks';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { suppressTracing } from '../utils/suppress-tracing.ts';

const UNTRACED = suppressTracing(ROOT_CONTEXT);

/**
 * Runs `fn` in the async context of loading this module, which is that of no request and of no tenant. Whatever it
 * starts neither belongs to the caller's request nor keeps it in memory.
 */
export const outsideOfRequests: <T>(fn: () => T) => T = AsyncLocalStorage.snapshot();

/** As `outsideOfRequests`, and with tracing suppressed: for the work of exporting, which must not lead to more of it. */
export function untraced<T>(fn: () => T): T {
  if (context.active() === UNTRACED) return fn();
  return outsideOfRequests(() => context.with(UNTRACED, fn));
}
