import { types } from 'node:util';
import type { Context, Link, Span, SpanOptions } from '@opentelemetry/api';
import { ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api';
import type { IdGenerator } from '@opentelemetry/sdk-trace';
import type { HookSwitch } from '../utils/guard.ts';
import { isSpanId, isTraceId, type PooledIdGenerator } from '../utils/ids.ts';
import { isTracingSuppressed } from '../utils/suppress-tracing.ts';
import { RANDOM_FLAG } from '../utils/traceparent.ts';
import { LocalTrace } from './local-trace.ts';
import { followTrace, type SpanSampler } from './sampling.ts';
import {
  enterScope,
  enterSpan,
  innermostOf,
  isSame,
  ownerOfSpan,
  remoteParent,
  type ScopeContext,
  type ScopeOwner,
  scopeOf,
  scopeOfOwner,
} from './scope.ts';
import type { Session } from './scope-session.ts';
import { type RootSessions, SESSION_KEY } from './session.ts';
import { RecordingSpan } from './span.ts';
import type { SpanHooks } from './span-hooks.ts';
import type { SpanHost, SpanScope, SpanStart } from './span-host.ts';
import { type HeldContext, holdContext, SpanIdentity } from './span-identity.ts';
import { TentativeSpan } from './tentative-span.ts';
import { NOOP_SPAN, UnsampledSpan } from './unsampled-span.ts';

/** What starting a span needs beyond what the span itself needs. */
export interface SpanStarter extends SpanHost<RecordingSpan> {
  readonly sampler: SpanSampler;
  readonly hooks: SpanHooks;
  readonly ids: PooledIdGenerator;
  /** The user's id generator, behind its switch. */
  readonly hostIds: { readonly generator: IdGenerator; readonly hook: HookSwitch } | undefined;
  /** With `sessions: 'per-root'`. */
  readonly rootSessions: RootSessions | undefined;
  spanStarted(span: RecordingSpan): void;
  /** The span is not to be recorded, whatever its trace decides. */
  readonly turnedAway?: boolean;
  spanUnsampled(): void;
}

/**
 * Starts a span of one tenant. Its parent is the tenant's own innermost span in `context`, or a remote span that was
 * set inside the tenant's scope; outside every scope a remote span counts only in a context that the caller
 * passed (`isExplicit`). Another tenant's span, sampling decision, trace state and suppression never count.
 */
export function startSpan(
  host: SpanStarter,
  instrumentation: SpanScope,
  name: string,
  options: SpanOptions | undefined,
  context: Context,
  isExplicit: boolean,
): Span & Disposable {
  const scope = scopeOf(context);
  const own = innermostOf(scope, host.owner) ?? claimed(scope, host.owner);
  if (isSuppressed(context, scope, own)) return NOOP_SPAN;
  const parentSpan = options?.root === true ? undefined : parentIn(context, scope, own, isExplicit);
  const parent = parentSpan && heldContextOf(parentSpan);
  const kind = options?.kind ?? SpanKind.INTERNAL;
  const spanName = typeof name === 'string' ? name : 'unnamed';
  const links = parent === undefined ? rootLinks(host, scope, options?.links) : options?.links;
  const attributes = options?.attributes;
  const spanContext = newContext(host, parent);
  const localTrace = (parentSpan as RecordingSpan | undefined)?.localTrace;
  let ownContext: Context | undefined;
  let verdict =
    localTrace === undefined || parent === undefined || host.turnedAway === true
      ? host.sampler.early?.(parent)
      : followTrace(localTrace, parent);
  if (verdict === undefined) {
    ownContext = contextOf(host, context, own, parentSpan);
    const request = { context: ownContext, name: spanName, kind, attributes, links };
    verdict = host.sampler(parent, spanContext.traceId, request);
  }
  const traceState = verdict.traceState ?? parent?.traceState;
  const random =
    parent === undefined ? (host.hostIds === undefined ? RANDOM_FLAG : 0) : parent.traceFlags & RANDOM_FLAG;
  spanContext.traceFlags = (verdict.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE) | random;
  if (traceState !== undefined) spanContext.traceState = traceState;
  if (!verdict.record) {
    host.spanUnsampled();
    return new UnsampledSpan(host.owner, spanContext, kind === SpanKind.CLIENT ? (attributes ?? {}) : undefined);
  }
  const start: SpanStart = {
    name: spanName,
    kind,
    context: spanContext,
    parentContext: parent,
    scope: instrumentation,
    startTime: options?.startTime,
    attributes,
    links,
  };
  const { open } = verdict;
  const span =
    localTrace === undefined && open === undefined
      ? new RecordingSpan(host, start)
      : new TentativeSpan(host, start, localTrace ?? new LocalTrace(open === 'unconfigured' ? undefined : open));
  if (verdict.attributes !== undefined) span.setAttributes(verdict.attributes);
  const session = own?.session;
  if (session !== undefined) joinSession(session, span, parentSpan, parent);
  if (session?.id === undefined && host.rootSessions !== undefined) {
    const rootSession = host.rootSessions.find(kind, parentSpan, parent);
    if (rootSession !== undefined) {
      host.rootSessions.add(span, rootSession);
      rootSession.join(span, parentSpan, parent);
    }
  }
  host.spanStarted(span);
  if (!host.hooks.empty) host.hooks.started(span, ownContext ?? contextOf(host, context, own, parentSpan));
  return span;
}

function joinSession(
  session: Session,
  span: RecordingSpan,
  parentSpan: Span | undefined,
  parent: HeldContext | undefined,
): void {
  if (session.join !== undefined) session.join(span, parentSpan, parent);
  else if (session.id !== undefined) span.setAttribute(SESSION_KEY, session.id);
}

/**
 * Records that a span is still open: as a child of no duration, marked `isotrace.pending`, whose own id leaves the
 * span's to the span.
 */
export function recordPending(host: SpanStarter, span: RecordingSpan): void {
  const { attributeList, kind, name, scope, startTime } = span;
  const attributes = { ...attributeList.copyTo({}), 'isotrace.pending': true };
  const context = enterSpan(ROOT_CONTEXT, host.owner, span);
  startSpan(host, scope, name, { kind, startTime, attributes }, context, true).end(startTime);
}

/** The tenant's own active span in a context: a span that recording and enriching may touch. */
export function activeSpanIn(context: Context, host: { readonly owner: ScopeOwner }): Span | undefined {
  const span = scopeOfOwner(context, host.owner)?.ownSpan;
  const owner = ownerOfSpan(span);
  return owner !== undefined && isSame(owner, host.owner) ? span : undefined;
}

/** The scope of spans that started before their tenant was known, when this tenant is the first one inside them. */
function claimed(scope: ScopeContext | undefined, owner: ScopeOwner): ScopeContext | undefined {
  if (scope?.owner.bind === undefined || scope.owner.tenant !== undefined || owner.bind !== undefined) return undefined;
  scope.owner.bind(owner);
  return innermostOf(scope, owner);
}

function parentIn(
  context: Context,
  scope: ScopeContext | undefined,
  own: ScopeContext | undefined,
  isExplicit: boolean,
): Span | undefined {
  if (own !== undefined) return own.ownSpan;
  return scope === undefined && isExplicit ? remoteParent(trace.getSpan(context)) : undefined;
}

/** What the tenant suppressed itself, or the host before it entered any tenant. */
function isSuppressed(context: Context, scope: ScopeContext | undefined, own: ScopeContext | undefined): boolean {
  if (own !== undefined) return own.suppressed;
  return scope === undefined ? isTracingSuppressed(context) : scope.hostSuppressed;
}

/** Where samplers and processors look for the parent: they must find this one, and nothing of anybody else. */
function contextOf(
  host: SpanStarter,
  context: Context,
  own: ScopeContext | undefined,
  parent: Span | undefined,
): Context {
  if (own === context && own.activeSpan === parent && own.ownSpan === parent) return context;
  return enterScope(context, host.owner, { activeSpan: parent, ownSpan: parent });
}

/** A root gets the links that `continueFrom` left for it, and one to the tenant around it where both tenants allow that. */
function rootLinks(
  host: SpanStarter,
  scope: ScopeContext | undefined,
  given: Link[] | undefined,
): readonly Link[] | undefined {
  if (scope === undefined) return given;
  const isOwn = isSame(scope.owner, host.owner);
  const waiting = isOwn ? scope.links : undefined;
  const around = isOwn ? scope.outer : scope;
  const crosses = around !== undefined && around.owner.boundary === 'link' && host.owner.boundary === 'link';
  const outer = crosses ? around.ownSpan?.spanContext() : undefined;
  if (waiting === undefined && outer === undefined) return given;
  const links = Array.isArray(given) ? given : [];
  return [...links, ...(waiting ?? []), ...(outer === undefined ? [] : [{ context: outer }])];
}

function heldContextOf(span: Span): HeldContext {
  return span instanceof RecordingSpan || span instanceof UnsampledSpan
    ? span.context
    : holdContext(span.spanContext());
}

/** The ids of a new span: words, unless the user's generator or a parent whose ids are none wants them as strings. */
function newContext(host: SpanStarter, parent: HeldContext | undefined): HeldContext {
  if (host.hostIds === undefined && (parent === undefined || parent instanceof SpanIdentity)) {
    return SpanIdentity.create(host.ids, parent);
  }
  return { traceId: parent?.traceId ?? newTraceId(host), spanId: newSpanId(host), traceFlags: TraceFlags.NONE };
}

function newTraceId(host: SpanStarter): string {
  const own = host.hostIds;
  if (own === undefined) return host.ids.generateTraceId();
  return idFrom(own.hook, () => own.generator.generateTraceId(), isTraceId) ?? host.ids.generateTraceId();
}

function newSpanId(host: SpanStarter): string {
  const own = host.hostIds;
  if (own === undefined) return host.ids.generateSpanId();
  return idFrom(own.hook, () => own.generator.generateSpanId(), isSpanId) ?? host.ids.generateSpanId();
}

/** An id of the user's generator; one that is none counts as a failure, like throwing. */
function idFrom(hook: HookSwitch, generate: () => unknown, isId: (id: unknown) => id is string): string | undefined {
  const generateChecked = (): string => {
    const id = generate();
    if (isId(id)) return id;
    if (types.isPromise(id)) id.catch(() => undefined);
    throw new TypeError('an id generator must answer ids');
  };
  return hook.run(generateChecked, undefined);
}
