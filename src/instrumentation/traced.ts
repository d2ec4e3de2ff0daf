import { context as contextApi } from '@opentelemetry/api';
import { beginCall } from '../core/operations.ts';
import type { TracerBase } from '../core/tracer-base.ts';
import { TracerRuntime } from '../core/tracer-runtime.ts';
import { ownerIn } from '../processing/scope.ts';
import { createTraceFunction, type TraceFunction } from '../processing/trace-function.ts';

/** The tracer of the tenant that the running code works for, of whichever registry; `undefined` outside every tenant. */
export function currentTracer(): TracerBase | undefined {
  return currentRuntime()?.handle as TracerBase | undefined;
}

/**
 * Wraps functions and decorates methods as `registry.trace` does, for code that knows no registry, such as a library or
 * a module that is loaded before one exists: the tenant, and with it the registry, is found at each call. Outside every
 * tenant the function runs without a span.
 */
export const traced: TraceFunction = createTraceFunction((name, options, args) => {
  const runtime = currentRuntime();
  return runtime === undefined ? undefined : beginCall(runtime, name, options, args);
});

function currentRuntime(): TracerRuntime | undefined {
  const owner = ownerIn(contextApi.active());
  return owner instanceof TracerRuntime ? owner : undefined;
}
