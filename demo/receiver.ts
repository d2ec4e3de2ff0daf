import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type DecodedSpan, decodeTraceRequest } from '../test/support/otlp-decoder.ts';
import { serve } from './remote.ts';

/** Whose spans a receiver is there for. */
export interface ReceiverDuty {
  readonly serviceName: string;
  readonly apiKey: string;
  readonly canary: string;
  /** Secrets that no byte received may contain. */
  readonly foreignCanaries: readonly string[];
  /** For the tests of the demo: the first request is answered well, but forgotten. */
  readonly forgetsFirstRequest: boolean;
}

export interface ReceiverReport {
  readonly spans: number;
  /** Spans with another tenant's canary, service or key, or none, and requests with another's canary anywhere else. */
  readonly foreign: number;
  /** Spans whose parent never came. */
  readonly orphans: number;
  readonly traceIds: readonly string[];
}

export type ReceiverMethods = {
  /** Starts to listen, on a free port of the loopback interface; answers the base URL. */
  listen(duty: ReceiverDuty): Promise<string>;
  /** Refuses connections from now on. */
  goDown(): void;
  received(): number;
  report(): ReceiverReport;
};

const spanIds = new Set<string>();
const parentIds: string[] = [];
const traceIds = new Set<string>();
const server = createServer();
let requests = 0;
let received = 0;
let foreign = 0;

serve<ReceiverMethods>({
  async listen(duty) {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void receive(request, response, duty);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
  goDown() {
    server.close();
  },
  received: () => received,
  report: () => ({
    spans: received,
    foreign,
    orphans: parentIds.filter((id) => !spanIds.has(id)).length,
    traceIds: [...traceIds],
  }),
});

async function receive(request: IncomingMessage, response: ServerResponse, duty: ReceiverDuty): Promise<void> {
  const body = Buffer.concat(await request.toArray());
  requests += 1;
  if (requests > 1 || !duty.forgetsFirstRequest) take(body, request.headers['x-api-key'], duty);
  response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
}

function take(body: Buffer, apiKey: unknown, duty: ReceiverDuty): void {
  let foreignHere = 0;
  for (const { resource, scopeSpans } of decodeTraceRequest(body).resourceSpans) {
    const isOurs = apiKey === duty.apiKey && resource.attributes['service.name'] === duty.serviceName;
    for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
      if (!isOurs || span.attributes['canary'] !== duty.canary) foreignHere += 1;
      note(span);
    }
  }
  if (foreignHere === 0 && duty.foreignCanaries.some((canary) => body.includes(canary))) foreignHere = 1;
  foreign += foreignHere;
}

function note({ spanId, parentSpanId, traceId }: DecodedSpan): void {
  received += 1;
  spanIds.add(spanId);
  traceIds.add(traceId);
  if (parentSpanId !== '') parentIds.push(parentSpanId);
}
