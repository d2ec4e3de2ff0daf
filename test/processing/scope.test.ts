import {
  type Baggage,
  type Context,
  createContextKey,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  trace,
} from '@opentelemetry/api';
import { isTracingSuppressed, suppressTracing, unsuppressTracing } from '@opentelemetry/core';
import { describe, expect, it } from 'vitest';
import {
  enterScope,
  enterSpan,
  ownerIn,
  ownerOfSpan,
  remoteParent,
  SCOPE_KEY,
  type ScopeOwner,
  scopeOf,
  scopeOfOwner,
} from '../../src/processing/scope.ts';
import { UnsampledSpan } from '../../src/processing/unsampled-span.ts';
import { WrappingContext } from '../support/wrapping-context.ts';

const HOST_KEY = createContextKey('test.host');
const a = owner('a');
const b = owner('b');
let lastId = 0;

function owner(tenantId: string): ScopeOwner {
  return { tenantId, boundary: 'isolate' };
}

function spanContext(extra: Partial<SpanContext> = {}): SpanContext {
  lastId += 1;
  const id = lastId.toString(16);
  return { traceId: id.padStart(32, '0'), spanId: id.padStart(16, '0'), traceFlags: 1, ...extra };
}

function spanOf(tenant: ScopeOwner): Span {
  return new UnsampledSpan(tenant, spanContext());
}

function remoteSpan(extra: Partial<SpanContext> = {}): Span {
  return trace.wrapSpanContext(spanContext({ isRemote: true, ...extra }));
}

function baggageOf(key: string): Baggage {
  return propagation.createBaggage({ [key]: { value: key } });
}

/** What a context says of the tenant that it is in. */
function view(context: Context): object {
  const scope = scopeOf(context);
  return {
    tenant: scope?.owner.tenantId,
    active: idOf(scope?.activeSpan),
    own: idOf(scope?.ownSpan),
    baggage: scope?.baggage?.getAllEntries().map(([key]) => key),
    session: scope?.session?.id,
    suppressed: scope?.suppressed,
  };
}

/** A scope of `a` without anything. */
const EMPTY = {
  tenant: 'a',
  active: undefined,
  own: undefined,
  baggage: undefined,
  session: undefined,
  suppressed: false,
};

function idOf(span: Span | undefined): string | undefined {
  return span?.spanContext().spanId;
}

describe('a scope as an OpenTelemetry context', () => {
  it('answers the span, the baggage and suppression of its tenant, and everything else of the host', () => {
    const host = propagation.setBaggage(ROOT_CONTEXT.setValue(HOST_KEY, 'host value'), baggageOf('host'));
    const span = spanOf(a);
    const baggage = baggageOf('a');
    const scope = enterScope(trace.setSpan(host, remoteSpan()), a, { activeSpan: span, ownSpan: span, baggage });

    expect(trace.getSpan(scope)).toBe(span);
    expect(propagation.getBaggage(scope)).toBe(baggage);
    expect(isTracingSuppressed(scope)).toBe(false);
    expect(scope.getValue(HOST_KEY)).toBe('host value');
    expect(scope.getValue(SCOPE_KEY)).toBe(scope);
    expect(ownerIn(scope)).toBe(a);
  });

  it('keeps the scope when the host sets and deletes a value of its own', () => {
    const scope = enterSpan(ROOT_CONTEXT, a, spanOf(a));
    const changed = scope.setValue(HOST_KEY, 1);

    expect(changed.getValue(HOST_KEY)).toBe(1);
    expect(scope.getValue(HOST_KEY)).toBeUndefined();
    expect(scopeOf(changed)?.ownSpan).toBe(scope.ownSpan);
    expect(changed.deleteValue(HOST_KEY).getValue(HOST_KEY)).toBeUndefined();
    expect(trace.getSpan(changed.deleteValue(HOST_KEY))).toBe(scope.ownSpan);
  });

  it('cannot be given another scope, and gives the host its context back when the scope is deleted', () => {
    const host = ROOT_CONTEXT.setValue(HOST_KEY, 1);
    const scope = enterSpan(host, a, spanOf(a));

    expect(scope.setValue(SCOPE_KEY, enterScope(ROOT_CONTEXT, b))).toBe(scope);
    expect(scope.deleteValue(SCOPE_KEY)).toBe(host);
  });

  it('changes the baggage only for what is made of it', () => {
    const scope = enterScope(ROOT_CONTEXT, a, { baggage: baggageOf('a') });
    const changed = propagation.setBaggage(scope, baggageOf('more'));

    expect(propagation.getBaggage(changed)?.getEntry('more')).toBeDefined();
    expect(propagation.getBaggage(scope)?.getEntry('more')).toBeUndefined();
    expect(propagation.getBaggage(propagation.deleteBaggage(changed))).toBeUndefined();
  });
});

describe('crossing into another tenant', () => {
  it('keeps nothing of the tenant around it but the values of the host', () => {
    const change = { baggage: baggageOf('a'), session: { id: 'session of a' }, links: [] };
    const inA = suppressTracing(enterScope(ROOT_CONTEXT.setValue(HOST_KEY, 1), a, change));
    const span = spanOf(a);
    const inB = enterScope(trace.setSpan(inA, span), b);

    expect(trace.getSpan(inB)).toBeUndefined();
    expect(propagation.getBaggage(inB)).toBeUndefined();
    expect(isTracingSuppressed(inB)).toBe(false);
    expect(view(inB)).toEqual({ ...EMPTY, tenant: 'b' });
    expect(inB.links).toBeUndefined();
    expect(inB.getValue(HOST_KEY)).toBe(1);
    expect(scopeOfOwner(inB, a)?.ownSpan).toBe(span);
  });

  it('and back continues with the span, the baggage, the session and the suppression of before', () => {
    const outer = spanOf(a);
    const session = { id: 's' };
    const baggage = baggageOf('a');
    const inA = suppressTracing(enterScope(ROOT_CONTEXT, a, { activeSpan: outer, ownSpan: outer, session, baggage }));
    const back = enterScope(enterSpan(inA, b, spanOf(b)), a);

    const ids = { active: idOf(outer), own: idOf(outer) };
    expect(view(back)).toEqual({ tenant: 'a', ...ids, session: 's', baggage: ['a'], suppressed: true });
    expect(trace.getSpan(back)).toBe(outer);
  });

  it('and back with a new span keeps the baggage and the session', () => {
    const session = { id: 's' };
    const baggage = baggageOf('a');
    const span = spanOf(a);
    const back = enterSpan(enterScope(enterScope(ROOT_CONTEXT, a, { session, baggage }), b), a, span);

    const ids = { active: idOf(span), own: idOf(span) };
    expect(view(back)).toEqual({ ...EMPTY, ...ids, session: 's', baggage: ['a'] });
  });

  it('keeps a suppression that the host set before any tenant was entered', () => {
    const host = suppressTracing(ROOT_CONTEXT);
    const inB = enterScope(enterScope(host, a), b);

    expect(isTracingSuppressed(inB)).toBe(true);
    expect(inB.hostSuppressed).toBe(true);
  });

  it('does not carry over that a tenant lifted a suppression of the host', () => {
    const inA = unsuppressTracing(enterScope(suppressTracing(ROOT_CONTEXT), a));

    expect(isTracingSuppressed(inA)).toBe(false);
    expect(isTracingSuppressed(enterScope(inA, b))).toBe(true);
    expect(isTracingSuppressed(enterScope(enterScope(inA, b), a))).toBe(false);
  });
});

describe('a chain of scopes', () => {
  function tenantsAround(context: Context): string[] {
    const tenants: string[] = [];
    for (let scope = scopeOf(context)?.outer; scope !== undefined; scope = scope.outer) {
      tenants.push(scope.owner.tenantId);
    }
    return tenants;
  }

  it('holds each tenant once, with its innermost span', () => {
    const c = owner('c');
    const spans = [spanOf(a), spanOf(b), spanOf(c), spanOf(a)] as const;
    const chain = enterSpan(enterSpan(enterSpan(ROOT_CONTEXT, a, spans[0]), b, spans[1]), c, spans[2]);
    const context = enterSpan(enterSpan(chain, a, spans[3]), b, spanOf(b));

    expect(tenantsAround(context)).toEqual(['a', 'c']);
    expect(scopeOfOwner(context, a)?.ownSpan).toBe(spans[3]);
    expect(scopeOfOwner(chain, a)?.ownSpan).toBe(spans[0]);
  });

  it('stays as short as it is when two tenants call each other 10,000 times', () => {
    let context: Context = ROOT_CONTEXT;
    for (let call = 0; call < 10_000; call += 1) context = enterSpan(context, call % 2 === 0 ? a : b, spanOf(a));

    expect(tenantsAround(context)).toEqual(['a']);
    expect(scopeOf(context)?.base).toBe(ROOT_CONTEXT);
  });

  it('remembers the nearest 32 when one tenant after another is entered from the one before', () => {
    let context: Context = ROOT_CONTEXT;
    for (let tenant = 0; tenant < 10_000; tenant += 1) context = enterScope(context, owner(`t${tenant}`));
    const nearest = Array.from({ length: 32 }, (_, index) => `t${9_998 - index}`);

    expect(ownerIn(context)?.tenantId).toBe('t9999');
    expect(tenantsAround(context)).toEqual(nearest);
  });
});

describe('a span that host code makes active', () => {
  it('of the same tenant is what its next span becomes a child of', () => {
    const inner = spanOf(a);
    const context = trace.setSpan(enterSpan(ROOT_CONTEXT, a, spanOf(a)), inner);

    expect(view(context)).toEqual({ ...EMPTY, active: idOf(inner), own: idOf(inner) });
  });

  it('of another tenant is a crossing into it, with nothing of the tenant around it', () => {
    const outer = spanOf(a);
    const inner = spanOf(b);
    const inA = enterScope(ROOT_CONTEXT, a, { activeSpan: outer, ownSpan: outer, baggage: baggageOf('a') });
    const context = trace.setSpan(inA, inner);

    expect(ownerIn(context)).toBe(b);
    expect(trace.getSpan(context)).toBe(inner);
    expect(propagation.getBaggage(context)).toBeUndefined();
    expect(scopeOfOwner(context, a)?.ownSpan).toBe(outer);
    expect(scopeOfOwner(context, b)?.ownSpan).toBe(inner);
  });

  it('of another SDK is shown and nothing more', () => {
    const own = spanOf(a);
    const foreign = trace.wrapSpanContext(spanContext());
    const context = trace.setSpan(enterSpan(ROOT_CONTEXT, a, own), foreign);

    expect(trace.getSpan(context)).toBe(foreign);
    expect(view(context)).toEqual({ ...EMPTY, active: idOf(foreign), own: idOf(own) });
  });

  it('of another process is what the next span continues, as it is at that moment', () => {
    const given = spanContext({ isRemote: true, traceId: 'ABCDEF'.padStart(32, '0') });
    const context = trace.setSpanContext(enterSpan(ROOT_CONTEXT, a, spanOf(a)), given);
    given.traceId = 'f'.repeat(32);

    expect(scopeOf(context)?.ownSpan?.spanContext().traceId).toBe('abcdef'.padStart(32, '0'));
  });

  it('and deletes again leaves the tenant without one', () => {
    const context = trace.deleteSpan(enterSpan(ROOT_CONTEXT, a, spanOf(a)));

    expect(trace.getSpan(context)).toBeUndefined();
    expect(view(context)).toEqual(EMPTY);
  });

  it('outside of every scope enters its tenant', () => {
    const span = spanOf(a);
    const host = propagation.setBaggage(trace.setSpan(ROOT_CONTEXT, span), baggageOf('host'));

    expect(ownerIn(host)).toBe(a);
    expect(scopeOfOwner(host, a)?.ownSpan).toBe(span);
    expect(scopeOfOwner(enterScope(host, b), a)?.ownSpan).toBe(span);
    expect(propagation.getBaggage(enterSpan(host, a, spanOf(a)))).toBeUndefined();
  });

  const hostile: Record<string, unknown> = {
    null: null,
    'a number': 7,
    'a string': 'span',
    'an empty object': {},
    'a revoked proxy': revokedProxy(),
    'a span that throws': {
      spanContext: () => {
        throw new Error('no context');
      },
    },
    'a span without a context': { spanContext: () => undefined },
    'a remote span of numbers': { spanContext: () => ({ isRemote: true, traceId: 1, spanId: 2, traceFlags: 1 }) },
  };

  it.each(Object.keys(hostile))('may be %s, which changes nothing for the tenant', (kind) => {
    const own = spanOf(a);
    const context = trace.setSpan(enterSpan(ROOT_CONTEXT, a, own), hostile[kind] as Span);

    expect(scopeOf(context)?.owner).toBe(a);
    expect(scopeOf(context)?.ownSpan).toBe(own);
    expect(scopeOf(trace.setSpan(ROOT_CONTEXT, hostile[kind] as Span))).toBeUndefined();
  });
});

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe('a context of somebody else around ours', () => {
  it('is still in the scope', () => {
    const span = spanOf(a);
    const context = new WrappingContext(enterSpan(ROOT_CONTEXT, a, span)).setValue(HOST_KEY, 1);

    expect(view(context)).toEqual({ ...EMPTY, active: idOf(span), own: idOf(span) });
    expect(enterSpan(context, a, spanOf(a)).getValue(HOST_KEY)).toBe(1);
  });

  it('may have another span, baggage or suppression, which count for the tenant', () => {
    const inner = spanOf(a);
    const inA = new WrappingContext(enterSpan(ROOT_CONTEXT, a, spanOf(a)));
    const context = suppressTracing(propagation.setBaggage(trace.setSpan(inA, inner), baggageOf('more')));

    const ids = { active: idOf(inner), own: idOf(inner) };
    expect(view(context)).toEqual({ ...EMPTY, ...ids, baggage: ['more'], suppressed: true });
    expect(view(enterSpan(context, a, inner))).toEqual(view(context));
    expect(view(trace.deleteSpan(inA))).toEqual(EMPTY);
  });

  it('is not kept any deeper when every context is wrapped again', () => {
    let context: Context = new WrappingContext(ROOT_CONTEXT).setValue(HOST_KEY, 1);
    let span = spanOf(a);
    for (let call = 0; call < 10_000; call += 1) {
      span = spanOf(a);
      context = new WrappingContext(enterSpan(context, call % 2 === 0 ? b : a, span));
    }

    expect(context.getValue(HOST_KEY)).toBe(1);
    expect(scopeOf(context)?.ownSpan).toBe(span);
  });

  it('hands nothing of the tenant on to another', () => {
    const inA = new WrappingContext(enterScope(ROOT_CONTEXT, a, { baggage: baggageOf('a') }));
    const context = enterScope(suppressTracing(propagation.setBaggage(inA, baggageOf('more'))), b);

    expect(propagation.getBaggage(context)).toBeUndefined();
    expect(trace.getSpan(context)).toBeUndefined();
    expect(isTracingSuppressed(context)).toBe(false);
    const span = spanOf(b);
    const ids = { active: idOf(span), own: idOf(span) };
    expect(view(trace.setSpan(inA, span))).toEqual({ ...EMPTY, tenant: 'b', ...ids });
  });
});

describe('the scope of a disabled owner', () => {
  const nobody: ScopeOwner = { tenantId: 'nobody', boundary: 'isolate', state: 'disabled' };

  it('hides the tenant around it and takes nothing', () => {
    const inA = enterScope(ROOT_CONTEXT, a, { activeSpan: spanOf(a), ownSpan: spanOf(a), baggage: baggageOf('a') });
    const scope = enterScope(inA, nobody, { baggage: baggageOf('x'), session: { id: 'x' }, ownSpan: remoteSpan() });

    expect(view(scope)).toEqual({ ...EMPTY, tenant: 'nobody' });
    expect(trace.getSpan(scope)).toBeUndefined();
  });

  it('hands nothing on from one to the next, whatever host code put there', () => {
    const first = trace.setSpan(propagation.setBaggage(enterScope(ROOT_CONTEXT, nobody), baggageOf('x')), remoteSpan());
    const second = enterScope(first, nobody);

    expect(view(second)).toEqual({ ...EMPTY, tenant: 'nobody' });
  });
});

describe('who a span belongs to', () => {
  it('is known of our spans only', () => {
    expect(ownerOfSpan(spanOf(a))).toBe(a);
    const others = [remoteSpan(), undefined, null, 1, {}, revokedProxy()];
    expect(others.map(ownerOfSpan)).toEqual(others.map(() => undefined));
  });

  it('decides that only a valid span of another process can be a remote parent', () => {
    expect(remoteParent(remoteSpan())?.spanContext()).toMatchObject({ isRemote: true, traceFlags: 1 });
    expect(remoteParent(spanOf(a))).toBeUndefined();
    expect(remoteParent(trace.wrapSpanContext(spanContext()))).toBeUndefined();
    expect(remoteParent(remoteSpan({ traceId: '0'.repeat(32) }))).toBeUndefined();
    expect(remoteParent(new UnsampledSpan(a, spanContext({ isRemote: true })))).toBeUndefined();
  });
});
