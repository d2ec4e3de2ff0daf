import { describe, expect, it } from 'vitest';
import {
  combineReports,
  DEFAULT_FLUSH_TIMEOUT_MILLIS,
  isComplete,
  resolveTimeout,
  type TenantReport,
} from '../../src/lifecycle/report.ts';

function report(tenantId: string, rest: Partial<TenantReport> = {}): TenantReport {
  return { tenantId, delivered: 0, pending: 0, spooled: 0, dropped: {}, ...rest };
}

describe('combineReports', () => {
  it('adds up and leaves out tenants with nothing to tell', () => {
    const a = report('a', { delivered: 3, spooled: 6, dropped: { rejected: 1 } });
    const b = report('b', { delivered: 2, pending: 4, dropped: { rejected: 2, queue_full: 5 }, error: 'HTTP 503' });
    expect(combineReports([a, report('idle'), b])).toEqual({
      ok: false,
      delivered: 5,
      pending: 4,
      spooled: 6,
      dropped: { rejected: 3, queue_full: 5 },
      tenants: [a, b],
    });
  });

  it('is ok without tenants, and when all is delivered', () => {
    const nothing = { ok: true, delivered: 0, pending: 0, spooled: 0, dropped: {}, tenants: [] };
    expect(combineReports([])).toEqual(nothing);
    expect(combineReports([report('a', { delivered: 1 })]).ok).toBe(true);
  });

  it('is ok with what is safe on disk, and names it', () => {
    const a = report('a', { spooled: 2, error: 'HTTP 503' });
    expect(combineReports([a])).toMatchObject({ ok: true, spooled: 2, tenants: [a] });
  });

  it('is not ok when something is pending or lost, but is when sampling turned spans away', () => {
    expect(combineReports([report('a', { pending: 1 })]).ok).toBe(false);
    expect(combineReports([report('a', { dropped: { evicted: 1 } })]).ok).toBe(false);
    expect(combineReports([report('a', { dropped: { sampled: 9 } })])).toMatchObject({
      ok: true,
      dropped: { sampled: 9 },
    });
    expect(isComplete(report('a', { dropped: { sampled: 9, evicted: 1 } }))).toBe(false);
  });
});

describe('resolveTimeout', () => {
  it.each<[unknown, number]>([
    [{ timeoutMillis: 0 }, 0],
    [{ timeoutMillis: 1.5 }, 1.5],
    [{ timeoutMillis: Number.POSITIVE_INFINITY }, Number.POSITIVE_INFINITY],
    [{ timeoutMillis: -1 }, DEFAULT_FLUSH_TIMEOUT_MILLIS],
    [{ timeoutMillis: Number.NaN }, DEFAULT_FLUSH_TIMEOUT_MILLIS],
    [{ timeoutMillis: '5' }, DEFAULT_FLUSH_TIMEOUT_MILLIS],
    [{ timeoutMillis: 5n }, DEFAULT_FLUSH_TIMEOUT_MILLIS],
    [{}, DEFAULT_FLUSH_TIMEOUT_MILLIS],
    [undefined, DEFAULT_FLUSH_TIMEOUT_MILLIS],
    [null, DEFAULT_FLUSH_TIMEOUT_MILLIS],
    [7, DEFAULT_FLUSH_TIMEOUT_MILLIS],
  ])('of %o is %d', (options, expected) => {
    expect(resolveTimeout(options)).toBe(expected);
  });

  it('is the default when the options cannot be read', () => {
    const hostile = Object.defineProperty({}, 'timeoutMillis', {
      get: () => {
        throw new Error('no');
      },
    });
    expect(resolveTimeout(hostile)).toBe(DEFAULT_FLUSH_TIMEOUT_MILLIS);
  });

  it('takes the default that it is given', () => {
    expect(resolveTimeout(undefined, 3)).toBe(3);
  });
});
