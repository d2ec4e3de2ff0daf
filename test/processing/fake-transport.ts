import type { GrpcRequest, GrpcResult, GrpcTransport } from '../../src/infra/grpc-request.ts';
import type { Transport, TransportRequest, TransportResult } from '../../src/infra/transport.ts';

/** Keeps what it is asked to send, and answers with what the test says. */
export class FakeTransport implements Transport {
  readonly requests: TransportRequest[] = [];
  closed = false;
  answer: (request: TransportRequest) => TransportResult | Promise<TransportResult> = () => response(200);

  async send(request: TransportRequest): Promise<TransportResult> {
    this.requests.push(request);
    return this.answer(request);
  }

  openSockets(): number {
    return 0;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

export function response(status: number, headers: Record<string, string> = {}): TransportResult {
  return { kind: 'response', status, headers, body: new Uint8Array(0), truncated: false };
}

/** The same for gRPC. */
export class FakeGrpcTransport implements GrpcTransport {
  readonly requests: GrpcRequest[] = [];
  closed = false;

  async send(request: GrpcRequest): Promise<GrpcResult> {
    this.requests.push(request);
    return { kind: 'status', code: 0, message: '', details: undefined, body: new Uint8Array(0) };
  }

  openSockets(): number {
    return 0;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

/** What a destination is unless a test says otherwise. */
export const PLAIN_WIRE = { protocol: 'http/protobuf', compression: 'none', tls: undefined, addresses: 'any' } as const;
