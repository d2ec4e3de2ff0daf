import { type Context, ROOT_CONTEXT, type Span, type SpanOptions, TraceFlags, trace } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { Agenda, Job } from '../processing/agenda.ts';
import type { SamplingVerdict } from '../processing/sampling.ts';
import type { ScopeOwner } from '../processing/scope.ts';
import { RecordingSpan } from '../processing/span.ts';
import type { SpanHooks } from '../processing/span-hooks.ts';
import type { SpanScope } from '../processing/span-host.ts';
import { type SpanStarter, startSpan } from '../processing/start-span.ts';
import { incomingLinks } from './routing-propagator.ts';
import { TracerRuntime } from './tracer-runtime.ts';

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
  /** Records for nobody: lends its clock, ids and limits to spans whose tenant is not known. */
  readonly nobody: TracerRuntime;
  /** Gets the spans of requests that name no tenant; may be `nobody`. */
  readonly unassigned: () => TracerRuntime;
  /** Whether a request in which this tenant is entered first becomes its own. */
  readonly mayClaim: (tenant: TracerRuntime) => boolean;
  /** Most spans that wait. */
  readonly maxSpans: number;
  /** Longest wait. */
  readonly maxMillis: number;
}

type Outcome = Exclude<keyof LateBindingCounts, 'waiting'>;

/**
 * The requests whose tenant is not known yet. Their spans are real from the start (ids, times, attributes); the tenant
 * that is first entered inside a request gets them all, sampled by its own rules.
 */
export class LateBindings {
  readonly options: LateBindingOptions;
  /** In the order in which they began. */
  readonly #unbound = new Set<UnknownTenant>();
  readonly #counts = { waiting: 0, bound: 0, unassigned: 0, expired: 0 };
  readonly #sweep: Job = { due: (now) => this.#expire(now) };
  #closed = false;

  constructor(options: LateBindingOptions) {
    this.options = options;
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
  ): Span & Disposable {
    const { agenda, maxMillis, maxSpans, unassigned } = this.options;
    if (this.#closed || maxSpans === 0) return unassigned().start(name, options, context, isExplicit, scope);
    const request = new UnknownTenant(this, agenda.now());
    const span = request.start(scope, name, options, context, isExplicit);
    if (!span.isRecording()) return span;
    if (this.#unbound.size === 0) agenda.schedule(this.#sweep, request.since + maxMillis);
    this.#unbound.add(request);
    return span;
  }

  /** Takes in no more, and settles what waits. */
  close(): void {
    this.#closed = true;
    this.options.agenda.cancel(this.#sweep);
    for (const request of this.#unbound) request.settle(this.options.unassigned(), 'unassigned');
  }

  /** To be called for each span of a request that waits. */
  added(): void {
    this.#counts.waiting += 1;
    if (this.#counts.waiting <= this.options.maxSpans) return;
    const [oldest] = this.#unbound;
    oldest?.settle(this.options.unassigned(), 'expired');
  }

  settled(request: UnknownTenant, outcome: Outcome, count: number): void {
    this.#unbound.delete(request);
    this.#counts.waiting -= count;
    this.#counts[outcome] += count;
  }

  #expire(now: number): void {
    const { agenda, maxMillis, unassigned } = this.options;
    for (const request of this.#unbound) {
      if (request.since + maxMillis > now) {
        agenda.schedule(this.#sweep, request.since + maxMillis);
        return;
      }
      request.settle(unassigned(), 'expired');
    }
  }
}

/** Stands in for the tenant of one request until that is known; from then on it is that tenant. */
export class UnknownTenant implements ScopeOwner, SpanStarter {
  readonly tenantId = '';
  readonly boundary = 'isolate';
  readonly owner: ScopeOwner = this;
  readonly hostIds = undefined;
  /** When it began, on the monotonic clock. */
  readonly since: number;
  readonly #bindings: LateBindings;
  #spans: RecordingSpan[] = [];
  #root: RecordingSpan | undefined;
  #tenant: TracerRuntime | undefined;

  constructor(bindings: LateBindings, since: number) {
    this.#bindings = bindings;
    this.since = since;
  }

  get tenant(): TracerRuntime | undefined {
    return this.#tenant;
  }

  get clock() {
    return this.#lender.clock;
  }

  get guard() {
    return this.#lender.guard;
  }

  get ids() {
    return this.#lender.ids;
  }

  get spanLimits() {
    return this.#lender.spanLimits;
  }

  /** Processors are the tenant's: they are told of a span when its tenant is known. */
  get hooks(): SpanHooks {
    return this.#bindings.options.nobody.hooks;
  }

  get #lender(): TracerRuntime {
    return this.#tenant ?? this.#bindings.options.nobody;
  }

  /** Everything is recorded, and passed on as the caller wants it; the tenant's own rules come with the tenant. */
  sampler(parent: { readonly traceFlags: number } | undefined): SamplingVerdict {
    return { record: true, sampled: parent === undefined || (parent.traceFlags & TraceFlags.SAMPLED) !== 0 };
  }

  resource(): Resource {
    return this.#lender.resource();
  }

  start(
    scope: SpanScope,
    name: string,
    options: SpanOptions | undefined,
    context: Context,
    isExplicit: boolean,
  ): Span & Disposable {
    const span = startSpan(this, scope, name, withIncomingLinks(options, context), context, isExplicit);
    if (!(span instanceof RecordingSpan)) return span;
    this.#spans.push(span);
    this.#root ??= span;
    this.#bindings.added();
    return span;
  }

  bind(tenant: ScopeOwner): void {
    if (tenant instanceof TracerRuntime && this.#bindings.options.mayClaim(tenant)) this.settle(tenant, 'bound');
  }

  /** Hands everything over to `tenant`. */
  settle(tenant: TracerRuntime, outcome: Outcome): void {
    if (this.#tenant !== undefined) return;
    this.#tenant = tenant;
    const spans = this.#spans;
    this.#spans = [];
    this.#bindings.settled(this, outcome, spans.length);
    const root = this.#root;
    this.#root = undefined;
    if (root === undefined) return;
    const verdict = verdictOf(tenant, root);
    for (const span of spans) adopt(tenant, span, verdict);
  }

  spanStarted(): void {}

  spanUnsampled(): void {}

  spanEnding(span: RecordingSpan): void {
    this.#tenant?.spanEnding(span);
  }

  spanEnded(span: RecordingSpan): void {
    if (this.#tenant !== undefined) this.#tenant.spanEnded(span);
    else if (span === this.#root) this.settle(this.#bindings.options.unassigned(), 'unassigned');
  }
}

/** Adds the link to an inbound trace that the request is not to continue. */
function withIncomingLinks(options: SpanOptions | undefined, context: Context): SpanOptions | undefined {
  const incoming = incomingLinks(context);
  if (incoming === undefined) return options;
  const links = Array.isArray(options?.links) ? options.links : [];
  return { ...options, links: [...links, ...incoming] };
}

/** The tenant's own sampling, asked as it would have been when the request began. */
function verdictOf(tenant: TracerRuntime, root: RecordingSpan): SamplingVerdict {
  const { parentSpanContext, name, kind, attributes, links } = root;
  const parent = parentSpanContext as typeof parentSpanContext | undefined;
  const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
  return tenant.sampler(parent, root.spanContext().traceId, { context, name, kind, attributes, links });
}

/** Makes a span that started before its tenant was known one of the tenant's. */
function adopt(tenant: TracerRuntime, span: RecordingSpan, verdict: SamplingVerdict): void {
  span.setSampled(verdict.sampled);
  tenant.spanStarted();
  if (tenant.path.deciding) tenant.path.started(span);
  if (!tenant.hooks.empty) tenant.hooks.started(span, ROOT_CONTEXT);
  if (!span.ended) return;
  tenant.spanEnding(span);
  tenant.spanEnded(span);
}
