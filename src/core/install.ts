import { type MeterProvider, metrics, propagation, type TracerProvider, trace } from '@opentelemetry/api';
import { type ApiConflict, describeConflict, findApiConflict } from '../infra/global-api.ts';
import { registerLoggerProvider } from '../infra/global-logs.ts';
import { datadogSendsTraceparent, detectGlobalSdk, type GlobalSdk, isRegisteredProvider } from '../infra/global-sdk.ts';
import { registerSlot } from '../infra/register-slot.ts';
import type { ApiLoggerProvider } from './log-provider.ts';
import type { IncomingTrust } from './propagation.ts';
import { RoutingPropagator } from './routing-propagator.ts';
import { shareContextManager, takeContextManager } from './shared-context-manager.ts';
import type { SpanRouter } from './span-router.ts';

/**
 * How a registry takes part in a process in which others may have registered an SDK.
 *
 * - `'own'`: its routing provider and propagator become OpenTelemetry's global ones, in place of what was there; so does
 *   its logger provider, of `@opentelemetry/api` from 1.10 on and of the package `@opentelemetry/api-logs` where that is
 *   there, and its meter provider, each unless somebody else has registered one.
 * - `'join'`: the SDK that owns the globals keeps them; the host adds `createSpanProcessor(registry)` to it.
 * - `'isolated'`: nothing global changes; only the given instrumentations go through the registry.
 * - `'auto'`: `'own'` when nobody owns the globals; `'isolated'` beside another registry, and beside Datadog, whose own
 *   instrumentations pass span processors by; else `'join'`.
 *
 * Where another version of `@opentelemetry/api` was the first to register something, ours may not: `'own'` is `'isolated'`
 * then.
 */
export type InstallStrategy = 'auto' | 'own' | 'join' | 'isolated';

/** What isotrace uses of an OpenTelemetry instrumentation. */
export interface InstrumentationLike {
  /** Gets the router, which gives each span to its tenant. */
  setTracerProvider(provider: TracerProvider): void;
  /** Gets the router, which gives each measurement to its tenant. */
  setMeterProvider?(provider: MeterProvider): void;
  /** Called after the providers were given. */
  enable(): void;
  /** Called by `uninstall`. */
  disable(): void;
}

/** What is installed, and how. */
export interface InstallOptions {
  /**
   * OpenTelemetry instrumentations, also in nested arrays as `getNodeAutoInstrumentations()` returns them. They are
   * enabled, and send to the tenant of the code that they watch. Default: none beside those of `isotrace/register`.
   */
  readonly instrumentations?: readonly (InstrumentationLike | readonly InstrumentationLike[])[] | undefined;
  /** Whether OpenTelemetry's globals become the registry's. Default: `'auto'`, by who has them. */
  readonly strategy?: InstallStrategy | undefined;
  /**
   * What an inbound trace context is good for, with the strategy `'own'`. At public endpoints prefer `'link'`.
   * Default: `'parent'`.
   */
  readonly incoming?: IncomingTrust | undefined;
}

/** What `install` came to; also in `health()`. */
export interface InstallationHealth {
  readonly strategy: Exclude<InstallStrategy, 'auto'>;
  /** Who owned the globals before. */
  readonly found: GlobalSdk;
  /** What the host should know or do; absent when all is well. */
  readonly advice?: string;
}

/** What {@link TracerRegistry.install} has done. */
export interface Installation extends InstallationHealth {
  /**
   * Takes everything out again, but does not bring back what was there before. Spans that wait for their tenant are
   * settled.
   */
  uninstall(): void;
}

const STRATEGIES: readonly InstallStrategy[] = ['auto', 'own', 'join', 'isolated'];
const TRUSTS: readonly IncomingTrust[] = ['parent', 'link', 'ignore'];

const TWO_PROPAGATORS =
  `Datadog's tracer may send a second traceparent with the same requests, and receivers take two for none: ` +
  'set DD_TRACE_PROPAGATION_STYLE_INJECT=datadog';

/** What was done, with advice in parts. */
export interface Installed extends Omit<InstallationHealth, 'advice'> {
  /** Until the host has a span processor of the registry. */
  readonly joinAdvice: string | undefined;
  readonly notes: readonly string[];
  uninstall(): void;
}

/** The providers of the other signals. */
export interface OtherProviders {
  readonly logs: ApiLoggerProvider;
  readonly meters: MeterProvider;
}

/** Puts a registry's router where instrumentations look for a provider. Never throws. */
export function install(router: SpanRouter, options: InstallOptions, others: OtherProviders): Installed {
  const { guard } = router;
  const found = detectGlobalSdk();
  const conflict = guard.run('api', 'version', findApiConflict, undefined);
  const strategy = resolveStrategy(oneOf(options.strategy, STRATEGIES, 'auto'), found, conflict);
  const undo: (() => void)[] = [];
  const step = (operation: string, change: () => () => void): void => {
    guard.run('api', operation, () => void undo.push(change()), undefined);
  };
  const slot = registerSlot();
  // The host may have started its SDK since the registry was made.
  const takeContexts = strategy === 'own' ? takeContextManager : shareContextManager;
  guard.run('context', 'contextManager', takeContexts, undefined);
  const given = guard.run('api', 'instrumentations', () => listOf(options.instrumentations), []);
  if (strategy === 'own') step('install', () => takeGlobals(router, oneOf(options.incoming, TRUSTS, 'parent'), found));
  if (strategy === 'own') step('install logs', () => registerLoggerProvider(others.logs));
  if (strategy === 'own') step('install metrics', () => registerMeterProvider(others.meters));
  if (strategy !== 'join') {
    router.isOpen = true;
    undo.push(() => {
      router.isOpen = false;
    });
    const early = slot === undefined || slot.taken ? [] : slot.instrumentations;
    if (slot !== undefined && early.length > 0) {
      slot.taken = true;
      undo.push(() => {
        slot.taken = false;
      });
    }
    for (const instrumentation of new Set([...listOf(early), ...given])) {
      step('instrumentation', () => attach(instrumentation, router, others));
    }
  }
  const isLeftOut = strategy === 'join' && given.length > 0;
  const notes = [
    noteOf(strategy, found),
    conflict && `${describeConflict(conflict)}: bring both to one version, or code without a list goes to no tenant`,
    strategy !== 'join' && datadogSendsTraceparent() ? TWO_PROPAGATORS : undefined,
    isLeftOut ? 'the instrumentations that were given are left alone: those of that SDK do their work' : undefined,
    slot?.problem,
  ];
  return {
    strategy,
    found,
    joinAdvice: strategy === 'join' ? joinAdviceFor(found) : undefined,
    notes: notes.filter((note) => note !== undefined),
    uninstall: () => {
      for (const back of undo.splice(0).reverse()) guard.run('api', 'uninstall', back, undefined);
    },
  };
}

function resolveStrategy(
  wanted: InstallStrategy,
  found: GlobalSdk,
  conflict: ApiConflict | undefined,
): Exclude<InstallStrategy, 'auto'> {
  // Taking the globals from those who have them would leave them to nobody.
  if (conflict !== undefined && (wanted === 'own' || found === 'none')) return 'isolated';
  if (wanted !== 'auto') return wanted;
  if (found === 'none') return 'own';
  return found === 'isotrace' || found === 'datadog' ? 'isolated' : 'join';
}

function joinAdviceFor(found: GlobalSdk): string {
  if (found === 'datadog')
    return `Datadog's instrumentations pass span processors by: use the strategy 'isolated' or 'own'`;
  if (found === 'none')
    return 'nobody owns the globals: add createSpanProcessor(registry) to the SDK that you start later';
  const place = found === 'sentry' ? 'openTelemetrySpanProcessors of Sentry.init' : `that SDK's span processors`;
  return `the globals belong to ${found}: add createSpanProcessor(registry) to ${place}`;
}

function noteOf(strategy: InstallStrategy, found: GlobalSdk): string | undefined {
  if (strategy === 'isolated' && found === 'isotrace') {
    return 'another registry is installed: only the instrumentations that were given here go to this one';
  }
  if (strategy === 'isolated' && found === 'datadog') {
    return 'the globals belong to datadog: only the instrumentations that were given here go to tenants';
  }
  if (strategy === 'own' && found !== 'none') return `the globals belonged to ${found}, which gets no more spans`;
  return undefined;
}

function takeGlobals(router: SpanRouter, incoming: IncomingTrust, found: GlobalSdk): () => void {
  if (found !== 'none') trace.disable();
  // Whoever registers a propagator without a provider has it replaced too: it would send what is not the tenant's.
  propagation.disable();
  trace.setGlobalTracerProvider(router);
  propagation.setGlobalPropagator(new RoutingPropagator(router.guard, incoming));
  return () => {
    // Somebody else may have taken the place meanwhile.
    if (!isRegisteredProvider(router)) return;
    trace.disable();
    propagation.disable();
  };
}

/** Unless somebody else has registered one. */
function registerMeterProvider(provider: MeterProvider): () => void {
  if (!metrics.setGlobalMeterProvider(provider)) return () => undefined;
  return () => {
    // Somebody else may have taken the place meanwhile.
    if (metrics.getMeterProvider() === provider) metrics.disable();
  };
}

function attach(instrumentation: InstrumentationLike, router: SpanRouter, { meters }: OtherProviders): () => void {
  instrumentation.setTracerProvider(router);
  instrumentation.setMeterProvider?.(meters);
  instrumentation.enable();
  return () => instrumentation.disable();
}

function listOf(given: unknown): InstrumentationLike[] {
  const flat: unknown[] = Array.isArray(given) ? given.flat(2) : [];
  return flat.filter((item): item is InstrumentationLike => {
    return typeof (item as Partial<InstrumentationLike> | null | undefined)?.setTracerProvider === 'function';
  });
}

function oneOf<T extends string>(value: unknown, accepted: readonly T[], fallback: T): T {
  return accepted.includes(value as T) ? (value as T) : fallback;
}
