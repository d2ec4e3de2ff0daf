import { validateHeaderValue } from 'node:http';

import { defaultTextMapGetter, defaultTextMapSetter, ROOT_CONTEXT, type SpanContext, trace } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { formatTraceparent, parseTraceparent, RANDOM_FLAG } from '../../src/utils/traceparent.ts';

const NUM_RUNS = 10_000;
const TRACE_ID = '12345678901234567890123456789012';
const SPAN_ID = '1234567890123456';
const VALID = `00-${TRACE_ID}-${SPAN_ID}-01`;

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'.split('')), { minLength: length, maxLength: length })
    .map((digits) => digits.join(''));
const nonZeroHex = (length: number) => hex(length).filter((digits) => /[^0]/.test(digits));
const spanContexts = fc.record({
  traceId: nonZeroHex(32),
  spanId: nonZeroHex(16),
  traceFlags: fc.nat({ max: 3 }),
});
/** Text close enough to a header to get past the first checks. */
const nearMisses = fc
  .tuple(spanContexts, fc.nat({ max: 60 }), fc.string({ maxLength: 3 }), fc.nat({ max: 3 }))
  .map(([context, at, inserted, removed]) => {
    const header = formatTraceparent(context) ?? '';
    return header.slice(0, at) + inserted + header.slice(at + removed);
  });

function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  return proxy;
}

describe('parseTraceparent', () => {
  it.each([
    ['a well-formed header', VALID, 1],
    ['an unsampled header', `00-${TRACE_ID}-${SPAN_ID}-00`, 0],
    ['a future version of the known length', `cc-${TRACE_ID}-${SPAN_ID}-01`, 1],
    ['a future version with more fields', `cc-${TRACE_ID}-${SPAN_ID}-01-what-the-future-will-be-like`, 1],
    ['a future version that ends in a dash', `01-${TRACE_ID}-${SPAN_ID}-01-`, 1],
    ['a leading space', ` ${VALID}`, 1],
    ['a leading tab', `\t${VALID}`, 1],
    ['a trailing space', `${VALID} `, 1],
    ['a trailing tab', `${VALID}\t`, 1],
    ['whitespace on both sides', `\t ${VALID} \t`, 1],
    ['whitespace around a future version', ` cc-${TRACE_ID}-${SPAN_ID}-01-x `, 1],
    ['a single value in an array', [VALID], 1],
    ['the random flag', `00-${TRACE_ID}-${SPAN_ID}-02`, RANDOM_FLAG],
    ['the sampled and the random flag', `00-${TRACE_ID}-${SPAN_ID}-03`, 3],
    ['the random flag of a future version', `cc-${TRACE_ID}-${SPAN_ID}-02-x`, 2],
    ['all flags set, of which the unknown are cleared', `00-${TRACE_ID}-${SPAN_ID}-ff`, 3],
    ['only unknown flags set', `00-${TRACE_ID}-${SPAN_ID}-fc`, 0],
    ['sampled beside an unknown flag', `00-${TRACE_ID}-${SPAN_ID}-09`, 1],
  ])('accepts %s', (_case, header, traceFlags) => {
    expect(parseTraceparent(header)).toEqual({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags });
  });

  it.each([
    ['an absent header', undefined],
    ['an empty header', ''],
    ['only whitespace', ' \t '],
    ['a header sent twice', [VALID, VALID]],
    ['an empty list of headers', []],
    ['two headers that were joined', `${VALID}, ${VALID}`],
    ['two future headers that were joined', `cc-${TRACE_ID}-${SPAN_ID}-01,cc-${TRACE_ID}-${SPAN_ID}-01`],
    ['a nested list', [[VALID]]],
    ['version 00 with a trailing dot', `${VALID}.`],
    ['version 00 with more fields', `${VALID}-what-the-future-will-be-like`],
    ['version 00 with a trailing dash', `${VALID}-`],
    ['a future version followed by a dot', `cc-${TRACE_ID}-${SPAN_ID}-01.what-the-future-will-be-like`],
    ['a future version with flags of three digits', `cc-${TRACE_ID}-${SPAN_ID}-011`],
    ['a future version that is too short', `cc-${TRACE_ID}-${SPAN_ID}-0`],
    ['the forbidden version', `ff-${TRACE_ID}-${SPAN_ID}-01`],
    ['the forbidden version with more fields', `ff-${TRACE_ID}-${SPAN_ID}-01-x`],
    ['an illegal first character in the version', `.0-${TRACE_ID}-${SPAN_ID}-01`],
    ['an illegal second character in the version', `0.-${TRACE_ID}-${SPAN_ID}-01`],
    ['a version of three digits', `000-${TRACE_ID}-${SPAN_ID}-01`],
    ['a version of four digits', `0000-${TRACE_ID}-${SPAN_ID}-01`],
    ['a version of one digit', `0-${TRACE_ID}-${SPAN_ID}-01`],
    ['a zero trace id', `00-${'0'.repeat(32)}-${SPAN_ID}-01`],
    ['an illegal first character in the trace id', `00-.${TRACE_ID.slice(1)}-${SPAN_ID}-01`],
    ['an illegal last character in the trace id', `00-${TRACE_ID.slice(1)}.-${SPAN_ID}-01`],
    ['a trace id that is too long', `00-${TRACE_ID}3-${SPAN_ID}-01`],
    ['a trace id that is too short', `00-${TRACE_ID.slice(1)}-${SPAN_ID}-01`],
    ['a zero parent id', `00-${TRACE_ID}-${'0'.repeat(16)}-01`],
    ['an illegal first character in the parent id', `00-${TRACE_ID}-.${SPAN_ID.slice(1)}-01`],
    ['an illegal last character in the parent id', `00-${TRACE_ID}-${SPAN_ID.slice(1)}.-01`],
    ['a parent id that is too long', `00-${TRACE_ID}-${SPAN_ID}7-01`],
    ['a parent id that is too short', `00-${TRACE_ID}-${SPAN_ID.slice(1)}-01`],
    ['an illegal first character in the flags', `00-${TRACE_ID}-${SPAN_ID}-.0`],
    ['an illegal second character in the flags', `00-${TRACE_ID}-${SPAN_ID}-0.`],
    ['flags that are too long', `00-${TRACE_ID}-${SPAN_ID}-001`],
    ['flags that are too short', `00-${TRACE_ID}-${SPAN_ID}-1`],
    ['an upper-case trace id', `00-${TRACE_ID.slice(1)}A-${SPAN_ID}-01`],
    ['an upper-case parent id', `00-${TRACE_ID}-${SPAN_ID.slice(1)}A-01`],
    ['an upper-case version', `CC-${TRACE_ID}-${SPAN_ID}-01`],
    ['upper-case flags', `00-${TRACE_ID}-${SPAN_ID}-0A`],
    ['a newline at the end', `${VALID}\n`],
    ['a no-break space in front', `\u00a0${VALID}`],
    ['a number', 7],
    ['an object', { toString: () => VALID }],
    ['a symbol', Symbol('traceparent')],
    ['a revoked proxy', revokedProxy()],
  ])('starts a new trace for %s', (_case, header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });

  it('never throws and returns only what can be formatted', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.anything(), nearMisses), (header) => {
        const parsed = parseTraceparent(header);
        if (parsed !== undefined) expect(parseTraceparent(formatTraceparent(parsed))).toEqual(parsed);
      }),
      { numRuns: NUM_RUNS },
    );
  });

  it('agrees with the OpenTelemetry propagator on valid headers and on near misses', () => {
    const propagator = new W3CTraceContextPropagator();
    fc.assert(
      fc.property(fc.oneof(nearMisses, spanContexts.map(formatTraceparent)), (header) => {
        // OpenTelemetry trims one character of any whitespace, which is neither more nor less than OWS.
        fc.pre(header !== undefined && !/^\s|\s$/.test(header));
        const theirs = trace.getSpanContext(
          propagator.extract(ROOT_CONTEXT, { traceparent: header }, defaultTextMapGetter),
        );
        const ours = parseTraceparent(header);
        expect(ours?.traceId).toBe(theirs?.traceId);
        expect(ours?.spanId).toBe(theirs?.spanId);
        expect(ours?.traceFlags).toBe(theirs && theirs.traceFlags & 3);
      }),
      { numRuns: NUM_RUNS },
    );
  });
});

describe('formatTraceparent', () => {
  it('round-trips every valid span context in a form that node:http and OpenTelemetry accept', () => {
    const propagator = new W3CTraceContextPropagator();
    fc.assert(
      fc.property(spanContexts, (context) => {
        const header = formatTraceparent(context);
        expect(parseTraceparent(header)).toEqual(context);
        expect(() => validateHeaderValue('traceparent', header ?? '\n')).not.toThrow();
        const carrier: Record<string, string> = {};
        propagator.inject(trace.setSpanContext(ROOT_CONTEXT, context), carrier, defaultTextMapSetter);
        expect(header).toBe(carrier['traceparent']);
      }),
      { numRuns: NUM_RUNS },
    );
  });

  it.each([
    [0xff, '03'],
    [0x0100, '00'],
    [-1, '03'],
    [Number.NaN, '00'],
    [Number.POSITIVE_INFINITY, '00'],
    [1.5, '01'],
    [undefined, '00'],
    ['ff', '00'],
    [1n, '00'],
  ])('sends only known flags for %s', (traceFlags, expected) => {
    const context = { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags } as unknown as SpanContext;
    expect(formatTraceparent(context)).toBe(`00-${TRACE_ID}-${SPAN_ID}-${expected}`);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a zero trace id', { traceId: '0'.repeat(32), spanId: SPAN_ID, traceFlags: 1 }],
    ['a zero span id', { traceId: TRACE_ID, spanId: '0'.repeat(16), traceFlags: 1 }],
    ['an upper-case id', { traceId: 'A'.repeat(32), spanId: SPAN_ID, traceFlags: 1 }],
    ['an id that ends in a newline', { traceId: TRACE_ID, spanId: `${SPAN_ID}\n`, traceFlags: 1 }],
    ['an id that is not a string', { traceId: { toString: () => TRACE_ID }, spanId: SPAN_ID, traceFlags: 1 }],
    ['a revoked proxy', revokedProxy()],
  ])('sends nothing for %s', (_case, context) => {
    expect(formatTraceparent(context as unknown as SpanContext)).toBeUndefined();
  });

  it('never throws and never sends anything malformed', () => {
    const parts = fc.record(
      { traceId: fc.oneof(nonZeroHex(32), fc.anything()), spanId: fc.oneof(nonZeroHex(16), fc.anything()) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(parts, fc.anything(), (ids, traceFlags) => {
        const header = formatTraceparent({ ...ids, traceFlags } as unknown as SpanContext);
        if (header !== undefined) expect(header).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/);
      }),
      { numRuns: NUM_RUNS },
    );
  });
});
