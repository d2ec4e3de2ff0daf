import { type TracerProvider, trace } from '@opentelemetry/api';

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
    return Symbol.for('dd-trace') in globalThis ? 'datadog' : 'other';
  } catch {
    return 'other';
  }
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
