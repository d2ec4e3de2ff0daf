import type { HrTime, Link, SpanContext, SpanStatus } from '@opentelemetry/api';
import { createTraceState } from '@opentelemetry/api';
import fc from 'fast-check';
import type { AttributeList, AttributeValue, EndedSpan } from '../../src/processing/ended-span.ts';

export type Attributes = Record<string, AttributeValue>;

export interface EventModel {
  name: string;
  time: HrTime;
  attributes: Attributes;
  droppedAttributesCount: number;
}

export interface SpanModel {
  name: string;
  kind: number;
  context: SpanContext;
  parent: SpanContext | undefined;
  startTime: HrTime;
  endTime: HrTime;
  status: SpanStatus;
  attributes: Attributes;
  events: EventModel[];
  links: (Link & { attributes: Attributes; droppedAttributesCount: number })[];
  droppedAttributesCount: number;
  droppedEventsCount: number;
  droppedLinksCount: number;
  scopeIndex: number;
}

export interface RequestModel {
  resource: Attributes;
  schemaUrl: string;
  scopes: { name: string; version: string | undefined }[];
  spans: SpanModel[];
}

/** What no encoder may let through, as changes to a `plainSpan`; the last for a writer of at most 64 KiB. */
export const brokenSpans: readonly (readonly [string, object])[] = [
  ['a short trace id', { context: { traceId: 'abc', spanId: 'cd'.repeat(8), traceFlags: 1 } }],
  ['a span id that is not hex', { context: { traceId: 'ab'.repeat(16), spanId: 'no hex at all!!!', traceFlags: 1 } }],
  ['digits of another script', { context: { traceId: 'ab'.repeat(16), spanId: '१'.repeat(16), traceFlags: 1 } }],
  ['a parent without a proper id', { parent: { traceId: 'ab'.repeat(16), spanId: 'x', traceFlags: 1 } }],
  ['a start that is not a number', { startTime: [Number.NaN, 0] }],
  ['an end before 1970', { endTime: [-1, 0] }],
  ['negative nanoseconds', { endTime: [1, -1] }],
  ['more nanoseconds than can be added exactly', { endTime: [1, 2 ** 60] }],
  ['an infinite time', { endTime: [Number.POSITIVE_INFINITY, 0] }],
  ['a time beyond 64 bits', { endTime: [18_446_744_073, 709_551_616] }],
  ['no time at all', { endTime: undefined }],
  ['an event without a time', { events: [{ name: 'e', time: [Number.NaN, 0], attributes: {} }] }],
  ['a link to nowhere', { links: [{ context: { traceId: '', spanId: '', traceFlags: 0 }, attributes: {} }] }],
  ['more than the writer may hold', { attributes: { large: 'x'.repeat(100_000) } }],
];

/** The span as the encoders of isotrace take it. */
export function toEndedSpan(span: SpanModel): EndedSpan {
  return {
    name: span.name,
    kind: span.kind,
    context: span.context,
    parentContext: span.parent,
    startTime: span.startTime,
    endTime: span.endTime,
    status: span.status,
    attributeList: listOf(span.attributes),
    eventList: span.events.map((event) => ({ ...event, attributes: listOf(event.attributes) })),
    linkList: span.links.map((link) => ({ ...link, attributes: listOf(link.attributes) })),
    droppedAttributesCount: span.droppedAttributesCount,
    droppedEventsCount: span.droppedEventsCount,
    droppedLinksCount: span.droppedLinksCount,
  };
}

export function listOf(attributes: Attributes): AttributeList {
  return { keys: Object.keys(attributes), values: Object.values(attributes) };
}

/** The spans as the serializers of OpenTelemetry take them. */
export function toReadableSpans({ resource, schemaUrl, scopes, spans }: RequestModel): unknown[] {
  const sharedResource = { attributes: resource, schemaUrl };
  return spans.map((span) => ({
    ...span,
    spanContext: () => span.context,
    parentSpanContext: span.parent,
    resource: sharedResource,
    instrumentationScope: scopes[span.scopeIndex],
    ended: true,
    duration: [0, 0],
  }));
}

export function plainSpan(): SpanModel {
  return {
    name: 'GET /',
    kind: 1,
    context: { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), traceFlags: 1 },
    parent: undefined,
    startTime: [1_700_000_000, 123_456_789],
    endTime: [1_700_000_001, 1],
    status: { code: 0 },
    attributes: { a: 1 },
    events: [],
    links: [],
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
    scopeIndex: 0,
  };
}

export function plainEvent(): EventModel {
  return { name: 'event', time: [1, 2], attributes: {}, droppedAttributesCount: 0 };
}

export function requestArbitrary(): fc.Arbitrary<RequestModel> {
  const scope = fc.record({ name: textArbitrary(), version: fc.option(textArbitrary(), { nil: undefined }) });
  return fc.record({
    resource: attributesArbitrary(),
    schemaUrl: textArbitrary(),
    // OpenTelemetry makes one of two scopes that are equal.
    scopes: fc.uniqueArray(scope, {
      minLength: 2,
      maxLength: 2,
      selector: ({ name, version }) => `${name}@${version || ''}`,
    }),
    spans: fc.array(spanArbitrary(), { minLength: 1, maxLength: 4 }),
  });
}

function spanArbitrary(): fc.Arbitrary<SpanModel> {
  return fc.record({
    name: textArbitrary(),
    kind: fc.nat(4),
    context: contextArbitrary(),
    parent: fc.option(contextArbitrary(), { nil: undefined }),
    startTime: timeArbitrary(),
    endTime: timeArbitrary(),
    status: fc.record({ code: fc.nat(2), message: textArbitrary() }, { requiredKeys: ['code'] }),
    attributes: attributesArbitrary(),
    events: fc.array(
      fc.record({
        name: textArbitrary(),
        time: timeArbitrary(),
        attributes: attributesArbitrary(),
        droppedAttributesCount: countArbitrary(),
      }),
      { maxLength: 3 },
    ),
    links: fc.array(
      fc.record({
        context: contextArbitrary(),
        attributes: attributesArbitrary(),
        droppedAttributesCount: countArbitrary(),
      }) as fc.Arbitrary<SpanModel['links'][number]>,
      { maxLength: 3 },
    ),
    droppedAttributesCount: countArbitrary(),
    droppedEventsCount: countArbitrary(),
    droppedLinksCount: countArbitrary(),
    scopeIndex: fc.nat(1),
  });
}

function contextArbitrary(): fc.Arbitrary<SpanContext> {
  return fc.record(
    {
      traceId: hexArbitrary(16),
      spanId: hexArbitrary(8),
      traceFlags: fc.nat(0xff),
      isRemote: fc.boolean(),
      traceState: fc.constantFrom('', 'vendor=1', 'a=1,b=2').map((text) => createTraceState(text)),
    },
    { requiredKeys: ['traceId', 'spanId', 'traceFlags'] },
  );
}

function hexArbitrary(length: number): fc.Arbitrary<string> {
  return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes).toString('hex'));
}

function timeArbitrary(): fc.Arbitrary<HrTime> {
  const seconds = fc.oneof(fc.nat(2_000_000_000), fc.integer({ min: 0, max: 18_446_744_072 }));
  // The SDK's own rounding can make a full second of nanoseconds.
  return fc.tuple(seconds, fc.integer({ min: 0, max: 1_000_000_000 }));
}

function countArbitrary(): fc.Arbitrary<number> {
  return fc.oneof(fc.constant(0), fc.nat(1_000), fc.constant(2 ** 32 - 1));
}

function attributesArbitrary(): fc.Arbitrary<Attributes> {
  return fc.dictionary(textArbitrary(), valueArbitrary(), { maxKeys: 6 });
}

function valueArbitrary(): fc.Arbitrary<AttributeValue> {
  const { value } = fc.letrec<{ value: AttributeValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
      textArbitrary(),
      numberArbitrary(),
      fc.boolean(),
      fc.constantFrom(null, undefined),
      fc.uint8Array({ maxLength: 200 }),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(textArbitrary(), tie('value'), { maxKeys: 4 }),
    ),
  }));
  return value;
}

function numberArbitrary(): fc.Arbitrary<number> {
  const edges = [2 ** 31, 2 ** 32, 2 ** 53, 2 ** 62, 2 ** 63, 2 ** 63 - 1_024, 1e21];
  return fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.constantFrom(-0, Number.NaN, ...edges, ...edges.map((edge) => -edge), ...edges.map((edge) => edge + 0.5)),
  );
}

/** Texts around every limit of the writer: ASCII or not, short or long, lone surrogates included. */
function textArbitrary(): fc.Arbitrary<string> {
  const codeUnits = fc.array(fc.oneof(fc.nat(0x7f), fc.nat(0xffff), fc.integer({ min: 0xd800, max: 0xdfff })));
  return fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ minLength: 30, maxLength: 200 }),
    codeUnits.map((units) => String.fromCharCode(...units)),
    fc
      .tuple(fc.constantFrom('x', 'é', '😀'), fc.constantFrom(40, 41, 127, 128, 5_000))
      .map(([unit, n]) => unit.repeat(n)),
  );
}
