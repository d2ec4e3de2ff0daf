import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeMetrics } from '../../src/processing/metric-encoder.ts';
import { encodeMetricsJson } from '../../src/processing/metric-json.ts';
import type { CollectedMetric, MetricKind, PointBase, ScopeMetrics } from '../../src/processing/metric-model.ts';
import { redactMetrics } from '../../src/processing/metric-redaction.ts';
import { pointCount, splitMetrics } from '../../src/processing/metric-split.ts';
import { encodeResource } from '../../src/processing/span-encoder.ts';
import { encodeResourceJson } from '../../src/processing/span-json.ts';
import { decodeJsonMetricsRequest, decodeMetricsRequest } from '../support/metrics-decoder.ts';
import { identity } from './metric-kit.ts';

const RESOURCE = { keys: ['service.name'], values: ['api'] };
const AT = 1_700_000_000_123.456;

function point(more: object = {}, attributes: Record<string, string | number | boolean> = {}): PointBase {
  return {
    attributes: { keys: Object.keys(attributes), values: Object.values(attributes) },
    startMillis: AT - 1_000,
    atMillis: AT,
    exemplars: [],
    ...more,
  };
}

function metric(kind: MetricKind, data: object, more: object = {}): CollectedMetric {
  return { ...identity(kind), ...more, ...data } as CollectedMetric;
}

function both(...metrics: CollectedMetric[]) {
  const scopes: ScopeMetrics[] = [{ scope: { name: 'shop', version: '1' }, metrics }];
  const decoded = decodeMetricsRequest(encodeMetrics(encodeResource(RESOURCE), scopes));
  expect(decodeJsonMetricsRequest(encodeMetricsJson(encodeResourceJson(RESOURCE), scopes))).toEqual(decoded);
  return decoded;
}

describe('a request of metrics', () => {
  test('says a sum with its unit, times and attributes, as OpenTelemetry reads it', () => {
    const exemplars = [{ value: 3.5, at: AT, traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }];
    const data = {
      shape: 'sum',
      isMonotonic: true,
      temporality: 'delta',
      points: [point({ value: 7.25, exemplars }, { a: 'x', b: 2 })],
    };
    expect(both(metric('counter', data, { name: 'orders', unit: '{order}', description: 'All of them' }))).toEqual([
      {
        resource: { 'service.name': 'api' },
        scope: 'shop',
        name: 'orders',
        unit: '{order}',
        description: 'All of them',
        shape: 'sum',
        temporality: 'delta',
        isMonotonic: true,
        attributes: { a: 'x', b: 2 },
        start: 1_699_999_999_123_456_055n,
        time: 1_700_000_000_123_456_055n,
        value: 7.25,
        valueKind: 'double',
        exemplars: [
          {
            value: 3.5,
            time: 1_700_000_000_123_456_055n,
            traceId: exemplars[0]?.traceId,
            spanId: exemplars[0]?.spanId,
          },
        ],
      },
    ]);
  });

  test.each([0, 1, -1, 4_294_967_296, -4_294_967_297, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])(
    'says the whole number %d as one',
    (value) => {
      const data = { shape: 'sum', isMonotonic: false, temporality: 'cumulative', points: [point({ value })] };
      expect(both(metric('upDownCounter', data, { isInteger: true }))[0]).toMatchObject({ value, valueKind: 'int' });
    },
  );

  test('says a gauge without a beginning', () => {
    expect(both(metric('gauge', { shape: 'gauge', points: [point({ value: -0.5 })] }))[0]).toMatchObject({
      shape: 'gauge',
      temporality: 'none',
      start: 0n,
      value: -0.5,
    });
  });

  test('says both kinds of histograms', () => {
    const distribution = { count: 6, sum: 12.5, min: 0, max: 9 };
    const [explicit, exponential] = both(
      metric('histogram', {
        shape: 'histogram',
        temporality: 'cumulative',
        boundaries: [0.5, 5],
        points: [point({ ...distribution, buckets: [1, 2, 3] })],
      }),
      metric('histogram', {
        shape: 'exponential',
        temporality: 'delta',
        points: [point({ ...distribution, scale: -2, zeroCount: 1, offset: -3, buckets: [4, 0, 300] })],
      }),
    );
    expect(explicit).toMatchObject({ ...distribution, shape: 'histogram', bounds: [0.5, 5], buckets: [1, 2, 3] });
    expect(exponential).toMatchObject({ ...distribution, scale: -2, zeroCount: 1, offset: -3, buckets: [4, 0, 300] });
  });

  test('is one that protoc can take apart', ({ skip }) => {
    const data = { shape: 'sum', isMonotonic: true, temporality: 'delta', points: [point({ value: 2 }, { a: 'x' })] };
    const body = encodeMetrics(encodeResource(RESOURCE), [
      { scope: { name: 's' }, metrics: [metric('counter', data)] },
    ]);
    const { error, stdout, status } = spawnSync('protoc', ['--decode_raw'], { input: body, encoding: 'utf8' });
    if (error !== undefined) skip('protoc is not installed');
    expect(status).toBe(0);
    // ResourceMetrics > ScopeMetrics > Metric > Sum > aggregation_temporality, is_monotonic
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
      /1 \{ 1 \{.*\} 2 \{ 1 \{ 1: "s" \} 2 \{ 1: "m" 7 \{ 1 \{.*\} 2: 1 3: 1 \} \} \} \}/,
    );
  });

  test('can be divided without losing a point', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 4 }), { maxLength: 4 }),
        fc.integer({ min: 1, max: 12 }),
        (sizes, most) => {
          let value = 0;
          const scopes = sizes.map((counts, index) => ({
            scope: { name: `scope${index}` },
            metrics: counts.map((count, position) =>
              metric(
                'gauge',
                { shape: 'gauge', points: Array.from({ length: count }, () => point({ value: value++ })) },
                { name: `m${position}` },
              ),
            ),
          }));
          const parts = splitMetrics(scopes, most);
          const values = parts.flatMap((part) =>
            part.flatMap(({ metrics }) =>
              metrics.flatMap(({ points }) => points.map((own) => (own as never as { value: number }).value)),
            ),
          );
          expect(values).toEqual(Array.from({ length: value }, (_, index) => index));
          expect(parts.map(pointCount).every((count) => count > 0 && count <= most)).toBe(true);
        },
      ),
    );
  });
});

describe('redacted metrics', () => {
  const show = ({ keys, values }: PointBase['attributes']) =>
    keys.includes('broken')
      ? undefined
      : { keys, values: values.map((value, index) => (keys[index] === 'user' ? '***' : value)) };
  const redact = (...metrics: CollectedMetric[]) => {
    let lost = 0;
    const [group] = redactMetrics([{ scope: { name: 's' }, metrics }], show, (points) => {
      lost += points;
    });
    return { lost, metrics: group?.metrics ?? [] };
  };

  test('add up points that look alike afterwards', () => {
    const points = (...values: object[]) => values.map((own, index) => point(own, { user: `u${index}` }));
    const base = { count: 1, sum: 2, min: 2, max: 2 };
    const { metrics } = redact(
      metric('counter', { shape: 'sum', points: points({ value: 1 }, { value: 2 }) }),
      metric('gauge', { shape: 'gauge', points: points({ value: 1 }, { value: 2 }) }),
      metric('histogram', {
        shape: 'histogram',
        points: points({ ...base, buckets: [1, 0] }, { ...base, max: 3, buckets: [0, 1] }),
      }),
      metric('histogram', {
        shape: 'exponential',
        points: points(
          { ...base, scale: 1, zeroCount: 1, offset: -2, buckets: [1, 2, 3] },
          { ...base, scale: 0, zeroCount: 0, offset: -1, buckets: [4, 0, 5] },
        ),
      }),
    );
    expect(metrics.map(({ points: [own] }) => own)).toMatchObject([
      { value: 3 },
      { value: 2 },
      { count: 2, sum: 4, min: 2, max: 3, buckets: [1, 1] },
      { scale: 0, zeroCount: 1, offset: -1, buckets: [1 + 2 + 4, 3, 5] },
    ]);
    expect(metrics.every(({ points: own }) => own.length === 1)).toBe(true);
  });

  test('are the same object when there is nothing to hide, and count what cannot be shown', () => {
    const scopes = [
      { scope: { name: 's' }, metrics: [metric('gauge', { shape: 'gauge', points: [point({ value: 1 })] })] },
    ];
    expect(
      redactMetrics(
        scopes,
        (attributes) => attributes,
        () => undefined,
      ),
    ).toBe(scopes);
    const { lost, metrics } = redact(metric('gauge', { shape: 'gauge', points: [point({ value: 1 }, { broken: 1 })] }));
    expect([lost, metrics]).toEqual([1, []]);
  });
});
