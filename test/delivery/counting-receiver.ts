import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { allSpans, decodeTraceRequest } from '../support/otlp-decoder.ts';

export type Treatment = 'ok' | 'hang' | 'reset' | 'throttle' | 'unavailable' | 'trickle';

/** What one tenant did to the receiver. */
export interface Visitor {
  /** Spans by id, each with the number of times that it was accepted. */
  readonly accepted: Map<string, number>;
  requests: number;
  atOnce: number;
  maxAtOnce: number;
}

/**
 * One receiver of many tenants that treats each in its own way and knows how many requests of whom it has at the same
 * time. Tenants say who they are in `x-tenant`.
 */
export class CountingReceiver {
  readonly visitors = new Map<string, Visitor>();
  maxConnections = 0;
  treat: (tenantId: string) => Treatment = () => 'ok';
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #server = http.createServer((request, response) => {
    this.#serve(request, response).catch(() => response.destroy());
  });

  static async start(): Promise<CountingReceiver> {
    const receiver = new CountingReceiver();
    await receiver.#listen();
    onTestFinished(() => receiver.#close());
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  visitor(tenantId: string): Visitor {
    let visitor = this.visitors.get(tenantId);
    if (visitor === undefined) {
      visitor = { accepted: new Map(), requests: 0, atOnce: 0, maxAtOnce: 0 };
      this.visitors.set(tenantId, visitor);
    }
    return visitor;
  }

  async #listen(): Promise<void> {
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      this.maxConnections = Math.max(this.maxConnections, this.#sockets.size);
      socket.on('error', () => {});
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const tenantId = String(request.headers['x-tenant']);
    const visitor = this.visitor(tenantId);
    this.#enter(visitor, response);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const treatment = this.treat(tenantId);
    if (treatment === 'ok' || treatment === 'trickle') {
      for (const { spanId } of allSpans(decodeTraceRequest(Buffer.concat(chunks)))) {
        visitor.accepted.set(spanId, (visitor.accepted.get(spanId) ?? 0) + 1);
      }
    }
    this.#answer(treatment, request, response);
  }

  #enter(visitor: Visitor, response: ServerResponse): void {
    visitor.requests += 1;
    visitor.atOnce += 1;
    visitor.maxAtOnce = Math.max(visitor.maxAtOnce, visitor.atOnce);
    response.once('close', () => {
      visitor.atOnce -= 1;
    });
  }

  #answer(treatment: Treatment, request: IncomingMessage, response: ServerResponse): void {
    if (treatment === 'ok') response.writeHead(200).end();
    else if (treatment === 'reset') request.socket.resetAndDestroy();
    else if (treatment === 'throttle') response.writeHead(429, { 'retry-after': '1' }).end();
    else if (treatment === 'unavailable') response.writeHead(503).end();
    else if (treatment === 'trickle') {
      response.writeHead(200, { 'content-length': '1000000' });
      this.#trickle(response);
    }
  }

  #trickle(response: ServerResponse): void {
    if (response.destroyed) return;
    response.write('.');
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#trickle(response);
    }, 100);
    this.#timers.add(timer);
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
