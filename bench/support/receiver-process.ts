import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { countSpans, endTimes } from './count-spans.ts';
import type { ReceiverFault, ReceiverStats } from './receiver.ts';

/** The other process: takes OTLP requests, counts what is in them and answers 200. */
const stats = { requests: 0, spans: 0, bytes: 0, sockets: 0, peakSockets: 0 };
const delays: number[] = [];
const FAULTY = /^Bearer (hang|refuse|throttle|slow)-/;
/** Whose delays say nothing of the others. */
const FLOODING = /^Bearer flood-/;
const SLOW_MILLIS = 3_000;
const PROTOBUF = 'application/x-protobuf';

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  const fault = FAULTY.exec(request.headers.authorization ?? '')?.[1] as ReceiverFault | undefined;
  if (fault !== undefined) {
    misbehave(fault, request, response);
    return;
  }
  request.on('end', () => {
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    stats.requests += 1;
    stats.bytes += body.length;
    // Other formats are of peers that count for themselves.
    const isOtlp = request.headers['content-type'] === PROTOBUF && request.headers['content-encoding'] === undefined;
    if (!isOtlp) {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      return;
    }
    const hasSpans = request.url?.endsWith('/v1/traces') === true;
    if (hasSpans) stats.spans += countSpans(body);
    response.writeHead(200, { 'content-type': PROTOBUF, 'content-length': 0 }).end();
    const now = Date.now();
    if (!hasSpans || FLOODING.test(request.headers.authorization ?? '')) return;
    for (const endedAt of endTimes(body)) delays.push(now - endedAt);
  });
});
// Longer than any run, so that no peer pays for new connections.
server.keepAliveTimeout = 600_000;
server.on('connection', (socket: Socket) => {
  stats.sockets += 1;
  stats.peakSockets = Math.max(stats.peakSockets, stats.sockets);
  socket.on('close', () => {
    stats.sockets -= 1;
  });
});

server.listen(0, '127.0.0.1', 4_096, () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on('message', () => {
  delays.sort((left, right) => left - right);
  const quantile = (share: number): number => delays[Math.floor(delays.length * share)] ?? 0;
  const answer: ReceiverStats = { ...stats, delayP50: quantile(0.5), delayP99: quantile(0.99) };
  process.send?.(answer);
});
process.on('disconnect', () => process.exit());

function misbehave(fault: ReceiverFault, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  if (fault === 'refuse') request.socket.destroy();
  else if (fault === 'throttle') response.writeHead(429, { 'retry-after': '2' }).end();
  else if (fault === 'slow') setTimeout(() => response.writeHead(200).end(), SLOW_MILLIS);
}
