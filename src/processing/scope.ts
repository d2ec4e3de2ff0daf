import type { Baggage, Context, Link, Span } from '@opentelemetry/api';
import { createContextKey, isSpanContextValid, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import type { TracerState } from '../lifecycle/tracer-state.ts';
import { isTracingSuppressed, suppressTracing } from '../utils/suppress-tracing.ts';
import type { Session } from './scope-session.ts';

/** Under this key every context that isotrace makes answers its scope; shared by all copies of the package. */
export const SCOPE_KEY = createContextKey('isotrace.scope');

/** Found by asking OpenTelemetry's own functions, so that a copy of the API with other keys would still agree. */
const SPAN_KEY = keyWrittenBy((probe) =>
  trace.setSpan(probe, trace.wrapSpanContext({ traceId: '', spanId: '', traceFlags: 0 })),
);
const BAGGAGE_KEY = keyWrittenBy((probe) => propagation.setBaggage(probe, propagation.createBaggage()));
const SUPPRESS_KEY = keyWrittenBy((probe) => suppressTracing(probe));

/** Most tenants whose scopes a context remembers beside its own: the nearest ones. */
const MAX_OUTER_SCOPES = 32;
/** Most foreign contexts, one around the other with a scope between them, whose values are found. */
const MAX_FOREIGN_LAYERS = 32;

/** The tenant that a scope or a span belongs to; compared by identity. */
export interface ScopeOwner {
  readonly tenantId: string;
  /** What a span of this owner may know of the tenant around it. */
  readonly boundary: 'isolate' | 'link';
  /** A disabled owner may stand for any number of tenants that do not exist: its scopes hold nothing of them. */
  readonly state?: TracerState;
  /**
   * Only of an owner that stands in for a tenant that is not known yet: the tenant, once it is. From then on both are
   * the same owner.
   */
  readonly tenant?: ScopeOwner | undefined;
  /** Only of such an owner: the first tenant that is entered inside becomes its tenant. */
  bind?(tenant: ScopeOwner): void;
  /** Only of such an owner: what arrived for the tenant, once that is known and as far as it lets it in. */
  readonly inboundBaggage?: Baggage | undefined;
}

/** The tenant itself, where one stands in for it. */
export function tenantOf(owner: ScopeOwner): ScopeOwner {
  return owner.tenant ?? owner;
}

/** Marks our spans with their owner; shared by all copies of the package. */
export const SPAN_OWNER: unique symbol = Symbol.for('isotrace.span.owner') as never;

/**
 * A span of the host's own SDK carries under this key the tenant's span that stands for it: the parent of the tenant's
 * spans, while the host's is the one that is active. Shared by all copies of the package.
 */
export const SPAN_TWIN: unique symbol = Symbol.for('isotrace.span.twin') as never;

export interface OwnedSpan extends Span {
  readonly [SPAN_OWNER]: ScopeOwner;
}

export interface ScopeFields {
  readonly owner: ScopeOwner;
  /** What OpenTelemetry's span key answers: usually `ownSpan`, but host code may set any span. */
  readonly activeSpan: Span | undefined;
  /** The innermost span that new spans of this tenant become children of: its own, or a remote parent. */
  readonly ownSpan: Span | undefined;
  readonly baggage: Baggage | undefined;
  readonly session: Session | undefined;
  /** Links that the next span without a parent gets, from `continueFrom` with `incoming: 'link'`. */
  readonly links: readonly Link[] | undefined;
  /** Whether the tenant's spans are suppressed. */
  readonly suppressed: boolean;
  /** Whether the host suppressed spans before any tenant was entered. */
  readonly hostSuppressed: boolean;
  /** How many foreign contexts lie, each around a scope, under this one. */
  readonly foreignLayers: number;
}

/** What can be changed about the scope of a tenant. */
export type ScopeChange = Partial<Pick<ScopeFields, 'activeSpan' | 'ownSpan' | 'baggage' | 'session' | 'links'>>;

/**
 * What the async context carries for us, and at the same time an OpenTelemetry context: one object for each
 * entered span. It answers OpenTelemetry's keys for the span, the baggage and suppression with this tenant's
 * values only, and every other key from `base`, the host's own context.
 */
export class ScopeContext implements Context, ScopeFields {
  readonly base: Context;
  readonly owner: ScopeOwner;
  readonly activeSpan: Span | undefined;
  readonly ownSpan: Span | undefined;
  readonly baggage: Baggage | undefined;
  readonly session: Session | undefined;
  readonly links: readonly Link[] | undefined;
  readonly suppressed: boolean;
  readonly hostSuppressed: boolean;
  readonly foreignLayers: number;
  /** The innermost scope of each other tenant around this one, nearest first. */
  readonly outer: ScopeContext | undefined;

  constructor(base: Context, fields: ScopeFields, outer: ScopeContext | undefined) {
    this.base = base;
    this.owner = fields.owner;
    this.activeSpan = fields.activeSpan;
    this.ownSpan = fields.ownSpan;
    this.baggage = fields.baggage;
    this.session = fields.session;
    this.links = fields.links;
    this.suppressed = fields.suppressed;
    this.hostSuppressed = fields.hostSuppressed;
    this.foreignLayers = fields.foreignLayers;
    this.outer = outer;
  }

  getValue(key: symbol): unknown {
    if (key === SPAN_KEY) return this.activeSpan;
    if (key === SCOPE_KEY) return this;
    if (key === BAGGAGE_KEY) return this.baggage;
    if (key === SUPPRESS_KEY) return this.suppressed ? true : undefined;
    return this.base.getValue(key);
  }

  setValue(key: symbol, value: unknown): Context {
    if (key === SPAN_KEY) return this.withActiveSpan(value);
    if (key === BAGGAGE_KEY) return this.#with({ baggage: value as Baggage | undefined });
    if (key === SUPPRESS_KEY) return this.#with({ suppressed: value === true });
    if (key === SCOPE_KEY) return this;
    return new ScopeContext(this.base.setValue(key, value), this, this.outer);
  }

  deleteValue(key: symbol): Context {
    if (key === SPAN_KEY) return this.withActiveSpan(undefined);
    if (key === BAGGAGE_KEY) return this.#with({ baggage: undefined });
    if (key === SUPPRESS_KEY) return this.#with({ suppressed: false });
    if (key === SCOPE_KEY) return this.base;
    return new ScopeContext(this.base.deleteValue(key), this, this.outer);
  }

  /**
   * Where host code made a span active: in the scope of the tenant that made it. A remote one is what this tenant's
   * next span continues; a span of another SDK is only shown. Without one, the tenant has none either.
   */
  withActiveSpan(span: unknown): ScopeContext {
    if (span === undefined) return this.#with({ activeSpan: undefined, ownSpan: undefined, links: undefined });
    const owner = ownerOfSpan(span);
    const own = owner === undefined ? remoteParent(span) : twinOf(span as Span);
    if (owner !== undefined && !isSame(owner, this.owner)) {
      return enterScope(this, owner, { activeSpan: span as Span, ownSpan: own, links: undefined });
    }
    return this.#with({ activeSpan: span as Span, ownSpan: own ?? this.ownSpan });
  }

  #with(change: Partial<ScopeFields>): ScopeContext {
    return new ScopeContext(this.base, { ...fieldsOf(this), ...change }, this.outer);
  }
}

/**
 * The scope in force in a context, whichever copy of isotrace made it: also in a foreign context that wraps one of
 * ours, and in one of the host's that has a tenant's span active.
 */
export function scopeOf(context: Context): ScopeContext | undefined {
  if (context === ROOT_CONTEXT) return undefined;
  const scope = context.getValue(SCOPE_KEY) as ScopeContext | undefined;
  if (scope === context) return scope;
  return scope === undefined ? scopeOfActiveSpan(context) : scopeSeenThrough(context, scope);
}

/** The innermost scope of one tenant in a context. */
export function scopeOfOwner(context: Context, owner: ScopeOwner): ScopeContext | undefined {
  return innermostOf(scopeOf(context), owner);
}

/** The innermost scope of one tenant in a chain of scopes. */
export function innermostOf(chain: ScopeContext | undefined, owner: ScopeOwner): ScopeContext | undefined {
  let scope = chain;
  while (scope !== undefined && !isSame(scope.owner, owner)) scope = scope.outer;
  return scope;
}

/**
 * The context in which `span` is the tenant's active span. Crossing from another tenant keeps nothing of it;
 * coming back to a tenant further out continues with its baggage and session.
 */
export function enterSpan(context: Context, owner: ScopeOwner, span: Span): ScopeContext {
  const current = scopeOf(context);
  if (current !== undefined && isSame(current.owner, owner)) {
    const fields: ScopeFields = {
      owner,
      activeSpan: span,
      ownSpan: span,
      baggage: current.baggage,
      session: current.session,
      links: undefined,
      suppressed: current.suppressed,
      hostSuppressed: current.hostSuppressed,
      foreignLayers: current.foreignLayers,
    };
    return new ScopeContext(current.base, fields, current.outer);
  }
  return enterScope(context, owner, { activeSpan: span, ownSpan: span, links: undefined });
}

/** The context of a tenant with some of its scope changed. Of a disabled one, the scope is empty. */
export function enterScope(context: Context, owner: ScopeOwner, change: ScopeChange = {}): ScopeContext {
  const current = scopeOf(context);
  if (current === undefined) {
    const shown = 'activeSpan' in change ? undefined : hostSpanIn(context);
    const empty = emptyFields(owner, isTracingSuppressed(context), 0, shown);
    return new ScopeContext(context, owner.state === 'disabled' ? empty : { ...empty, ...change }, undefined);
  }
  const { base, hostSuppressed, foreignLayers } = current;
  const isStandIn = current.owner.bind !== undefined;
  if (isStandIn && owner.state !== 'disabled') current.owner.bind?.(owner);
  const isOwn = isSame(current.owner, owner);
  const outer = isOwn ? current.outer : around(current, owner, MAX_OUTER_SCOPES);
  const empty = emptyFields(owner, hostSuppressed, foreignLayers);
  if (owner.state === 'disabled') return new ScopeContext(base, empty, outer);
  if (isOwn) {
    const baggage = current.baggage ?? (isStandIn ? current.owner.inboundBaggage : undefined);
    return new ScopeContext(base, { ...fieldsOf(current), owner, baggage, ...change }, outer);
  }
  const earlier = innermostOf(current.outer, owner);
  if (earlier === undefined) return new ScopeContext(base, { ...empty, ...change }, outer);
  const { ownSpan, baggage, session, suppressed } = earlier;
  const continued = { ...empty, activeSpan: ownSpan, ownSpan, baggage, session, suppressed };
  return new ScopeContext(base, { ...continued, ...change }, outer);
}

/** The tenant whose tracer made a span; of anything else, none. Never throws. */
export function ownerOfSpan(span: unknown): ScopeOwner | undefined {
  try {
    return (span as Partial<OwnedSpan> | null | undefined)?.[SPAN_OWNER];
  } catch {
    return undefined;
  }
}

/** The tenant's own span behind one that its scope shows as active. */
function twinOf(span: Span): Span {
  return (span as { readonly [SPAN_TWIN]?: Span })[SPAN_TWIN] ?? span;
}

/** The tenant that the running code works for, if any, or what stands in for it. */
export function ownerIn(context: Context): ScopeOwner | undefined {
  const owner = scopeOf(context)?.owner;
  return owner && tenantOf(owner);
}

/** What of a span from another process can be a parent: its context, as it is now. Of any other, nothing. Never throws. */
export function remoteParent(span: unknown): Span | undefined {
  try {
    if (span === undefined || ownerOfSpan(span) !== undefined) return undefined;
    const { traceId, spanId, traceFlags, traceState, isRemote } = (span as Span).spanContext();
    const parent = { traceId: traceId.toLowerCase(), spanId: spanId.toLowerCase(), traceFlags, isRemote: true };
    if (isRemote !== true || !isSpanContextValid(parent)) return undefined;
    // One that is none could not be sent, and with it the span.
    const isGood = typeof traceState?.serialize === 'function';
    return trace.wrapSpanContext(isGood ? { ...parent, traceState } : parent);
  } catch {
    return undefined;
  }
}

/** Whether two owners are the same tenant, also where one stands in for it. */
export function isSame(one: ScopeOwner, other: ScopeOwner): boolean {
  return one === other || tenantOf(one) === tenantOf(other);
}

function emptyFields(
  owner: ScopeOwner,
  hostSuppressed: boolean,
  foreignLayers: number,
  activeSpan?: Span,
): ScopeFields {
  return {
    owner,
    activeSpan,
    ownSpan: undefined,
    baggage: undefined,
    session: undefined,
    links: undefined,
    suppressed: hostSuppressed,
    hostSuppressed,
    foreignLayers,
  };
}

function fieldsOf(scope: ScopeFields): ScopeFields {
  const { owner, activeSpan, ownSpan, baggage, session, links, suppressed, hostSuppressed, foreignLayers } = scope;
  return { owner, activeSpan, ownSpan, baggage, session, links, suppressed, hostSuppressed, foreignLayers };
}

/** A span of the host's own SDK that is active outside every tenant: it stays so, for that SDK's spans inside. */
function hostSpanIn(context: Context): Span | undefined {
  const span = trace.getSpan(context);
  return span?.spanContext().isRemote === true ? undefined : span;
}

/** The host made a tenant's span active in a context that knows of no scope. */
function scopeOfActiveSpan(context: Context): ScopeContext | undefined {
  const span = trace.getSpan(context);
  const owner = ownerOfSpan(span);
  if (span === undefined || owner === undefined) return undefined;
  const empty = emptyFields(owner, isTracingSuppressed(context), 0);
  const fields = { ...empty, activeSpan: span, ownSpan: twinOf(span), baggage: owner.inboundBaggage };
  return new ScopeContext(context, fields, undefined);
}

/**
 * A foreign context around ours may have another span, baggage or suppression, set by the scope's own tenant. A
 * context manager that wraps whatever it is given would make contexts that get deeper with every call.
 */
function scopeSeenThrough(context: Context, scope: ScopeContext): ScopeContext {
  const span = trace.getSpan(context);
  const seen = span === scope.activeSpan ? scope : scope.withActiveSpan(span);
  const isDeep = scope.foreignLayers >= MAX_FOREIGN_LAYERS;
  const base = isDeep ? scope.base : context;
  const fields = { ...fieldsOf(seen), foreignLayers: scope.foreignLayers + (isDeep ? 0 : 1) };
  if (seen.owner !== scope.owner) return new ScopeContext(base, fields, seen.outer);
  const suppressed = isTracingSuppressed(context);
  return new ScopeContext(base, { ...fields, baggage: propagation.getBaggage(context), suppressed }, seen.outer);
}

/**
 * The chain of scopes around a new one of `owner`. Each tenant stands in a chain once, with its innermost scope, and
 * only the nearest stand in it, so that an endless walk through tenants keeps nothing alive.
 */
function around(scope: ScopeContext | undefined, owner: ScopeOwner, room: number): ScopeContext | undefined {
  if (scope === undefined || room === 0) return undefined;
  if (isSame(scope.owner, owner)) return around(scope.outer, owner, room);
  const outer = around(scope.outer, owner, room - 1);
  return outer === scope.outer ? scope : new ScopeContext(scope.base, scope, outer);
}

function keyWrittenBy(write: (probe: Context) => unknown): symbol {
  let written: symbol | undefined;
  const probe: Context = {
    getValue: () => undefined,
    setValue: (key) => {
      written = key;
      return ROOT_CONTEXT;
    },
    deleteValue: () => ROOT_CONTEXT,
  };
  write(probe);
  return written as symbol;
}
