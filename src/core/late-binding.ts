import type { Context, Span, SpanOptions } from '@opentelemetry/api';
import type { Agenda, Job } from '../processing/agenda.ts';
import { ownerOfSpan, scopeOf } from '../processing/scope.ts';
import type { RecordingSpan } from '../processing/span.ts';
import { SpanHooks } from '../processing/span-hooks.ts';
import type { SpanScope } from '../processing/span-host.ts';
import type { SpanStarter } from '../processing/start-span.ts';
import { type Arrived, arrivedIn } from './routing-propagator.ts';
import type { TracerRuntime } from './tracer-runtime.ts';
import { type LateBindingOutcome, UnknownTenant, type WaitingRoom } from './unknown-tenant.ts';

/** What became of spans that started before their tenant was known, in spans. */
export interface LateBindingCounts {
  /** They wait: their request has not named a tenant yet. */
  readonly waiting: number;
  /** They went to the tenant that their request named. */
  readonly bound: number;
  /** Their request ended without naming one. */
  readonly unassigned: number;
  /** Their request took too long to name one, or too many waited. */
  readonly expired: number;
}

export interface LateBindingOptions {
  readonly agenda: Agenda;
  readonly nobody: TracerRuntime;
  /** Gets the spans of requests that name no tenant; without one they are dropped. */
  readonly unassigned: () => TracerRuntime | undefined;
  readonly mayClaim: (tenant: TracerRuntime) => boolean;
  /** Most spans that wait. */
  readonly maxSpans: number;
  /** Longest wait. */
  readonly maxMillis: number;
}

/** Asks a stand-in for the span; the default asks for one of its own. */
export type StartIn = (starter: SpanStarter) => SpanStarter;

/**
 * The requests whose tenant is not known yet. The tenant that is first entered inside a request gets all its spans,
 * sampled by the tenant's own rules.
 */
export class LateBindings implements WaitingRoom {
  readonly #options: LateBindingOptions;
  /** In the order in which they began. */
  readonly #requests = new Set<UnknownTenant>();
  readonly #counts = { waiting: 0, bound: 0, unassigned: 0, expired: 0 };
  #noHooks: SpanHooks | undefined;
  readonly #sweep: Job = { due: (now) => this.#expire(now) };

  constructor(options: LateBindingOptions) {
    this.#options = options;
  }

  get noHooks(): SpanHooks {
    this.#noHooks ??= new SpanHooks([], this.#options.nobody.guard);
    return this.#noHooks;
  }

  get nobody(): TracerRuntime {
    return this.#options.nobody;
  }

  get counts(): LateBindingCounts {
    return { ...this.#counts };
  }

  /** Starts the first span of what may be a request. */
  start(
    scope: SpanScope,
    name: string,
    options: SpanOptions | undefined,
    context: Context,
    isExplicit: boolean,
    startIn?: StartIn,
  ): Span & Disposable {
    const arrived = arrivedIn(context);
    const request = new UnknownTenant(this, this.#options.agenda.now(), arrived?.baggage);
    const linked = withLinks(options, arrived);
    return request.start(name, linked, context, isExplicit, scope, startIn?.(request));
  }

  mayClaim(tenant: TracerRuntime): boolean {
    return this.#options.mayClaim(tenant);
  }

  added(request: UnknownTenant): void {
    const { agenda, maxMillis, maxSpans, unassigned } = this.#options;
    if (this.#requests.size === 0) agenda.schedule(this.#sweep, request.since + maxMillis);
    this.#requests.add(request);
    this.#counts.waiting += 1;
    if (this.#counts.waiting <= maxSpans) return;
    const [oldest] = this.#requests;
    oldest?.settle(unassigned(), 'expired');
  }

  over(request: UnknownTenant): void {
    request.settle(this.#options.unassigned(), 'unassigned');
  }

  settled(request: UnknownTenant, outcome: LateBindingOutcome, spans: number): void {
    this.#requests.delete(request);
    if (this.#requests.size === 0) this.#options.agenda.cancel(this.#sweep);
    this.#counts.waiting -= spans;
    this.#counts[outcome] += spans;
  }

  /** Settles what waits. */
  settleAll(): void {
    for (const request of this.#requests) this.over(request);
  }

  #expire(now: number): void {
    const { agenda, maxMillis, unassigned } = this.#options;
    for (const request of this.#requests) {
      if (request.since + maxMillis > now) {
        agenda.schedule(this.#sweep, request.since + maxMillis);
        return;
      }
      request.settle(unassigned(), 'expired');
    }
  }
}

/**
 * The span of the request in which `context` lies, from instrumentation that started it before the tenant was known;
 * open, and perhaps bound to its tenant meanwhile. Whoever would trace the request a second time enters its tenant
 * instead, which binds this span, and adds to it what it knows.
 */
export function requestSpanIn(context: Context): RecordingSpan | undefined {
  const scope = scopeOf(context);
  // Inside the tenant the scope is the tenant's, and its span still the request's.
  const owner = scope?.owner instanceof UnknownTenant ? scope.owner : ownerOfSpan(scope?.ownSpan);
  return owner instanceof UnknownTenant ? owner.root : undefined;
}

/** Adds the link to an inbound trace that the request is not to continue. */
function withLinks(options: SpanOptions | undefined, arrived: Arrived | undefined): SpanOptions | undefined {
  if (arrived?.links === undefined) return options;
  const links = Array.isArray(options?.links) ? options.links : [];
  return { ...options, links: [...links, ...arrived.links] };
}
