import { propagation, type TracerProvider, trace } from '@opentelemetry/api';
import { detectGlobalSdk, type GlobalSdk } from '../infra/global-sdk.ts';
import type { Guard } from '../utils/guard.ts';
import type { IncomingTrust } from './propagation.ts';
import { RoutingPropagator } from './routing-propagator.ts';
import type { SpanRouter } from './span-router.ts';

/**
 * How a registry takes part in a process in which others may have registered an SDK.
 *
 * - `'own'`: its routing provider and propagator become OpenTelemetry's global ones, in place of what was there.
 * - `'join'`: the SDK that owns the globals keeps them; the host adds `createSpanProcessor(registry)` to it.
 * - `'isolated'`: nothing global changes; only the given instrumentations go through the registry.
 * - `'auto'`: `'own'` when nobody owns the globals, else `'join'`; `'isolated'` when another registry does.
 */
export type InstallStrategy = 'auto' | 'own' | 'join' | 'isolated';

/** What isotrace uses of an OpenTelemetry instrumentation. */
export interface InstrumentationLike {
  setTracerProvider(provider: TracerProvider): void;
  enable(): void;
  disable(): void;
}

export interface InstallOptions {
  /**
   * OpenTelemetry instrumentations, also in nested arrays as `getNodeAutoInstrumentations()` returns them. They are
   * enabled, and send to the tenant of the code that they watch. Default: none beside those of `isotrace/register`.
   */
  readonly instrumentations?: readonly (InstrumentationLike | readonly InstrumentationLike[])[] | undefined;
  /** Default: `'auto'`. */
  readonly strategy?: InstallStrategy | undefined;
  /** What an inbound trace context is good for. At public endpoints prefer `'link'`. Default: `'parent'`. */
  readonly incoming?: IncomingTrust | undefined;
}

/** What `install` came to. */
export interface Installation {
  readonly strategy: Exclude<InstallStrategy, 'auto'>;
  /** Who owned the globals before. */
  readonly found: GlobalSdk;
  /** What the host should know or do; absent when all is well. */
  readonly advice?: string;
  /** Takes everything out again. Spans that wait for their tenant are settled. */
  uninstall(): void;
}

export interface InstallParts {
  readonly guard: Guard;
  readonly router: SpanRouter;
}

const STRATEGIES: readonly InstallStrategy[] = ['auto', 'own', 'join', 'isolated'];
const TRUSTS: readonly IncomingTrust[] = ['parent', 'link', 'ignore'];

/** Puts a registry's router where instrumentations look for a provider. Never throws. */
export function install({ guard, router }: InstallParts, options: InstallOptions): Installation {
  const found = detectGlobalSdk();
  const strategy = resolveStrategy(oneOf(options.strategy, STRATEGIES, 'auto'), found);
  const undo: (() => void)[] = [];
  if (strategy === 'own') {
    guard.run(
      'api',
      'install',
      () => undo.push(...takeGlobals(guard, router, oneOf(options.incoming, TRUSTS, 'parent'), found)),
      0,
    );
  }
  if (strategy !== 'join') {
    for (const instrumentation of listOf(options.instrumentations)) {
      guard.run('api', 'instrumentation', () => undo.push(attach(instrumentation, router)), 0);
    }
  }
  const advice = adviceFor(strategy, found);
  return {
    strategy,
    found,
    ...(advice !== undefined && { advice }),
    uninstall: () => {
      for (const step of undo.splice(0).reverse()) guard.run('api', 'uninstall', step, undefined);
    },
  };
}

function resolveStrategy(wanted: InstallStrategy, found: GlobalSdk): Exclude<InstallStrategy, 'auto'> {
  if (wanted !== 'auto') return wanted;
  if (found === 'none') return 'own';
  return found === 'isotrace' ? 'isolated' : 'join';
}

function adviceFor(strategy: InstallStrategy, found: GlobalSdk): string | undefined {
  if (strategy === 'join') {
    return `the globals belong to ${found}: add createSpanProcessor(registry) to the span processors of that SDK`;
  }
  if (strategy === 'isolated' && found === 'isotrace') {
    return 'another registry is installed: only the instrumentations that were given here go to this one';
  }
  if (strategy === 'own' && found !== 'none') return `the globals belonged to ${found}, which gets no more spans`;
  return undefined;
}

function takeGlobals(guard: Guard, router: SpanRouter, incoming: IncomingTrust, found: GlobalSdk): (() => void)[] {
  if (found !== 'none') {
    trace.disable();
    propagation.disable();
  }
  const undo: (() => void)[] = [];
  if (trace.setGlobalTracerProvider(router)) undo.push(() => trace.disable());
  if (propagation.setGlobalPropagator(new RoutingPropagator(guard, incoming))) undo.push(() => propagation.disable());
  return undo;
}

function attach(instrumentation: InstrumentationLike, router: SpanRouter): () => void {
  instrumentation.setTracerProvider(router);
  instrumentation.enable();
  return () => instrumentation.disable();
}

function listOf(given: unknown): InstrumentationLike[] {
  const flat: unknown[] = Array.isArray(given) ? given.flat(2) : [];
  return flat.filter((item): item is InstrumentationLike => typeof Object(item).setTracerProvider === 'function');
}

function oneOf<T extends string>(value: unknown, accepted: readonly T[], fallback: T): T {
  return accepted.includes(value as T) ? (value as T) : fallback;
}
