import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeMalformedRequest } from '../../support/malformed-requests.ts';
import { SlowConnections, sendRaw } from '../../support/raw-requests.ts';
import { seededRandom } from '../../support/receiver-faults.ts';
import { protobuf, spanId, traceId, tracesJson } from '../otlp-requests.ts';
import { getJson, openDashboard, send } from './dashboard-kit.ts';

const REQUESTS = 3_000;
const LANES = 16;
/** Whatever the machine does beside it; how fast it is, `npm run bench -- dashboard-hardening` tells. */
const GENEROUS_MILLIS = 20_000;
const valid = protobuf(
  'traces',
  tracesJson({ service: 'api', tenant: 'a' }, [
    { traceId: traceId(1), spanId: spanId(1), name: 'work', attributes: { text: 'x', number: 1 } },
  ]),
);

describe('the dashboard under attack', () => {
  it('never fails on thousands of malformed requests, and answers afterwards', { timeout: 120_000 }, async () => {
    const dashboard = await openDashboard({ maxBodyBytes: 1_048_576 });
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = seededRandom(seed);
    const statuses = new Map<string, Set<string>>();
    let sent = 0;
    const lane = async (): Promise<void> => {
      while (sent < REQUESTS) {
        sent += 1;
        const { kind, bytes } = makeMalformedRequest(random, valid);
        const answer = await sendRaw(dashboard.port, bytes);
        const status = answer.slice(9, 12);
        expect(status.startsWith('5') && status !== '503', `seed ${seed}, ${kind}: ${answer.slice(0, 300)}`).toBe(
          false,
        );
        statuses.set(kind, (statuses.get(kind) ?? new Set()).add(status));
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    expect(statuses.get('random protobuf')).toContain('400');
    expect(statuses.get('no gzip')).toContain('400');
    expect(statuses.get('odd question')).toContain('400');
    expect(({} as { x?: number }).x).toBeUndefined();
    const headers = { 'content-type': 'application/x-protobuf' };
    expect((await send(dashboard, 'POST', '/v1/traces', headers, valid)).status).toBe(200);
    expect((await getJson(dashboard, '/api/v1/stats')).status).toBe(200);
  });

  it('refuses a bomb without inflating it', async () => {
    const maxBodyBytes = 1_048_576;
    const dashboard = await openDashboard({ maxBodyBytes });
    const bomb = gzipSync(Buffer.alloc(100 * 1_048_576));
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' };
    const before = process.memoryUsage().arrayBuffers;
    expect((await send(dashboard, 'POST', '/v1/traces', headers, bomb)).status).toBe(413);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1_048_576);
  });

  it('answers while connections send a byte now and then, and ends them', { timeout: 60_000 }, async () => {
    const dashboard = await openDashboard();
    const slow = await SlowConnections.open(dashboard.port, 100);
    onTestFinished(() => slow.close());
    expect(slow.open).toBe(100);
    const begin = performance.now();
    expect((await getJson(dashboard, '/api/v1/stats')).status).toBe(200);
    expect(performance.now() - begin).toBeLessThan(GENEROUS_MILLIS);
    await expect.poll(() => slow.open, { timeout: 40_000, interval: 200 }).toBe(0);
  });
});
