import { type ContextManager, type TracerProvider, trace } from '@opentelemetry/api';
import { processVariables } from './environment.ts';

/** Whose tracer provider is registered with OpenTelemetry's API. */
export type GlobalSdk =
  /** Nobody's. */
  | 'none'
  /** One of ours, of this or another registry. */
  | 'isotrace'
  /** OpenTelemetry's own SDK: `NodeSDK`, `NodeTracerProvider`, `TracerProvider`. */
  | 'opentelemetry'
  | 'sentry'
  | 'datadog'
  /** Something else. */
  | 'other';

/** Marks our provider; shared by all copies of the package. */
export const IS_ISOTRACE_PROVIDER: unique symbol = Symbol.for('isotrace.provider') as never;

/** Finds out by what the registered provider shows of itself; nothing is called or changed. Never throws. */
export function detectGlobalSdk(): GlobalSdk {
  try {
    const provider = registeredProvider();
    if (provider === undefined) return 'none';
    if (IS_ISOTRACE_PROVIDER in provider) return 'isotrace';
    const processors = processorNames(provider);
    if ([provider.constructor.name, ...processors].some((name) => name.startsWith('Sentry'))) return 'sentry';
    if (processors.length > 0 || '_activeSpanProcessor' in provider) return 'opentelemetry';
    return hasDatadog() ? 'datadog' : 'other';
  } catch {
    return 'other';
  }
}

/** Whether Datadog's tracer was loaded, whoever owns the globals. */
export function hasDatadog(): boolean {
  return Symbol.for('dd-trace') in globalThis;
}

/** Whether Datadog's tracer, as far as its variables tell, writes W3C's `traceparent` into the requests that it watches. */
export function datadogSendsTraceparent(): boolean {
  if (!hasDatadog()) return false;
  const env = processVariables();
  const styles = env['DD_TRACE_PROPAGATION_STYLE_INJECT'] ?? env['DD_TRACE_PROPAGATION_STYLE'];
  return styles === undefined || styles.toLowerCase().includes('tracecontext');
}

/** The context manager behind the API; its own way to it is private. */
export function registeredContextManager(): ContextManager | undefined {
  const api = (globalThis as { readonly [key: symbol]: unknown })[Symbol.for('opentelemetry.js.api.1')];
  return (api as { readonly context?: ContextManager } | undefined)?.context;
}

/** Whether a context manager is the one that Datadog's provider registers. */
export function isDatadogContextManager(manager: ContextManager | undefined): manager is ContextManager {
  return hasDatadog() && manager?.constructor.name === 'ContextManager';
}

/** Whether a provider is the one that is registered. */
export function isRegisteredProvider(provider: TracerProvider): boolean {
  return registeredProvider() === provider;
}

/** The provider behind the API's proxy, if one was registered. */
function registeredProvider(): TracerProvider | undefined {
  const provider = trace.getTracerProvider() as TracerProvider & { getDelegate?(): TracerProvider };
  const delegate = provider.getDelegate?.() ?? provider;
  return delegate.constructor.name === 'NoopTracerProvider' ? undefined : delegate;
}

/** Classes of the span processors of an OpenTelemetry SDK's provider; older Sentry SDKs are one with a processor of theirs. */
function processorNames(provider: object): string[] {
  const { _activeSpanProcessor: active } = provider as {
    _activeSpanProcessor?: { _spanProcessors?: readonly object[] };
  };
  return (active?._spanProcessors ?? []).map((processor) => processor.constructor.name);
}
