import { performance } from 'node:perf_hooks';
import {
  type Attributes,
  type Context,
  type Exception,
  type HrTime,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
  trace,
} from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createTracer, type LimitOptions, type Tracer } from '../../src/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { SDK_MAJOR } from '../support/host-sdk.ts';
import { HUGE_STRING } from '../support/hostile-values.ts';
import { type OtlpReceiver, startReceiver } from '../support/otlp-receiver.ts';

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/**
 * The SDK's span and ours get the same calls, and everything that a `ReadableSpan` tells is compared. Where they differ
 * on purpose, the calls below stay clear of it:
 *
 * - Attribute values: ours also keeps objects, nested and mixed arrays, bytes, dates and bigints (the specification's
 *   AnyValue) where the SDK ignores them; it leaves `null` out of events and links too, where the SDK keeps it.
 * - Bounds that the SDK does not have: 8,192 characters of a name and a status message, 1,024 of a key, 1,024 elements
 *   of an array, 8,192 characters of a value unless set otherwise, and a length limit of 0 means 0, not "none".
 * - Values that are no names, times, statuses or links: ours ignores them, or counts a link as dropped; the SDK throws,
 *   or passes on what an exporter cannot send.
 * - Exceptions: one without a prototype is recorded, where the SDK may throw; a number, symbol or bigint with
 *   its text; the SDK records none.
 * - Keys: ours keeps an attribute named `__proto__`; the SDK loses it.
 * - Ids: roots of ours carry the random flag of W3C Trace Context level 2, unless the host generates the ids.
 * - A reading of `performance.now()` counts from `timeOrigin`; the SDK adds how far the wall clock has drifted since.
 * - Ending a span inside `onEnding` is ignored; the SDK recurses. A processor that adds to a span in `onEnd` is ignored.
 */
describe("a span beside the SDK's", () => {
  it('tells the same after the same calls', () => {
    fc.assert(
      fc.property(limits, startOptions, fc.array(call, { maxLength: 24 }), (spanLimits, options, calls) => {
        const { stock, own, clock } = pair(spanLimits, options);
        for (const { run, pause } of calls) {
          clock.advance(pause);
          run(stock);
          run(own);
          expectSame(own, stock);
        }
        stock.end();
        own.end();
        expectSame(own, stock);
      }),
      { numRuns: 1_000 },
    );
  });

  it('tells the same of the edges that chance seldom finds', () => {
    const traceId = '0'.repeat(32);
    const zero = { context: { traceId, spanId: '0'.repeat(16), traceFlags: 0 } };
    const { stock, own } = pair(
      { linkCountLimit: 2, eventCountLimit: 1, attributeCountLimit: 2 },
      { links: [zero, zero, zero] },
    );
    for (const span of [stock, own]) {
      span.setAttributes({ b: 1, a: 2, c: 3 }).setAttribute('b', 4).setAttribute('d', 5);
      span.addEvent('first', { x: 1 }, [1, 2]).addEvent('second', new Date(5), [3, 4]);
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'bad' }).setStatus({ code: SpanStatusCode.UNSET });
      span.setStatus({ code: SpanStatusCode.OK, message: 'ignored' }).setStatus({ code: SpanStatusCode.ERROR });
      span.end([0, 1]);
      span.end([9, 9]);
      span.setAttribute('late', 1).updateName('late').addEvent('late');
      span.recordException('late');
    }
    expectSame(own, stock);
    expect(own).toMatchObject({ droppedLinksCount: 1, droppedEventsCount: 1, droppedAttributesCount: 2 });
    expect(own.attributes).toEqual({ b: 4, a: 2 });
    expect(own.status).toEqual({ code: SpanStatusCode.OK });
    expect(own.duration).toEqual([0, 0]);
  });
});

describe('a span', () => {
  it('keeps what OTLP can carry and the SDK ignores', async () => {
    const { receiver, tracer } = await delivering();
    const span = tracer.startSpan('rich');
    span.setAttribute('nested', { list: [1, 'two', { three: true }], none: null } as never);
    span.setAttribute('big', (2n ** 60n) as never);
    span.setAttribute('exact', 7n as never);
    span.setAttribute('bytes', Uint8Array.of(1, 2) as never);
    span.setAttribute('when', new Date(0) as never);
    span.end();
    await tracer.flush();
    expect(receiver.spans()[0]?.attributes).toEqual({
      nested: { list: [1, 'two', { three: true }], none: null },
      big: '1152921504606846976',
      exact: 7,
      bytes: Uint8Array.of(1, 2),
      when: '1970-01-01T00:00:00.000Z',
    });
  });

  it('ignores, or counts as dropped, what is no link, time, kind or status', () => {
    const tracer = quietTracer();
    const span = tracer.startSpan('odd', {
      kind: 'CLIENT' as never,
      startTime: 'yesterday' as never,
      links: [null, {}, { context: { traceId: 'xyz', spanId: '1', traceFlags: 1 } }] as never,
    }) as unknown as ReadableSpan & Span;
    span.setStatus({ code: 99 as never, message: 'x' });
    span.updateName(5 as never);
    span.end('tomorrow' as never);
    expect(span).toMatchObject({
      name: 'odd',
      kind: SpanKind.INTERNAL,
      status: { code: SpanStatusCode.UNSET },
      links: [],
    });
    expect(span.startTime[0]).toBeGreaterThan(1_600_000_000);
    expect(span.endTime[0]).toBeGreaterThan(1_600_000_000);
    expect(span.droppedLinksCount).toBeGreaterThan(0);
  });

  it('keeps the latest of very many links, and counts the others', () => {
    const tracer = quietTracer();
    const links = new Array<Link>(4_000_000_000);
    links[3_999_999_999] = { context: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 } };
    const span = tracer.startSpan('linked') as unknown as ReadableSpan & Span;
    span.addLinks(links);
    expect(span.links).toHaveLength(1);
  });

  it('drops a trace state that is none from a link, so that it can be sent', async () => {
    const { receiver, tracer } = await delivering();
    const context = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1, traceState: {} as never };
    tracer.startSpan('linked', { links: [{ context }] }).end();
    await tracer.flush();
    expect(receiver.spans()[0]?.links).toMatchObject([
      { traceId: context.traceId, spanId: context.spanId, traceState: '' },
    ]);
  });

  it('ends once, also when a processor ends it in onEnding', async () => {
    const calls: string[] = [];
    const processor = {
      ...noProcessor(),
      onEnding: (span: Span) => {
        calls.push('onEnding');
        span.setAttribute('last', true).end();
      },
      onEnd: () => void calls.push('onEnd'),
    };
    const { receiver, tracer } = await delivering([processor as never]);
    tracer.startSpan('once').end();
    await tracer.flush();
    expect(calls).toEqual(['onEnding', 'onEnd']);
    expect(receiver.spans()).toMatchObject([{ name: 'once', attributes: { last: true } }]);
    expect(tracer.stats()).toMatchObject({ started: 1, open: 0 });
  });

  it('exports what a processor left of it: redaction in onEnd works as with the SDK', async () => {
    const processor = {
      ...noProcessor(),
      onEnd: (span: ReadableSpan) => {
        delete span.attributes['card.number'];
        span.attributes['card.kind'] = 'redacted';
        for (const event of span.events) delete event.attributes?.['card.number'];
        for (const link of span.links) delete link.attributes?.['card.number'];
        (span as { name: string }).name = 'redacted';
        (span.status as SpanStatus).message = 'redacted';
      },
    };
    const { receiver, tracer } = await delivering([processor]);
    const secret = { 'card.number': '4111', kept: 1 };
    const context = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 };
    const span = tracer.startSpan('4111', { attributes: secret, links: [{ context, attributes: secret }] });
    span.addEvent('paid', secret);
    span.setStatus({ code: SpanStatusCode.ERROR, message: '4111' });
    span.end();
    await tracer.flush();
    const [sent] = receiver.spans();
    expect(sent).toMatchObject({ name: 'redacted', status: { message: 'redacted' } });
    expect(sent?.attributes).toEqual({ kept: 1, 'card.kind': 'redacted' });
    expect(sent?.events[0]?.attributes).toEqual({ kept: 1 });
    expect(sent?.links[0]?.attributes).toEqual({ kept: 1 });
    expect(Buffer.from(receiver.requests[0]?.body ?? []).includes('4111')).toBe(false);
  });

  it('exports what a processor changed in its status and its flags, and in nobody else’s', async () => {
    const processor = {
      ...noProcessor(),
      onEnd: (span: ReadableSpan) => {
        (span.status as SpanStatus).message = 'changed';
        if (span.name === 'not wanted') span.spanContext().traceFlags = 0;
      },
    };
    const { receiver, tracer } = await delivering([processor]);
    const other = await delivering();
    for (const name of ['wanted', 'not wanted']) tracer.startSpan(name).end();
    other.tracer.startSpan('other').end();
    await Promise.all([tracer.flush(), other.tracer.flush()]);
    expect(receiver.spans()).toMatchObject([{ name: 'wanted', status: { message: 'changed' } }]);
    expect(other.receiver.spans()).toMatchObject([{ name: 'other', status: { message: '' } }]);
  });

  it('is on the wire what it says that it is, asked before or after its end', async () => {
    const { receiver, tracer } = await delivering();
    const remote = { traceId: '0f'.repeat(16), spanId: '8a'.repeat(8), traceFlags: 1, isRemote: true };
    const spans: Span[] = [];
    const start = (name: string, context?: Context): Span => {
      const span = context === undefined ? tracer.startSpan(name) : tracer.startSpan(name, {}, context);
      spans.push(span);
      return span;
    };
    tracer.startActiveSpan('parent', (parent) => {
      spans.push(parent);
      start('child');
      start('asked').spanContext();
      parent.end();
    });
    start('continued', trace.setSpanContext(ROOT_CONTEXT, remote));
    for (const span of spans) span.end();
    await tracer.flush();
    const sent = new Map(receiver.spans().map((span) => [span.name, span]));
    expect(sent.size).toBe(4);
    for (const span of spans as (Span & ReadableSpan)[]) {
      const nanos = ([seconds, rest]: HrTime): bigint => BigInt(seconds) * 1_000_000_000n + BigInt(rest);
      expect(sent.get(span.name)).toMatchObject({
        traceId: span.spanContext().traceId,
        spanId: span.spanContext().spanId,
        parentSpanId: span.parentSpanContext?.spanId ?? '',
        startTimeUnixNano: nanos(span.startTime),
        endTimeUnixNano: nanos(span.endTime),
      });
    }
    expect(sent.get('child')?.parentSpanId).toBe(sent.get('parent')?.spanId);
    expect(sent.get('continued')).toMatchObject({ traceId: remote.traceId, parentSpanId: remote.spanId, flags: 0x301 });
  });

  it('goes on taking changes after a processor has read or replaced its attributes', async () => {
    const processor = {
      ...noProcessor(),
      onStart: (span: ReadableSpan) => {
        (span as { attributes: Attributes }).attributes = { ...span.attributes, replaced: true };
      },
      onEnd: (span: ReadableSpan) => {
        span.events.push({ name: 5 } as never, { name: 'added', time: [1, 2] });
      },
    };
    const { receiver, tracer } = await delivering([processor]);
    const span = tracer.startSpan('read', { attributes: { first: 1 } });
    expect((span as unknown as ReadableSpan).events).toEqual([]);
    span.setAttribute('second', 2).setAttributes({ third: 3, second: 4 }).addEvent('own');
    span.end();
    await tracer.flush();
    expect(receiver.spans()[0]?.attributes).toEqual({ first: 1, replaced: true, second: 4, third: 3 });
    expect(receiver.spans()[0]?.events.map(({ name }) => name)).toEqual(['own', 'added']);
  });

  it('holds no more of 100 MB strings than its limits', () => {
    const tracer = quietTracer();
    const span = tracer.startSpan(HUGE_STRING) as unknown as ReadableSpan & Span;
    const huge = { text: HUGE_STRING, list: [HUGE_STRING], [HUGE_STRING]: 1 };
    span
      .setAttributes(huge)
      .addEvent(HUGE_STRING, huge)
      .setStatus({ code: SpanStatusCode.ERROR, message: HUGE_STRING });
    span.recordException({ name: HUGE_STRING, message: HUGE_STRING, stack: HUGE_STRING });
    span.updateName(HUGE_STRING);
    const [event, exception] = span.events;
    const kept = [
      span.name,
      span.status.message,
      event?.name,
      span.attributes['text'],
      exception?.attributes?.['exception.stacktrace'],
    ];
    expect(kept.map((text) => String(text).length)).toEqual([8_192, 8_192, 8_192, 8_192, 8_192]);
    expect(span.attributes['list']).toEqual(['x'.repeat(8_192)]);
    expect(Object.keys(span.attributes)).toEqual(['text', 'list']);
    expect(span.droppedAttributesCount).toBe(1);
  });

  it('keeps nothing of 100 MB strings alive', () => {
    const tracer = quietTracer();
    const fill = (index: number): Span => {
      const text = `${index}${'y'.repeat(100_000_000)}`;
      const span = tracer.startSpan(text, { attributes: { text } });
      span.addEvent(text, { text }).setStatus({ code: SpanStatusCode.ERROR, message: text });
      span.recordException(new Error(text));
      return span;
    };
    const before = heapAfterCollection();
    const spans = [1, 2, 3].map(fill);
    expect(heapAfterCollection() - before).toBeLessThan(5_000_000);
    for (const span of spans) span.end();
  });
});

describe("the SDK's exporters and processors", () => {
  it('read our spans: InMemorySpanExporter', async () => {
    const exporter = new InMemorySpanExporter();
    const tracer = createTracer({ service: { name: 'shop' }, exporter, logger: SILENT });
    tracer.withSpan('work', { kind: SpanKind.SERVER }, (span) => span.setAttribute('a', 1));
    await tracer.flush();
    const [span] = exporter.getFinishedSpans();
    expect(span).toMatchObject({ name: 'work', kind: SpanKind.SERVER, attributes: { a: 1 }, ended: true });
    expect(span?.resource.attributes).toMatchObject({ 'service.name': 'shop' });
    expect(span?.instrumentationScope.name).toBe('isotrace');
  });
});

interface Call {
  readonly run: Action;
  /** Milliseconds before it. */
  readonly pause: number;
}

const TIME_FROM = 1_700_000_000_000;
type Action = (span: Span) => void;

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 12 }));
const key = fc.oneof(fc.constantFrom('a', 'b', 'c', 'd', ''), text).filter((name) => name !== '__proto__');
const value = fc.oneof(
  text,
  fc.double(),
  fc.boolean(),
  fc.array(text, { maxLength: 4 }),
  fc.array(fc.integer(), { maxLength: 4 }),
  fc.array(fc.option(fc.boolean()), { maxLength: 4 }),
);
const attributes = fc
  .array(fc.tuple(key, value), { maxLength: 6 })
  .map((entries): Attributes => Object.fromEntries(entries));
/** With which spans, events and links begin: version 3 of the SDK counts those without a key as dropped; version 2 ignores them, and so do we. */
const givenAttributes = SDK_MAJOR < 3 ? attributes : attributes.map(({ '': _, ...named }) => named);
const time: fc.Arbitrary<TimeInput> = fc.oneof(
  fc.tuple(fc.integer({ min: 1, max: 2_000_000_000 }), fc.integer({ min: 0, max: 999_999_999 })),
  fc.integer({ min: TIME_FROM, max: TIME_FROM + 1_000_000 }),
  fc.integer({ min: TIME_FROM, max: TIME_FROM + 1_000_000 }).map((millis) => new Date(millis)),
  fc.integer({ min: 0, max: 5 }),
);
const maybeTime = fc.option(time, { nil: undefined });
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const link: fc.Arbitrary<Link> = fc.record(
  {
    context: fc.record({ traceId: hex(32), spanId: hex(16), traceFlags: fc.constantFrom(0, 1) }),
    attributes: givenAttributes,
  },
  { requiredKeys: ['context'] },
);
const status = fc.record(
  { code: fc.constantFrom(SpanStatusCode.UNSET, SpanStatusCode.OK, SpanStatusCode.ERROR), message: text },
  { requiredKeys: ['code'] },
);
const exception: fc.Arbitrary<Exception> = fc.oneof(
  text,
  fc.record(
    { code: fc.oneof(text, fc.integer()), name: text, message: text, stack: text },
    { requiredKeys: ['message'], noNullPrototype: true },
  ),
  text.map((message) => new RangeError(message)),
);
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.tuple(key, value).map(
    ([k, v]) =>
      (span: Span) =>
        span.setAttribute(k, v),
  ),
  attributes.map((given) => (span: Span) => span.setAttributes(given)),
  fc.tuple(text, fc.option(givenAttributes, { nil: undefined }), maybeTime).map(
    ([n, a, t]) =>
      (span: Span) =>
        span.addEvent(n, a, t),
  ),
  fc.tuple(text, time, maybeTime).map(
    ([n, t, other]) =>
      (span: Span) =>
        span.addEvent(n, t, other),
  ),
  link.map((given) => (span: Span) => span.addLink(given)),
  fc.array(link, { maxLength: 5 }).map((given) => (span: Span) => span.addLinks(given)),
  status.map((given) => (span: Span) => span.setStatus(given)),
  text.map((name) => (span: Span) => span.updateName(name)),
  fc.tuple(exception, maybeTime).map(
    ([e, t]) =>
      (span: Span) =>
        span.recordException(e, t),
  ),
  maybeTime.map((t) => (span: Span) => span.end(t)),
);
const call: fc.Arbitrary<Call> = fc.record({ run: action, pause: fc.integer({ min: 0, max: 3_000 }) });
const startOptions: fc.Arbitrary<SpanOptions> = fc.record(
  {
    kind: fc.constantFrom(SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER),
    attributes: givenAttributes,
    links: fc.array(link, { maxLength: 5 }),
    startTime: time,
  },
  { requiredKeys: [] },
);
const count = fc.integer({ min: 0, max: 5 });
const limits: fc.Arbitrary<LimitOptions> = fc.record({
  attributeCountLimit: count,
  attributeValueLengthLimit: fc.integer({ min: 1, max: 16 }),
  eventCountLimit: count,
  linkCountLimit: count,
  attributePerEventCountLimit: count,
  attributePerLinkCountLimit: count,
});

/** The SDK's span and ours, with the same ids, limits, options and time. */
function pair(spanLimits: LimitOptions, options: SpanOptions) {
  // Both read the same clock, which runs with the reading of `performance.now()`.
  const clock = new FakeClock({ startEpochMillis: performance.timeOrigin });
  vi.spyOn(performance, 'now').mockImplementation(() => clock.monotonic());
  vi.spyOn(Date, 'now').mockImplementation(() => clock.now());
  clock.advance(10);
  const idGenerator = { generateTraceId: () => 'c'.repeat(32), generateSpanId: () => 'd'.repeat(16) };
  const provider = new TracerProvider({ idGenerator, spanLimits: spanLimits as never });
  const tracer = createTracer({ idGenerator, limits: spanLimits, clock, logger: SILENT });
  const stock = provider.getTracer('isotrace').startSpan('name', options) as ReadableSpan & Span;
  const own = tracer.startSpan('name', options) as unknown as ReadableSpan & Span;
  return { stock, own, clock };
}

function expectSame(own: ReadableSpan & Span, stock: ReadableSpan & Span): void {
  expect(comparable(own)).toEqual(comparable(stock));
  const times = (span: ReadableSpan): HrTime[] => [
    span.startTime,
    span.endTime,
    span.duration,
    ...span.events.map((event) => event.time),
  ];
  const [ours, theirs] = [times(own), times(stock)];
  for (const [index, time] of ours.entries()) expect(nanosBetween(time, theirs[index] as HrTime)).toBeLessThan(1_000n);
}

function comparable(span: ReadableSpan & Span): unknown {
  const { name, kind, parentSpanContext, status, attributes, ended } = span;
  const { droppedAttributesCount, droppedEventsCount, droppedLinksCount } = span;
  // Nothing and none are the same: the SDK of version 2 writes the one where version 3 writes the other.
  const none = { attributes: {}, droppedAttributesCount: 0 };
  const links = span.links.map((link) => ({ ...none, ...link }));
  const events = span.events.map(({ time: _, ...event }) => ({
    ...none,
    ...event,
    attributes: Object.entries(event.attributes ?? {}),
  }));
  const { traceState: _, ...context } = span.spanContext();
  return {
    name,
    kind,
    context,
    parentSpanContext,
    status,
    // In their order.
    attributes: Object.entries(attributes),
    events,
    links,
    ended,
    recording: span.isRecording(),
    dropped: [droppedAttributesCount, droppedEventsCount, droppedLinksCount],
  };
}

/** The two add up fractions of milliseconds in a different order. */
function nanosBetween(one: HrTime, other: HrTime): bigint {
  const nanos = ([seconds, rest]: HrTime): bigint => BigInt(seconds) * 1_000_000_000n + BigInt(Math.round(rest));
  const difference = nanos(one) - nanos(other);
  return difference < 0n ? -difference : difference;
}

async function delivering(spanProcessors: SpanProcessor[] = []): Promise<{ receiver: OtlpReceiver; tracer: Tracer }> {
  const receiver = await startReceiver();
  const tracer = createTracer({ destination: { endpoint: receiver.url }, spanProcessors, logger: SILENT });
  cleanups.push(
    () => receiver.close(),
    () => tracer.shutdown(),
  );
  return { receiver, tracer };
}

function quietTracer(): Tracer {
  const tracer = createTracer({ logger: SILENT });
  cleanups.push(() => tracer.shutdown({ timeoutMillis: 0 }));
  return tracer;
}

function noProcessor(): SpanProcessor {
  return { onStart: () => {}, onEnd: () => {}, forceFlush: async () => {}, shutdown: async () => {} };
}

function heapAfterCollection(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
