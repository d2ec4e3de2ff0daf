import { once } from 'node:events';
import http, { type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Baggage,
  type BaggageEntry,
  baggageEntryMetadataFromString,
  context as contextApi,
  createTraceState,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api';
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IncomingTrust, type PropagationOptions, type Tracer, TracerRegistry } from '../../src/index.ts';
import { SILENT, startTenants } from '../support/tenant-receivers.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN_ID = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE_ID}-${SPAN_ID}-01`;
const ODD_STRINGS = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('\r', '\n', '\0', '\u0001', ',', ';', '=', '%', '"', '\\', ' ', '\u20ac', 'é', 'a', '\ud800'),
  }),
  fc.constantFrom('x\r\nset-cookie: a=b', 'ff', '', ' '),
);

type Carrier = Record<string, string>;

let registry: TracerRegistry;
const open: PropagationOptions = { baggage: () => true };
const tenants: Record<string, PropagationOptions> = {
  closed: {},
  open,
  other: open,
  listed: { baggage: ['allowed', 'other'] },
  throwing: {
    baggage: (key) => {
      if (key === 'allowed') return true;
      throw new Error('no answer');
    },
  },
  truthy: { baggage: (() => 'yes') as never },
};

beforeAll(() => {
  registry = new TracerRegistry({
    platform: false,
    logger: SILENT,
    configure: (id) => ({ propagation: tenants[id], ...(id === 'unsampled' && { sampling: new AlwaysOffSampler() }) }),
  });
});

function tracer(id = 'open'): Tracer {
  return registry.get(id);
}

/** Runs in a tenant whose next span would continue this span context. */
function withRemote<T>(of: Tracer, extra: Partial<SpanContext>, fn: () => T): T {
  const remote = { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, isRemote: true, ...extra };
  return of.run(() => contextApi.with(trace.setSpanContext(contextApi.active(), remote), fn));
}

function withHostBaggage<T>(of: Tracer, baggage: Baggage, fn: () => T): T {
  return of.run(() => contextApi.with(propagation.setBaggage(contextApi.active(), baggage), fn));
}

describe('inject', () => {
  it("writes the active span's traceparent, by level 2 with the random flag, and answers the carrier", () => {
    const carrier: Carrier = {};
    tracer().withSpan('work', (span) => {
      const { traceId, spanId } = span.spanContext();

      expect(tracer().inject(carrier)).toBe(carrier);
      expect(carrier).toEqual({ traceparent: `00-${traceId}-${spanId}-03` });
    });
  });

  it('writes that a span is not sampled', () => {
    const carrier = tracer('unsampled').withSpan('work', () => tracer('unsampled').inject<Carrier>({}));

    expect(carrier['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-02$/);
  });

  it('writes nothing without a span and baggage, nor for a tracer that does nothing', async () => {
    const gone = new TracerRegistry({ platform: false, configure: () => undefined }).get('gone');

    expect(tracer().inject({})).toEqual({});
    expect(gone.withSpan('work', () => gone.inject({}))).toEqual({});
  });

  it("writes the tenant's own span also from inside another tenant, and nothing of that one", () => {
    const [own, other] = [tracer('open'), tracer('other')];
    const carriers = own.withSpan('outer', (outer) =>
      own.withBaggage({ of: 'own' }, () =>
        other.withSpan('inner', (inner) =>
          other.withBaggage({ of: 'other' }, () => [
            [own.inject<Carrier>({}), outer.spanContext().traceId, 'of=own'] as const,
            [other.inject<Carrier>({}), inner.spanContext().traceId, 'of=other'] as const,
          ]),
        ),
      ),
    );

    for (const [carrier, traceId, baggage] of carriers) {
      expect(carrier['traceparent']).toContain(traceId);
      expect(carrier['baggage']).toBe(baggage);
    }
    expect(own.withSpan('outer', () => other.run(() => other.inject({})))).toEqual({});
  });

  it('writes through a setter, and into Headers and maps', () => {
    const written: [string, string][] = [];
    const setter: TextMapSetter<string> = { set: (carrier, key, value) => void written.push([carrier + key, value]) };
    tracer().withSpan('work', () => {
      tracer().inject('to:', setter);
      const headers = tracer().inject(new Headers({ TraceParent: 'old' }));
      const map = tracer().inject(new Map([['TRACEPARENT', 'old']]));

      expect(written[0]).toEqual(['to:traceparent', headers.get('traceparent')]);
      expect([...map]).toEqual([['traceparent', headers.get('traceparent')]]);
    });
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a number', 7],
    ['a frozen object', Object.freeze({})],
    [
      'an object that throws',
      new Proxy(
        {},
        {
          set: () => {
            throw new Error('full');
          },
        },
      ),
    ],
  ])('never throws, given %s', (_, carrier) => {
    expect(tracer().withSpan('work', () => Object.is(tracer().inject(carrier as object), carrier))).toBe(true);
  });

  it('never throws when the setter does', () => {
    const setter: TextMapSetter = {
      set: () => {
        throw new Error('no');
      },
    };

    expect(tracer().withSpan('work', () => tracer().inject('carrier', setter))).toBe('carrier');
  });
});

describe('what is passed on of a remote span', () => {
  it('is its traceparent with the flags of level 2 alone: ff becomes 03', () => {
    const flags = [0x00, 0x01, 0x02, 0x03, 0xff, 0x100, -1, 1.5, Number.NaN];
    const passed = flags.map((traceFlags) => withRemote(tracer(), { traceFlags }, () => tracer().inject<Carrier>({})));

    expect(passed.map((carrier) => carrier['traceparent']?.slice(-3))).toEqual(
      ['00', '01', '02', '03', '03', '00', '03', '01', '00'].map((expected) => `-${expected}`),
    );
  });

  it('is its traceparent when it came by a header, and never a malformed one', () => {
    const through = (traceparent: string): unknown =>
      tracer().continueFrom({ traceparent }, () => tracer().inject<Carrier>({})['traceparent']);

    expect(through(TRACEPARENT)).toBe(TRACEPARENT);
    expect(through(`00-${TRACE_ID}-${SPAN_ID}-ff`)).toBe(`00-${TRACE_ID}-${SPAN_ID}-03`);
    expect(through(`cc-${TRACE_ID}-${SPAN_ID}-09-what-the-future-holds`)).toBe(TRACEPARENT);
    expect(through(`ff-${TRACE_ID}-${SPAN_ID}-01`)).toBeUndefined();
  });

  it('is a trace state that is well formed, whatever the host put into it', () => {
    const foreign = (text: unknown): never => ({ serialize: () => text, get: () => undefined }) as never;
    const passed = (traceState: never): unknown =>
      withRemote(tracer(), { traceState }, () => tracer().inject<Carrier>({})['tracestate']);

    expect(passed(createTraceState('a=1,b=2') as never)).toBe('a=1,b=2');
    expect(passed(foreign('a=1\r\nx: y'))).toBeUndefined();
    expect(passed(foreign(7))).toBeUndefined();
    expect(passed(foreign('no members'))).toBeUndefined();
  });

  it('is the trace state also to the spans of the tenant, and through them', async () => {
    const { registry: withReceivers, received } = await startTenants(['a', 'b']);
    const [a, b] = [withReceivers.get('a'), withReceivers.get('b')];
    const [own, other] = a.continueFrom({ traceparent: TRACEPARENT, tracestate: 'vendor=1' }, () =>
      a.withSpan('server', () => [a.inject<Carrier>({}), b.withSpan('foreign', () => b.inject<Carrier>({}))]),
    );

    expect(own?.['tracestate']).toBe('vendor=1');
    expect(other).not.toHaveProperty('tracestate');
    expect((await received('a'))['server']).toMatchObject({
      traceId: TRACE_ID,
      parentSpanId: SPAN_ID,
      traceState: 'vendor=1',
    });
    expect((await received('b'))['foreign']).toMatchObject({ parentSpanId: '', traceState: '' });
  });
});

describe('continueFrom and extract', () => {
  it('continue the trace and its sampling decision by default', () => {
    const contexts = tracer().continueFrom({ traceparent: TRACEPARENT }, () =>
      tracer().withSpan('server', (span) => span.spanContext()),
    );
    const unsampled = tracer().continueFrom({ traceparent: TRACEPARENT.replace(/01$/, '00') }, () =>
      tracer().withSpan('server', (span) => [span.isRecording(), span.spanContext().traceId]),
    );

    expect(contexts).toMatchObject({ traceId: TRACE_ID, traceFlags: 1 });
    expect(unsampled).toEqual([false, TRACE_ID]);
  });

  it('start a trace of their own with a link under "link", and one without under "ignore"', async () => {
    const { registry: withReceivers, received } = await startTenants(['a'], { tenant: () => ({ propagation: open }) });
    const a = withReceivers.get('a');
    const headers = { traceparent: TRACEPARENT.replace(/01$/, '00'), tracestate: 'v=1', baggage: 'key=value' };
    const baggage = (['parent', 'link', 'ignore'] as const).map((incoming) =>
      a.continueFrom(headers, { incoming }, () =>
        a.withSpan(incoming, () => {
          a.startSpan(`${incoming} child`).end();
          return a.getBaggage('key');
        }),
      ),
    );
    const spans = await received('a');

    expect(baggage).toEqual(['value', 'value', undefined]);
    expect(Object.keys(spans).sort()).toEqual(['ignore', 'ignore child', 'link', 'link child']);
    expect(spans['link']).toMatchObject({
      parentSpanId: '',
      links: [{ traceId: TRACE_ID, spanId: SPAN_ID, traceState: 'v=1' }],
    });
    expect(spans['link']?.traceId).not.toBe(TRACE_ID);
    expect(spans['link child']).toMatchObject({ parentSpanId: spans['link']?.spanId, links: [] });
    expect(spans['ignore']).toMatchObject({ parentSpanId: '', links: [], traceState: '' });
  });

  it('leave the trace that is under way, whatever the carrier holds', () => {
    const parents = (['parent', 'link', 'ignore'] as IncomingTrust[]).map((incoming) =>
      tracer().withSpan('outer', (outer) =>
        tracer().continueFrom({}, { incoming }, () =>
          tracer().withSpan('inner', (inner) => inner.spanContext().traceId === outer.spanContext().traceId),
        ),
      ),
    );

    expect(parents).toEqual([false, false, false]);
  });

  it('enter the tenant, and only for the function', () => {
    const headers = { traceparent: TRACEPARENT, baggage: 'key=value' };
    const inside = tracer().continueFrom(headers, () => registry.current()?.tenantId);
    const context = tracer().extract(headers);

    expect(inside).toBe('open');
    expect(registry.current()).toBeUndefined();
    expect(tracer().getBaggage('key')).toBeUndefined();
    expect(trace.getSpanContext(context)).toMatchObject({ traceId: TRACE_ID, isRemote: true });
    expect(contextApi.with(context, () => tracer().getBaggage('key'))).toBe('value');
  });

  it('give a context that startSpan can continue, and that is nothing to another tenant', () => {
    const context = tracer().extract({ traceparent: TRACEPARENT });
    const [own, other] = [tracer().startSpan('own', {}, context), tracer('other').startSpan('other', {}, context)];

    expect(own.spanContext().traceId).toBe(TRACE_ID);
    expect(other.spanContext().traceId).not.toBe(TRACE_ID);
  });

  it('do nothing of what a header asks but continue the trace: it never names a tenant', () => {
    const headers = { traceparent: TRACEPARENT, baggage: 'tenant=other,tenant.id=other', tracestate: 'tenant=other' };

    expect(tracer().continueFrom(headers, () => registry.current()?.tenantId)).toBe('open');
  });

  const malformed: Record<string, unknown> = {
    'an unknown kind of text': 'traceparent',
    'version ff': `ff-${TRACE_ID}-${SPAN_ID}-01`,
    'version 00 with something behind it': `${TRACEPARENT}-x`,
    'upper-case digits': TRACEPARENT.toUpperCase(),
    'a trace id of zeros': `00-${'0'.repeat(32)}-${SPAN_ID}-01`,
    'a span id of zeros': `00-${TRACE_ID}-${'0'.repeat(16)}-01`,
    'a short trace id': `00-${TRACE_ID.slice(1)}-${SPAN_ID}-01`,
    'no flags': `00-${TRACE_ID}-${SPAN_ID}`,
    'two headers': [TRACEPARENT, TRACEPARENT],
    'two headers joined': `${TRACEPARENT},${TRACEPARENT}`,
    'a number': 7,
    'an empty text': '',
    'a line break': `${TRACEPARENT}\r\nx: y`,
  };

  it.each(Object.keys(malformed))('start a new trace for a traceparent that is malformed: %s', (kind) => {
    const headers = { traceparent: malformed[kind], tracestate: 'v=1', baggage: 'key=value' };
    const [span, baggage] = tracer().continueFrom(headers, () =>
      tracer().withSpan('server', (started) => [started.spanContext(), tracer().getBaggage('key')] as const),
    );

    expect(span.traceId).not.toBe(TRACE_ID);
    expect(span).toMatchObject({ traceFlags: 3 });
    expect(span.traceState).toBeUndefined();
    expect(baggage).toBe('value');
  });

  it('keep the traceparent when the tracestate or the baggage is malformed', () => {
    const carrier = tracer().continueFrom({ traceparent: TRACEPARENT, tracestate: '=,=', baggage: '=;,\u0000' }, () =>
      tracer().inject<Carrier>({}),
    );

    expect(carrier).toEqual({ traceparent: TRACEPARENT });
  });

  const getter: TextMapGetter<Map<string, string>> = {
    keys: (carrier) => [...carrier.keys()],
    get: (carrier, key) => carrier.get(`x-${key}`),
  };
  const carriers: Record<string, [unknown, TextMapGetter?]> = {
    'an object with another casing': [{ TraceParent: TRACEPARENT }],
    'an object with an array': [{ traceparent: [TRACEPARENT] }],
    Headers: [new Headers({ traceparent: TRACEPARENT })],
    'a map': [new Map([['Traceparent', TRACEPARENT]])],
    'an array of pairs': [[['traceparent', TRACEPARENT]]],
    'what a getter reads': [new Map([['x-traceparent', TRACEPARENT]]), getter as TextMapGetter],
    'text with spaces around it': [{ traceparent: `  ${TRACEPARENT}\t` }],
  };

  it.each(Object.keys(carriers))('read %s', (kind) => {
    const [carrier, ofCarrier] = carriers[kind] ?? [];

    expect(trace.getSpanContext(tracer().extract(carrier, { getter: ofCarrier }))?.traceId).toBe(TRACE_ID);
  });

  const hostile: Record<string, [unknown, unknown?]> = {
    nothing: [undefined],
    null: [null],
    'a number': [7],
    'a proxy that throws': [
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no');
          },
          ownKeys: () => {
            throw new Error('no');
          },
        },
      ),
    ],
    'a getter that throws': [
      {},
      {
        getter: {
          keys: () => [],
          get: () => {
            throw new Error('no');
          },
        },
      },
    ],
    'a getter that is none': [{ traceparent: TRACEPARENT }, { getter: {} }],
    'options that throw': [
      {},
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no');
          },
        },
      ),
    ],
    'options that are none': [{}, 'options'],
    'an unknown trust': [{ traceparent: TRACEPARENT }, { incoming: 'whatever' }],
  };

  it.each(Object.keys(hostile))('run the function in the tenant, in a trace of its own, given %s', (kind) => {
    const [carrier, options] = hostile[kind] ?? [];
    const seen = tracer().continueFrom(carrier, options as object | undefined, () =>
      tracer().withSpan('work', (span) => [registry.current()?.tenantId, span.spanContext().traceId === TRACE_ID]),
    );

    expect(seen).toEqual(['open', false]);
  });

  it('do not call what is no function', () => {
    expect(tracer().continueFrom({}, 'no function' as never)).toBeUndefined();
    expect(tracer().continueFrom({}, {}, undefined as never)).toBeUndefined();
  });
});

describe('the baggage allow-list', () => {
  const inbound = { baggage: 'allowed=1,other=2,secret=3' };
  const keys = ['allowed', 'other', 'secret'];

  function inside(id: string): (string | undefined)[] {
    return tracer(id).continueFrom(inbound, () => keys.map((key) => tracer(id).getBaggage(key)));
  }

  function outside(id: string): string | undefined {
    const entries = { allowed: '1', other: '2', secret: '3' };
    return tracer(id).withBaggage(entries, () => tracer(id).inject<Carrier>({})['baggage']);
  }

  it('lets nothing in or out by default', () => {
    expect(inside('closed')).toEqual([undefined, undefined, undefined]);
    expect(outside('closed')).toBeUndefined();
  });

  it('lets in and out what it names', () => {
    expect(inside('listed')).toEqual(['1', '2', undefined]);
    expect(outside('listed')).toBe('allowed=1,other=2');
  });

  it('lets in and out what a function says is allowed, and nothing for which it fails or says something else', () => {
    expect(inside('open')).toEqual(['1', '2', '3']);
    expect(outside('open')).toBe('allowed=1,other=2,secret=3');
    expect(inside('throwing')).toEqual(['1', undefined, undefined]);
    expect(outside('throwing')).toBe('allowed=1');
    expect(inside('truthy')).toEqual([undefined, undefined, undefined]);
    expect(outside('truthy')).toBeUndefined();
  });

  it('holds for baggage that was set through OpenTelemetry as well', () => {
    const baggage = propagation.createBaggage({ allowed: { value: 'äö, ü' }, secret: { value: 's' } });
    const carrier = withHostBaggage(tracer('listed'), baggage, () => tracer('listed').inject<Carrier>({}));

    expect(carrier).toEqual({ baggage: 'allowed=%C3%A4%C3%B6%2C%20%C3%BC' });
  });

  it('does not keep what came in from one request for the next', () => {
    const seen = tracer().continueFrom({ baggage: 'first=1' }, () =>
      tracer().continueFrom({ baggage: 'second=2' }, () => ['first', 'second'].map((key) => tracer().getBaggage(key))),
    );

    expect(seen).toEqual([undefined, '2']);
  });
});

describe('whatever is injected', () => {
  let server: http.Server;
  let received: IncomingHttpHeaders[];

  beforeAll(async () => {
    received = [];
    server = http.createServer((request, response) => {
      received.push(request.headers);
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  async function sendWith(headers: Carrier): Promise<IncomingHttpHeaders | undefined> {
    const { port } = server.address() as AddressInfo;
    // Throws ERR_INVALID_CHAR for a header that Node would not send.
    const request = http.get({ port, host: '127.0.0.1', headers });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    await once(response, 'end');
    return received.at(-1);
  }

  it('of baggage metadata with a line break is not sent at all', async () => {
    const entry = (text: string): BaggageEntry => ({ value: 'v', metadata: baggageEntryMetadataFromString(text) });
    const baggage = propagation.createBaggage({ good: entry('p=1'), bad: entry('p=1\r\nx-injected: yes') });
    const carrier = withHostBaggage(tracer(), baggage, () => tracer().inject<Carrier>({}));

    expect(await sendWith(carrier)).toMatchObject({ baggage: 'good=v;p=1' });
    expect(received.at(-1)).not.toHaveProperty('x-injected');
  });

  it('is accepted by http.request and is well formed, for any span context and any baggage', async () => {
    const spanContext = fc.record({
      traceId: fc.oneof(fc.constant(TRACE_ID), ODD_STRINGS, fc.constant(7 as never)),
      spanId: fc.oneof(fc.constant(SPAN_ID), ODD_STRINGS),
      traceFlags: fc.oneof(fc.integer(), fc.double(), fc.constant('01' as never)),
      traceState: fc.oneof(
        fc.constant(undefined),
        ODD_STRINGS.map((text) => ({ serialize: () => text }) as never),
      ),
    });
    const entries = fc.dictionary(
      fc.oneof(ODD_STRINGS, fc.constantFrom('key', '__proto__', 'constructor')),
      fc.record({ value: ODD_STRINGS, metadata: ODD_STRINGS.map((text) => ({ toString: () => text }) as never) }),
    );
    let sent = 0;
    await fc.assert(
      fc.asyncProperty(spanContext, entries, fc.boolean(), async (remote, baggage, isRemote) => {
        const carrier = tracer().run(() => {
          const span = trace.wrapSpanContext({ ...remote, isRemote } as unknown as SpanContext);
          const context = propagation.setBaggage(
            trace.setSpan(contextApi.active(), span),
            propagation.createBaggage(baggage as Record<string, BaggageEntry>),
          );
          return contextApi.with(context, () => tracer().withSpan('work', () => tracer().inject<Carrier>({})));
        });
        for (const [name, value] of Object.entries(carrier)) {
          http.validateHeaderName(name);
          http.validateHeaderValue(name, value);
        }
        expect(carrier['traceparent']).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-3]$/);
        expect(carrier['tracestate'] ?? 'a=1').toMatch(/^[a-z0-9][\w\-*/@]*=[^,=]+(,[a-z0-9][\w\-*/@]*=[^,=]+)*$/);
        expect(carrier['baggage'] ?? 'a=1').toMatch(/^([\w!#$%&'*+\-.^`|~]+=[^",;\\\s]*(;[^",\\]+)*(,|$))+$/);
        sent += 1;
        if (sent % 20 === 0) expect(await sendWith(carrier)).toMatchObject(carrier);
      }),
      { numRuns: 2_000 },
    );
  });

  it('continues as the same trace in the tenant that receives it', () => {
    const values = fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), fc.string({ unit: 'grapheme' }), {
      maxKeys: 5,
    });
    fc.assert(
      fc.property(values, (baggage) => {
        const own = tracer();
        const [carrier, sent] = own.withBaggage(baggage, () =>
          own.withSpan('client', (span: Span) => [own.inject<Carrier>({}), span.spanContext()] as const),
        );
        own.continueFrom(carrier, () => {
          expect(trace.getActiveSpan()?.spanContext()).toEqual({ ...sent, isRemote: true });
          expect(Object.keys(baggage).map((key) => own.getBaggage(key))).toEqual(
            Object.values(baggage).map((value) => Buffer.from(value).toString()),
          );
        });
      }),
      { numRuns: 500 },
    );
  });
});

describe('an ordinary OpenTelemetry context outside of every tenant', () => {
  it('gives a tenant that is entered in it neither its remote span nor its baggage', () => {
    const baggage = propagation.createBaggage({ key: { value: 'of the host' } });
    const remote = { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 0, isRemote: true };
    const host = propagation.setBaggage(trace.setSpanContext(ROOT_CONTEXT, remote), baggage);
    const seen = contextApi.with(host, () =>
      tracer().withSpan('work', (span) => [
        span.isRecording(),
        span.spanContext().traceId === TRACE_ID,
        tracer().getBaggage('key'),
        propagation.getActiveBaggage(),
      ]),
    );

    expect(seen).toEqual([true, false, undefined, undefined]);
  });
});
