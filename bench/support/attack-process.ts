import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { makeMalformedRequest } from '../../test/support/malformed-requests.ts';
import { SlowConnections, sendRaw } from '../../test/support/raw-requests.ts';
import { seededRandom } from '../../test/support/receiver-faults.ts';
import { makeTraceRequest } from './trace-requests.ts';

/** The other process: attacks the dashboard at a port in one way, and tells what came of it. */
const [, , kind, portText, countText] = process.argv;
const port = Number(portText);
const count = Number(countText);

const ATTACKS: Readonly<Record<string, () => Promise<Record<string, number>>>> = {
  malformed: async () => {
    const seed = randomBytes(4).readUInt32LE();
    const random = seededRandom(seed);
    const valid = Buffer.from(makeTraceRequest(0, Date.now()));
    const failures: string[] = [];
    let sent = 0;
    const lane = async (): Promise<void> => {
      while (sent < count) {
        sent += 1;
        const { kind: what, bytes } = makeMalformedRequest(random, valid);
        const answer = await sendRaw(port, bytes);
        if (/^HTTP\/1\.1 5(?!03)/.test(answer)) failures.push(`${what}: ${answer.slice(0, 200)}`);
      }
    };
    await Promise.all(Array.from({ length: 32 }, lane));
    if (failures.length > 0) throw new Error(`seed ${seed}: ${failures[0]}`);
    return { requests: sent };
  },
  bomb: async () => {
    // 100 MiB out of 100 KiB.
    const body = gzipSync(Buffer.alloc(100 * 1_048_576));
    const head =
      'POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n' +
      `Content-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`;
    const bytes = Buffer.concat([Buffer.from(head), body]);
    const statuses: string[] = [];
    for (let bomb = 0; bomb < count; bomb += 1) {
      const answer = await sendRaw(port, bytes, { keepOpen: true });
      statuses.push(answer.slice(9, 12));
    }
    if (statuses.some((status) => status !== '413')) throw new Error(`a bomb was answered ${statuses.join(' ')}`);
    return { requests: count };
  },
  slow: async () => {
    const connections = await SlowConnections.open(port, count);
    const opened = connections.open;
    await new Promise((resolve) => {
      setTimeout(resolve, 4_000);
    });
    connections.close();
    return { requests: opened };
  },
};

const result = await ATTACKS[kind ?? '']?.();
process.send?.(result ?? {}, undefined, undefined, () => process.exit());
