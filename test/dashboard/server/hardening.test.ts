import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
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

  it.each<[string, string, (size: number) => Buffer[]]>([
    ['is too large', '413', (size) => [Buffer.from(`Content-Length: ${size}\r\n\r\n`), Buffer.alloc(size)]],
    [
      'is too large, in chunks',
      '413',
      (size) => [
        Buffer.from(`Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n`),
        Buffer.alloc(size),
        Buffer.from('\r\n0\r\n\r\n'),
      ],
    ],
    [
      'inflates to too much',
      '413',
      (size) => {
        // What cannot be compressed behind a bomb: there is much left to send when it is refused.
        const body = Buffer.concat([gzipSync(Buffer.alloc(16 * 1_048_576)), randomBytes(size / 2)]);
        return [Buffer.from(`Content-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`), body];
      },
    ],
    [
      'is of another type',
      '415',
      (size) => [Buffer.from(`Content-Length: ${size}\r\nContent-Type: a/b\r\n\r\n`), Buffer.alloc(size)],
    ],
  ])('answers a request that %s with %s, also to who reads only after having sent it all', async (_, status, rest) => {
    const dashboard = await openDashboard({ maxBodyBytes: 1_048_576 });
    const head = 'POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n';
    const socket = connect(dashboard.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const failed = once(socket, 'error').then(([error]) => Promise.reject(error as Error));
    const sent = new Promise((resolve) => {
      socket.write(
        Buffer.concat([
          Buffer.from(status === '415' ? head.replace(/Content-Type.*\r\n/, '') : head),
          ...rest(8 * 1_048_576),
        ]),
        resolve,
      );
    });
    socket.pause();
    await Promise.race([sent, failed]);
    const closed = once(socket, 'close');
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.resume();
    await Promise.race([closed, failed]);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer.match(/^HTTP/gm)).toHaveLength(1);
  });

  it('ends a connection that never finishes what was refused', { timeout: 60_000 }, async () => {
    const dashboard = await openDashboard({ maxBodyBytes: 1_024 });
    const socket = connect({ port: dashboard.port, host: '127.0.0.1', allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    const closed = new Promise((resolve) => {
      socket.once('close', resolve);
    });
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    socket.on('error', () => {});
    socket.write(
      'POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\nx',
    );
    const trickle = setInterval(() => socket.write('x'), 100);
    onTestFinished(() => clearInterval(trickle));
    await closed;
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
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
