import { type Context, createContextKey } from '@opentelemetry/api';

/**
 * The key under which OpenTelemetry's SDKs, and all versions of `@opentelemetry/core`, keep that nothing is to be
 * traced. Named here, because that package is 23 modules more to import.
 */
const KEY = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

export function suppressTracing(context: Context): Context {
  return context.setValue(KEY, true);
}

export function isTracingSuppressed(context: Context): boolean {
  return context.getValue(KEY) === true;
}
