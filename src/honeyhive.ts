import { context as contextApi } from '@opentelemetry/api';
import { ownerOf, type TracedFunction, type TraceFunctionOptions, traceCalls } from './compat/honeyhive-call.ts';
import type { EnrichSessionParams, EnrichSpanParams } from './compat/honeyhive-params.ts';
import { HoneyHiveTracer } from './compat/honeyhive-tracer.ts';

export type { TracedFunction, TraceFunctionOptions } from './compat/honeyhive-call.ts';
export type { HoneyHiveTracerProperties } from './compat/honeyhive-options.ts';
export type { EnrichSessionParams, EnrichSpanParams, SessionParams } from './compat/honeyhive-params.ts';
export { HoneyHiveTracer } from './compat/honeyhive-tracer.ts';

/**
 * As of {@link HoneyHiveTracer}, for code that has no tracer at hand: the one whose traced code, `trace` or `withSession` is
 * running when the wrapped function is called. Outside of all of them it runs as if it were not wrapped.
 */
export function traceFunction(options: TraceFunctionOptions = {}): <F extends TracedFunction>(fn: F) => F {
  return traceCalls(current, options);
}

/** As {@link traceFunction}, for calls of models. */
export function traceModel<F extends TracedFunction>(fn: F, options: Omit<TraceFunctionOptions, 'eventType'> = {}): F {
  return traceCalls(current, options, 'model')(fn);
}

/** As {@link traceFunction}, for tools. */
export function traceTool<F extends TracedFunction>(fn: F, options: Omit<TraceFunctionOptions, 'eventType'> = {}): F {
  return traceCalls(current, options, 'tool')(fn);
}

/** As {@link traceFunction}, for steps of a chain. */
export function traceChain<F extends TracedFunction>(fn: F, options: Omit<TraceFunctionOptions, 'eventType'> = {}): F {
  return traceCalls(current, options, 'chain')(fn);
}

/** Adds to the active span of the tracer whose code is running. Answers whether there was one. */
export function enrichSpan(params: EnrichSpanParams = {}): boolean {
  return HoneyHiveTracer.enrichSpan(params);
}

/** Adds to a session of the tracer whose code is running. Answers whether HoneyHive took it. */
export async function enrichSession(params: EnrichSessionParams = {}): Promise<boolean> {
  return (await current()?.enrichSession(params)) ?? false;
}

function current(): HoneyHiveTracer | undefined {
  const owner = ownerOf(contextApi.active());
  return owner instanceof HoneyHiveTracer ? owner : undefined;
}
