import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { countSpans } from './count-spans.ts';
import type { ReceiverStats } from './receiver.ts';

/** The other process: takes OTLP requests, counts what is in them and answers 200. */
const stats = { requests: 0, spans: 0, bytes: 0, sockets: 0, peakSockets: 0 } satisfies ReceiverStats;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    stats.requests += 1;
    stats.bytes += body.length;
    stats.spans += countSpans(body);
    response.writeHead(200, { 'content-type': 'application/x-protobuf', 'content-length': 0 }).end();
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
process.on('message', () => process.send?.({ ...stats }));
process.on('disconnect', () => process.exit());
