import { once } from 'node:events';
import { connect } from 'node:http2';
import net from 'node:net';
import { gzipSync } from 'node:zlib';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { TracerRegistry } from 'isotrace';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Dashboard, SegmentRing } from '../../../src/dashboard.ts';
import { bytesOf, lastFields } from '../../../src/processing/proto-reader.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { SILENT } from '../../support/tenant-receivers.ts';
import { protobuf, spanId, traceId, tracesJson } from '../otlp-requests.ts';
import { getJson, openDashboard } from './dashboard-kit.ts';

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const asIs = (bytes: Buffer): Buffer => bytes;

interface Traces {
  readonly traces: { readonly tenant: string; readonly name: string }[];
}

async function tracesOf(dashboard: Dashboard, headers = {}): Promise<string[]> {
  const { value } = await getJson<Traces>(dashboard, '/api/v1/traces?start=0', headers);
  return value.traces.map(({ tenant, name }) => `${tenant}: ${name}`).sort();
}

/** A call as it is given; resolves with the answer's bytes or the error's code. */
async function call(dashboard: Dashboard, message: Buffer, headers: Record<string, string> = {}, path = EXPORT) {
  const client = new Client(`127.0.0.1:${dashboard.grpcPort}`, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
  });
  onTestFinished(() => client.close());
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return await new Promise<{ code: number; details: string; bytes: Buffer }>((resolve) => {
    client.makeUnaryRequest(path, asIs, asIs, message, metadata, (error: ServiceError | null, bytes?: Buffer) => {
      resolve({ code: error?.code ?? status.OK, details: error?.details ?? '', bytes: bytes ?? Buffer.alloc(0) });
    });
  });
}

const one = protobuf(
  'traces',
  tracesJson({ service: 'api' }, [{ traceId: traceId(1), spanId: spanId(1), name: 'work' }]),
);

describe('the gRPC receiver of the dashboard', () => {
  it.each(['none', 'gzip'] as const)('takes what the stock exporters send, compression %s', async (compression) => {
    const dashboard = await openDashboard({ grpcPort: 0 });
    const url = `http://127.0.0.1:${dashboard.grpcPort}`;
    const options = { url, compression: compression as never };
    const provider = new TracerProvider({
      spanProcessors: [new SimpleSpanProcessor({ exporter: new OTLPTraceExporter(options) })],
    });
    provider.getTracer('test').startSpan('from stock').end();
    const logs = new LoggerProvider({
      processors: [new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter(options) })],
    });
    logs.getLogger('test').emit({ body: 'hello' });
    const reader = new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(options) });
    const meters = new MeterProvider({ readers: [reader] });
    meters.getMeter('test').createCounter('visits').add(3);
    await Promise.all([provider.forceFlush(), logs.forceFlush(), meters.forceFlush()]);
    await Promise.all([provider.shutdown(), logs.shutdown(), meters.shutdown()]);
    expect(await tracesOf(dashboard)).toEqual(['default: from stock']);
    expect((await getJson(dashboard, '/api/v1/logs')).value).toMatchObject({ logs: [{ body: 'hello' }] });
    expect((await getJson(dashboard, '/api/v1/metrics')).value).toMatchObject({ metrics: [{ name: 'visits' }] });
  });

  it('takes the tenants of a registry, by metadata', async () => {
    const dashboard = await openDashboard({ grpcPort: 0, tenantHeader: 'X-Tenant' });
    const endpoint = `http://127.0.0.1:${dashboard.grpcPort}`;
    const registry = new TracerRegistry({
      logger: SILENT,
      configure: () => ({ destination: { endpoint, protocol: 'grpc', tenantHeader: 'x-tenant', compression: 'gzip' } }),
    });
    for (const tenant of ['acme', 'globex']) registry.get(tenant).startSpan(`of ${tenant}`).end();
    await registry.shutdown();
    expect(await tracesOf(dashboard)).toEqual(['acme: of acme', 'globex: of globex']);
  });

  it('looks at tokens, and lets one that is limited speak for its own tenants only', async () => {
    const token = [
      { token: 'all-of-them-please' },
      { token: 'only-for-reading-0', readOnly: true },
      { token: 'nobody-but-acme-0', tenants: ['acme', 'other'] },
    ];
    const dashboard = await openDashboard({ grpcPort: 0, token });
    const as = (name: string) => ({ authorization: `Bearer ${name}` });
    expect((await call(dashboard, one)).code).toBe(status.UNAUTHENTICATED);
    expect((await call(dashboard, one, as('somebody-else-000'))).code).toBe(status.UNAUTHENTICATED);
    expect((await call(dashboard, one, as('only-for-reading-0'))).code).toBe(status.PERMISSION_DENIED);
    const spans = [{ traceId: traceId(2), spanId: spanId(2), name: 'own' }];
    const mixed = Buffer.concat([
      protobuf('traces', tracesJson({ tenant: 'acme' }, spans)),
      protobuf('traces', tracesJson({ tenant: 'globex' }, spans)),
    ]);
    const { code, bytes } = await call(dashboard, mixed, as('nobody-but-acme-0'));
    expect(code).toBe(status.OK);
    const partial = lastFields(bytesOf(lastFields(bytes).get(1)));
    expect(partial.get(1)).toBe(1n);
    expect(Buffer.from(bytesOf(partial.get(2))).toString()).toBe('the tenant is not allowed');
    expect(await tracesOf(dashboard, as('all-of-them-please'))).toEqual(['acme: own']);
  });

  it('refuses what is malformed, of another service, or too large, also after decompression', async () => {
    const dashboard = await openDashboard({ grpcPort: 0, maxBodyBytes: 100_000 });
    expect(await call(dashboard, Buffer.from([0xff, 0xff]))).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect((await call(dashboard, one, {}, '/some.Service/Export')).code).toBe(status.UNIMPLEMENTED);
    expect((await call(dashboard, Buffer.alloc(100_001))).code).toBe(status.RESOURCE_EXHAUSTED);
    const bomb = await callRaw(dashboard, gzipSync(Buffer.alloc(50_000_000)), 'gzip');
    expect(bomb).toBe(status.RESOURCE_EXHAUSTED);
    expect((await call(dashboard, one)).code).toBe(status.OK);
  });

  it('answers as unavailable when the store does not take it, and is not harmed when that fails', async () => {
    class Failing extends SegmentRing {
      mode: 'overloaded' | 'reject' = 'overloaded';
      override append(): Promise<{ outcome: 'overloaded'; message: string }> {
        if (this.mode === 'reject') return Promise.reject(new Error('disk'));
        return Promise.resolve({ outcome: 'overloaded', message: 'full' });
      }
    }
    const store = new Failing();
    const dashboard = await openDashboard({ grpcPort: 0, store });
    expect(await call(dashboard, one)).toMatchObject({ code: status.UNAVAILABLE, details: 'full' });
    store.mode = 'reject';
    expect(await call(dashboard, one)).toMatchObject({ code: status.UNAVAILABLE, details: 'the store failed' });
  });

  it('reads so many calls at a time, and ends those that do not come in time', async () => {
    const clock = new FakeClock();
    const dashboard = await openDashboard({ grpcPort: 0, clock });
    const slow = Array.from({ length: 16 }, () => openCall(dashboard));
    // Its answer comes after the others were seen.
    await Promise.all(slow.map(({ stream }) => once(stream, 'ready')));
    await vi.waitFor(async () => expect((await call(dashboard, one)).code).toBe(status.UNAVAILABLE));
    await clock.advanceAsync(10_000);
    expect(await Promise.all(slow.map(({ code }) => code))).toEqual(slow.map(() => status.DEADLINE_EXCEEDED));
    expect((await call(dashboard, one)).code).toBe(status.OK);
    const gone = Array.from({ length: 16 }, () => openCall(dashboard));
    await Promise.all(gone.map(({ stream }) => once(stream, 'ready')));
    for (const { stream } of gone) stream.close();
    await vi.waitFor(async () => expect((await call(dashboard, one)).code).toBe(status.OK));
  });

  it('goes on after connections that are none, or break', async () => {
    const dashboard = await openDashboard({ grpcPort: 0 });
    for (const bytes of [
      'GET / HTTP/1.1\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff',
      '',
    ]) {
      const socket = net.connect(dashboard.grpcPort ?? 0, '127.0.0.1');
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.end(bytes, 'latin1');
      socket.resume();
      await once(socket, 'close');
    }
    expect((await call(dashboard, one)).code).toBe(status.OK);
    expect(await tracesOf(dashboard)).toEqual(['default: work']);
  });

  it('is there only when it is asked for, and closed with the dashboard', async () => {
    expect((await openDashboard()).grpcPort).toBeUndefined();
    const dashboard = await openDashboard({ grpcPort: 0 });
    await call(dashboard, one);
    await dashboard.close();
    expect((await call(dashboard, one)).code).toBe(status.UNAVAILABLE);
    const other = await openDashboard({ grpcPort: 0 });
    await expect(openDashboard({ grpcPort: other.grpcPort ?? 0 })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(openDashboard({ grpcPort: -1 })).rejects.toThrow(/grpcPort/);
  });
});

/** A call whose message is compressed already. Resolves with the code. */
async function callRaw(dashboard: Dashboard, compressed: Buffer, encoding: string): Promise<number> {
  const call = openCall(dashboard, { 'grpc-encoding': encoding });
  const frame = Buffer.alloc(5);
  frame[0] = 1;
  frame.writeUInt32BE(compressed.length, 1);
  call.stream.end(Buffer.concat([frame, compressed]));
  return await call.code;
}

/** A call on a connection of its own, which has sent its headers only. */
function openCall({ grpcPort }: Dashboard, headers: Record<string, string> = {}) {
  const session = connect(`http://127.0.0.1:${grpcPort}`);
  onTestFinished(() => session.destroy());
  session.on('error', () => {});
  const own = { ':method': 'POST', ':path': EXPORT, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request({ ...own, ...headers });
  stream.on('error', () => {});
  stream.resume();
  const code = new Promise<number>((resolve) => {
    const settle = (answer: Record<string, unknown>): void => {
      if (answer['grpc-status'] !== undefined) resolve(Number(answer['grpc-status']));
    };
    stream.on('response', settle);
    stream.on('trailers', settle);
    stream.on('close', () => resolve(-1));
  });
  return { stream, code };
}
