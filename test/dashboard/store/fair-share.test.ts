import { describe, expect, it } from 'vitest';
import { SegmentRing } from '../../../src/dashboard/store/ring/segment-ring.ts';
import { ALWAYS, append, logsJson, query, spanId, traceId, tracesJson } from '../otlp-requests.ts';

const MIB = 1_048_576;

const batch = (tenant: string, from: number, count = 50) =>
  tracesJson(
    { service: 'api', tenant },
    Array.from({ length: count }, (_, index) => ({
      ...{ traceId: traceId(from + index), spanId: spanId(1), at: from + index },
      attributes: { filler: 'x'.repeat(200) },
    })),
  );

async function summaryOf(ring: SegmentRing, tenant: string) {
  const [summary] = await ring.tenants(new Set([tenant]));
  return summary;
}

describe('the budget of the ring', () => {
  it('is kept, and a noisy tenant evicts its own oldest spans only', async () => {
    const ring = new SegmentRing({ maxBytes: 2 * MIB });
    for (const tenant of ['quiet', 'calm']) await append(ring, 'traces', batch(tenant, 1));
    let added = 0;
    for (let round = 0; round < 300; round += 1) {
      await append(ring, 'traces', batch('noisy', 1 + 50 * round));
      added += 50;
      const { bytes } = await ring.stats('all');
      expect(bytes).toBeLessThanOrEqual(2 * MIB);
    }
    for (const tenant of ['quiet', 'calm']) {
      expect(await summaryOf(ring, tenant)).toMatchObject({ stored: { traces: 50 }, evicted: { traces: 0 } });
    }
    const noisy = await summaryOf(ring, 'noisy');
    expect(noisy?.evicted.traces).toBeGreaterThan(5_000);
    expect((noisy?.stored.traces ?? 0) + (noisy?.evicted.traces ?? 0)).toBe(added);
    // What is left are the newest, without a gap, and most of the budget is in use.
    expect(noisy?.bytes).toBeGreaterThan(1.2 * MIB);
    const { traces } = await ring.listTraces({
      ...{ scope: new Set(['noisy']), query: query(''), range: ALWAYS, limit: 10_000, order: 'newest' },
    });
    expect(traces).toHaveLength(noisy?.stored.traces ?? 0);
    expect(traces[0]?.traceId).toBe(traceId(added));
    expect(traces.at(-1)?.traceId).toBe(traceId(added - traces.length + 1));
    expect((await ring.stats('all')).full).toBe(true);
    expect((await ring.getTrace('all', traceId(60), 10)).spans).toEqual([]);
  });

  it('is shared evenly by tenants that all want more', async () => {
    const ring = new SegmentRing({ maxBytes: 2 * MIB });
    for (let round = 0; round < 100; round += 1) {
      for (const tenant of ['a', 'b', 'c', 'd']) await append(ring, 'traces', batch(tenant, 1 + 50 * round));
    }
    const bytes = (await ring.tenants('all')).map((summary) => summary.bytes);
    expect(Math.min(...bytes)).toBeGreaterThan(0.5 * Math.max(...bytes));
  });

  it('counts the signals of a tenant together, and takes from the largest', async () => {
    const ring = new SegmentRing({ maxBytes: MIB });
    await append(ring, 'traces', batch('a', 1, 5));
    for (let round = 0; round < 100; round += 1) {
      const logs = Array.from({ length: 50 }, () => ({ body: 'x'.repeat(300) }));
      await append(ring, 'logs', logsJson({ tenant: 'a' }, logs));
    }
    const summary = await summaryOf(ring, 'a');
    expect(summary).toMatchObject({ stored: { traces: 5 }, evicted: { traces: 0 } });
    expect(summary?.evicted.logs).toBeGreaterThan(1_000);
  });

  it('refuses more tenants than it may have, and says so', async () => {
    const ring = new SegmentRing({ maxTenants: 2 });
    for (const tenant of ['a', 'b']) await append(ring, 'traces', batch(tenant, 1, 1));
    expect(await append(ring, 'traces', batch('c', 1, 3))).toMatchObject({
      ...{ accepted: 0, rejected: 3, message: 'there are too many tenants' },
    });
    expect(await append(ring, 'traces', batch('a', 5, 1))).toMatchObject({ accepted: 1 });
  });
});
