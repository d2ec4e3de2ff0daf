import { once } from 'node:events';
import http from 'node:http';
import tls from 'node:tls';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { TRACE_EXPORT } from './grpc-receiver.ts';
import { type OtlpReceiver, type ReceiverOptions, startReceiver } from './otlp-receiver.ts';
import { type FaultMode, failing, type ReceiverFault, randomly } from './receiver-faults.ts';
import { bytesField } from './rpc-status.ts';
import { expiredAuthorityCert, expiredCert, otherKey, selfSignedCert } from './test-certificates.ts';

interface Expectation {
  readonly fault: ReceiverFault;
  /** What a client over HTTP is told; undefined: HTTP cannot express it. */
  readonly http?: string;
  /** The status that a gRPC client is told; undefined: gRPC cannot express it. */
  readonly grpc?: number;
  /** Whether the spans are kept, over HTTP and over gRPC. */
  readonly keeps?: readonly [boolean, boolean];
}

const NEVER = 'no answer';
/** For what does come, on a machine that is busy. */
const PATIENCE_MILLIS = 10_000;
const BOTH = [true, true] as const;
const HTTP_ONLY = [true, false] as const;
const [OK, UNKNOWN, DEADLINE, EXHAUSTED, INTERNAL, UNAVAILABLE] = [0, 2, 4, 8, 13, 14];

const MODES: Record<FaultMode, Expectation> = {
  ok: { fault: { mode: 'ok' }, http: '200', grpc: OK, keeps: BOTH },
  delay: { fault: { mode: 'delay', millis: 20 }, http: '200', grpc: OK, keeps: BOTH },
  hang: { fault: { mode: 'hang' }, http: NEVER, grpc: DEADLINE },
  'hang-before-body': { fault: { mode: 'hang-before-body' }, http: NEVER, grpc: DEADLINE },
  'slow-read': { fault: { mode: 'slow-read', intervalMillis: 5 }, http: '200', grpc: OK, keeps: BOTH },
  status: { fault: { mode: 'status', status: 503 }, http: '503', grpc: UNAVAILABLE },
  'grpc-status': { fault: { mode: 'grpc-status', code: INTERNAL, message: 'no' }, grpc: INTERNAL },
  throttle: { fault: { mode: 'throttle', retryAfter: 3 }, http: '429 retry-after=3', grpc: EXHAUSTED },
  redirect: {
    fault: { mode: 'redirect', status: 308, location: 'http://elsewhere.test/' },
    http: '308 location=http://elsewhere.test/',
    grpc: UNKNOWN,
  },
  'partial-success': { fault: { mode: 'partial-success', rejected: 2 }, http: '200', grpc: OK, keeps: BOTH },
  'slow-body': {
    fault: { mode: 'slow-body', intervalMillis: 5 },
    http: `200 ${NEVER}`,
    grpc: DEADLINE,
    keeps: HTTP_ONLY,
  },
  'reset-before-body': { fault: { mode: 'reset-before-body' }, http: 'ECONNRESET', grpc: UNAVAILABLE },
  'reset-before-status': { fault: { mode: 'reset-before-status' }, http: 'ECONNRESET', grpc: UNAVAILABLE },
  'reset-after-status': {
    fault: { mode: 'reset-after-status' },
    http: '200 ECONNRESET',
    grpc: UNAVAILABLE,
    keeps: HTTP_ONLY,
  },
  'reset-mid-body': { fault: { mode: 'reset-mid-body' }, http: '200 ECONNRESET', grpc: UNAVAILABLE, keeps: HTTP_ONLY },
  'close-before-status': { fault: { mode: 'close-before-status' }, http: 'ECONNRESET', grpc: UNAVAILABLE },
  'cut-body': { fault: { mode: 'cut-body' }, http: '200 ECONNRESET', grpc: UNAVAILABLE, keeps: HTTP_ONLY },
  'stored-then-reset': { fault: { mode: 'stored-then-reset' }, http: 'ECONNRESET', grpc: UNAVAILABLE, keeps: BOTH },
  'big-body': { fault: { mode: 'big-body', bytes: 9_000_000 }, http: '200', grpc: EXHAUSTED, keeps: HTTP_ONLY },
  'gzip-bomb': { fault: { mode: 'gzip-bomb', bytes: 9_000_000 }, http: '200', grpc: EXHAUSTED, keeps: HTTP_ONLY },
  'malformed-body': { fault: { mode: 'malformed-body' }, http: '200', grpc: EXHAUSTED, keeps: HTTP_ONLY },
  'web-page': { fault: { mode: 'web-page' }, http: '200', grpc: EXHAUSTED, keeps: HTTP_ONLY },
  garbage: { fault: { mode: 'garbage' }, http: 'HPE_INVALID_CONSTANT' },
  'early-answer': { fault: { mode: 'early-answer', status: 503 }, http: '503', grpc: UNAVAILABLE },
  'ok-then-close': { fault: { mode: 'ok-then-close' }, http: '200', grpc: OK, keeps: BOTH },
  goaway: { fault: { mode: 'goaway' }, http: '200 close', grpc: OK, keeps: BOTH },
  'rst-stream': { fault: { mode: 'rst-stream', code: 2 }, http: 'ECONNRESET', grpc: INTERNAL },
  'unasked-continue': { fault: { mode: 'unasked-continue' }, http: '200', keeps: BOTH },
  informational: { fault: { mode: 'informational' }, http: '200', keeps: BOTH },
  'two-answers': { fault: { mode: 'two-answers' }, http: '200', keeps: BOTH },
};

/** One resource with one scope with one span. */
const BODY = bytesField(1, bytesField(2, bytesField(2, bytesField(5, Buffer.from('span')))));

async function start(options: ReceiverOptions = {}): Promise<OtlpReceiver> {
  const receiver = await startReceiver(options);
  onTestFinished(() => receiver.close());
  return receiver;
}

/** The status and what else there is to say about the answer, or the code of an error. */
function post(
  receiver: OtlpReceiver,
  { tenant = 'a', path = '/v1/traces', patienceMillis = PATIENCE_MILLIS } = {},
): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const end = (text = ''): void => {
      request.destroy();
      resolve([said, text].filter((part) => part !== '').join(' '));
    };
    const request = http.request(`${receiver.url}${path}`, { method: 'POST', agent: false });
    request.setHeader('content-type', 'application/x-protobuf').setHeader('x-tenant', tenant);
    request.on('error', (error: NodeJS.ErrnoException) => end(error.code));
    const deadline = setTimeout(() => end(NEVER), patienceMillis);
    request.once('close', () => clearTimeout(deadline));
    request.on('response', (response) => {
      const { location, 'retry-after': retryAfter, connection } = response.headers;
      said = `${response.statusCode}`;
      if (retryAfter !== undefined) said += ` retry-after=${retryAfter}`;
      if (location !== undefined) said += ` location=${location}`;
      if (connection === 'close' && receiver.requests.at(-1)?.headers.connection !== 'close') said += ' close';
      response.on('error', (error: NodeJS.ErrnoException) => end(error.code));
      response.on('end', () => end()).resume();
    });
    request.setHeader('connection', 'keep-alive').end(BODY);
  });
}

function call(receiver: OtlpReceiver, patienceMillis = PATIENCE_MILLIS): Promise<number> {
  const client = new Client(`127.0.0.1:${receiver.port}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
  });
  onTestFinished(() => client.close());
  const deadline = Date.now() + patienceMillis;
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve) => {
    const answer = (error: ServiceError | null): void => resolve(error?.code ?? OK);
    client.makeUnaryRequest(TRACE_EXPORT, same, same, BODY, new Metadata(), { deadline }, answer);
  });
}

describe('the receiver of the tests', () => {
  const modes = Object.entries(MODES);

  it('has more than 24 modes', () => {
    expect(modes.length).toBeGreaterThan(24);
    expect(modes.every(([mode, { fault }]) => fault.mode === mode)).toBe(true);
  });

  it.each(modes.filter(([, { http: said }]) => said !== undefined))(
    'over HTTP does what is said: %s',
    async (_, row) => {
      const receiver = await start({ fault: row.fault });
      const isSilent = row.http?.includes(NEVER);
      expect(await post(receiver, isSilent ? { patienceMillis: 400 } : {})).toBe(row.http);
      expect(receiver.spans()).toHaveLength(row.keeps?.[0] ? 1 : 0);
      await receiver.waitForRequests(1);
    },
  );

  it.each(modes.filter(([, { grpc }]) => grpc !== undefined))('over gRPC does what is said: %s', async (_, row) => {
    const receiver = await start({ protocol: 'grpc', fault: row.fault });
    expect(await call(receiver, row.grpc === DEADLINE ? 1_000 : undefined)).toBe(row.grpc);
    expect(receiver.spans()).toHaveLength(row.keeps?.[1] ? 1 : 0);
    const [request] = await receiver.waitForRequests(1);
    expect(request).toMatchObject({ path: TRACE_EXPORT, socketId: 1 });
  });

  it('treats each tenant in its own way, by header or path, also while it runs', async () => {
    const receiver = await start();
    receiver.setFaultOf('bad', { mode: 'status', status: 500 });
    receiver.setFaultOf('worse', failing(1, { mode: 'status', status: 502 }));
    expect(await post(receiver, { tenant: 'good' })).toBe('200');
    expect(await post(receiver, { tenant: 'bad' })).toBe('500');
    expect(await post(receiver, { tenant: 'worse' })).toBe('502');
    expect(await post(receiver, { tenant: 'worse' })).toBe('200');
    receiver.setFaultOf('bad', undefined);
    expect(await post(receiver, { tenant: 'bad' })).toBe('200');
  });

  it('fails as often as it is told to, and at random in the same way each time', async () => {
    const head = { path: '', headers: {}, tenantId: undefined };
    const fault = { mode: 'hang' } as const;
    const plan = failing(2, fault);
    expect([1, 2, 3, 4].map(() => plan.next(head).mode)).toEqual(['hang', 'hang', 'ok', 'ok']);
    const draw = (seed: number): number => {
      const random = randomly(0.25, [fault], seed);
      return Array.from({ length: 1_000 }, () => random.next(head)).filter(({ mode }) => mode === 'hang').length;
    };
    expect(draw(7)).toBe(draw(7));
    expect(draw(7)).toBeGreaterThan(200);
    expect(draw(7)).toBeLessThan(300);
  });

  it('refuses connections and comes back on the same port', async () => {
    const receiver = await start();
    const { port } = receiver;
    await receiver.refuse();
    expect(await post(receiver)).toBe('ECONNREFUSED');
    await receiver.listen();
    expect(receiver.port).toBe(port);
    expect(await post(receiver)).toBe('200');
  });

  it.each([
    ['reset', 'ECONNRESET'],
    ['silent', NEVER],
    ['garbage', 'HPE_INVALID_CONSTANT'],
  ] as const)('can be %s to whoever connects', async (fault, said) => {
    const receiver = await start();
    receiver.setConnectionFault(fault);
    expect(await post(receiver)).toBe(said);
    receiver.setConnectionFault('none');
    expect(await post(receiver)).toBe('200');
    expect(receiver.connections.total).toBe(2);
  });

  it.each([
    ['is signed by itself', selfSignedCert, undefined, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['has expired', expiredCert, expiredAuthorityCert, 'CERT_HAS_EXPIRED'],
  ])('can have a certificate that %s', async (_, cert, ca, code) => {
    const receiver = await start({ tls: { cert, key: otherKey } });
    const socket = tls.connect({ port: receiver.port, host: '127.0.0.1', ...(ca === undefined ? {} : { ca }) });
    onTestFinished(() => void socket.destroy());
    const [error] = (await once(socket, 'error').catch((thrown: unknown) => [thrown])) as [NodeJS.ErrnoException];
    expect(error.code).toBe(code);
  });

  it('leaves nothing open', async () => {
    const receiver = await start({ fault: { mode: 'slow-body' } });
    const answer = post(receiver);
    await receiver.waitForRequests(1);
    await receiver.close();
    expect(await answer).toMatch(/ECONNRESET/);
    await receiver.waitForConnections(0);
  });
});
