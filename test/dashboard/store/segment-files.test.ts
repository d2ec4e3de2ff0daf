import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SegmentRing } from '../../../src/dashboard/store/ring/segment-ring.ts';
import { ALWAYS, append, logsJson, metricsJson, nanos, query, spanId, traceId, tracesJson } from '../otlp-requests.ts';
import { describeStore } from './store-conformance.ts';

function temporary(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'isotrace-ring-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function files(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.endsWith('.seg'));
}

const span = (number: number, tenant = 'a') =>
  tracesJson({ service: 'api', tenant }, [
    { traceId: traceId(number), spanId: spanId(1), attributes: { filler: 'x'.repeat(500) } },
  ]);

async function traceIds(ring: SegmentRing): Promise<string[]> {
  const { traces } = await ring.listTraces({
    scope: 'all',
    query: query(''),
    range: ALWAYS,
    limit: 1_000,
    order: 'newest',
  });
  return traces.map((trace) => trace.traceId).sort();
}

describeStore('segment ring on disk', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'isotrace-ring-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return Promise.resolve(new SegmentRing({ directory }));
});

describe('a ring with a directory', () => {
  it('has everything again after a restart, of each tenant and signal, and goes on', async () => {
    const directory = temporary();
    const first = new SegmentRing({ directory });
    for (const tenant of ['a', 'b/../../cd']) await append(first, 'traces', span(tenant.length, tenant));
    await append(first, 'logs', logsJson({ tenant: 'a' }, [{ body: 'hello' }]));
    const point = { timeUnixNano: nanos(0), asDouble: 1 };
    await append(first, 'metrics', metricsJson({ tenant: 'a' }, [{ name: 'm', gauge: { dataPoints: [point] } }]));
    const content = async (ring: SegmentRing) => (await ring.tenants('all')).map((tenant) => ({ ...tenant, bytes: 0 }));
    const before = await content(first);
    await first.close();
    const second = new SegmentRing({ directory });
    expect(await content(second)).toEqual(before);
    await append(second, 'traces', span(11));
    await second.close();
    const third = new SegmentRing({ directory });
    expect(await traceIds(third)).toEqual([1, 10, 11].map(traceId));
    await third.close();
    expect(files(directory)).toHaveLength(4);
    expect(readdirSync(path.dirname(directory))).toContain(path.basename(directory));
    for (const file of files(directory)) expect(statSync(path.join(directory, file)).mode & 0o077).toBe(0);
  });

  it.each<[string, (file: string) => void, number]>([
    ['was cut off in the middle of the last span', (file) => truncateSync(file, statSync(file).size - 5), 2],
    ['was cut off in the header of the last frame', (file) => truncateSync(file, statSync(file).size - 620), 2],
    ['ends in rubbish', (file) => appendFileSync(file, Buffer.alloc(40, 7)), 3],
    ['has a flipped bit in the last span', (file) => flip(file, statSync(file).size - 5), 2],
    ['has a flipped bit at its beginning', (file) => flip(file, 3), 0],
  ])('takes what is whole of a file that %s, and goes on with it', async (_case, damage, expected) => {
    const directory = temporary();
    const first = new SegmentRing({ directory });
    for (const number of [1, 2, 3]) await append(first, 'traces', span(number));
    await first.close();
    damage(path.join(directory, files(directory)[0] as string));
    const second = new SegmentRing({ directory });
    const whole = [1, 2, 3].slice(0, expected).map(traceId);
    expect(await traceIds(second)).toEqual(whole);
    expect((await second.stats('all')).notices).toHaveLength(1);
    await append(second, 'traces', span(8));
    await second.close();
    const third = new SegmentRing({ directory });
    expect(await traceIds(third)).toEqual([...whole, traceId(8)]);
    expect((await third.stats('all')).notices).toEqual([]);
    await third.close();
  });

  it('removes the files of what it evicts', async () => {
    const directory = temporary();
    const ring = new SegmentRing({ directory, maxBytes: 1_048_576 });
    for (let number = 1; number <= 3_000; number += 1) await append(ring, 'traces', span(number));
    const size = files(directory).reduce((sum, file) => sum + statSync(path.join(directory, file)).size, 0);
    expect(size).toBeLessThan(1_048_576);
    const kept = await traceIds(ring);
    await ring.close();
    const again = new SegmentRing({ directory, maxBytes: 1_048_576 });
    expect(await traceIds(again)).toEqual(kept);
    await again.close();
  });

  it('belongs to one process at a time, and not to one that is gone', async () => {
    const directory = temporary();
    const ring = new SegmentRing({ directory });
    expect(() => new SegmentRing({ directory })).toThrow(`in use by process ${process.pid}`);
    await ring.close();
    writeFileSync(path.join(directory, 'lock'), '999999999');
    await new SegmentRing({ directory }).close();
  });

  it('goes on in memory when the disk fails, and says so', async () => {
    const directory = temporary();
    const ring = new SegmentRing({ directory });
    rmSync(directory, { recursive: true });
    expect(await append(ring, 'traces', span(1))).toMatchObject({ accepted: 1 });
    expect(await traceIds(ring)).toEqual([traceId(1)]);
    expect((await ring.stats('all')).notices).toEqual([expect.stringContaining('no longer written to the disk')]);
    await ring.close();
  });
});

function flip(file: string, at: number): void {
  const content = readFileSync(file);
  content[at] = (content[at] ?? 0) ^ 1;
  writeFileSync(file, content);
}
