import { gzipSync } from 'node:zlib';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { TracerRegistry } from 'isotrace';
import { describe, expect, it } from 'vitest';
import { lastFields } from '../../../src/processing/proto-reader.ts';
import { protobuf, spanId, traceId, tracesJson } from '../otlp-requests.ts';
import { getJson, openDashboard, postOtlp, send } from './dashboard-kit.ts';

const one = tracesJson({ service: 'api' }, [{ traceId: traceId(1), spanId: spanId(1), name: 'work' }]);
const PROTOBUF = { 'content-type': 'application/x-protobuf' };

interface Traces {
  readonly traces: { readonly tenant: string; readonly name: string; readonly traceId: string }[];
}

describe('the receiver of the dashboard', () => {
  it.each(['none', 'gzip'] as const)('takes what the stock exporter sends, compression %s', async (compression) => {
    const dashboard = await openDashboard();
    const exporter = new OTLPTraceExporter({ url: `${dashboard.url}/v1/traces`, compression: compression as never });
    const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
    provider.getTracer('test').startSpan('from stock').end();
    await provider.shutdown();
    const { value } = await getJson<Traces>(dashboard, '/api/v1/traces');
    expect(value.traces).toMatchObject([{ tenant: 'default', name: 'from stock' }]);
  });

  it.each(['http/protobuf', 'http/json'] as const)('takes the tenants of a registry over %s', async (protocol) => {
    const dashboard = await openDashboard({ tenantHeader: 'X-Tenant' });
    const registry = new TracerRegistry({
      configure: () => ({ destination: { endpoint: dashboard.url, protocol, tenantHeader: 'x-tenant' } }),
    });
    for (const tenant of ['acme', 'globex']) registry.get(tenant).startSpan(`of ${tenant}`).end();
    await registry.shutdown();
    const { value } = await getJson<Traces>(dashboard, '/api/v1/traces');
    expect(value.traces.map(({ tenant, name }) => [tenant, name]).sort()).toEqual([
      ['acme', 'of acme'],
      ['globex', 'of globex'],
    ]);
  });

  it('answers in the format of the request', async () => {
    const dashboard = await openDashboard();
    const json = await postOtlp(dashboard, 'traces', one);
    expect([json.status, json.headers['content-type'], json.bytes.toString()]).toEqual([200, 'application/json', '{}']);
    const binary = await send(dashboard, 'POST', '/v1/traces', PROTOBUF, protobuf('traces', one));
    expect([binary.status, binary.headers['content-type'], binary.bytes.length]).toEqual([
      ...[200, 'application/x-protobuf', 0],
    ]);
    const broken = await send(dashboard, 'POST', '/v1/traces', PROTOBUF, 'no protobuf');
    expect(broken.status).toBe(400);
    const status = lastFields(broken.bytes);
    expect(status.get(1)).toBe(3n);
    expect(Buffer.from(status.get(2) as Uint8Array).toString()).toMatch(/^[a-z ]+$/);
  });

  it('says what it did not take, as partial success', async () => {
    const dashboard = await openDashboard();
    const bad = tracesJson({}, [{ traceId: '00', spanId: spanId(1) }]);
    const json = await postOtlp(dashboard, 'traces', bad);
    expect(JSON.parse(json.bytes.toString())).toEqual({
      partialSuccess: { rejectedSpans: '1', errorMessage: 'a span has no valid trace id' },
    });
    const binary = await send(dashboard, 'POST', '/v1/traces', PROTOBUF, protobuf('traces', bad));
    const partial = lastFields(lastFields(binary.bytes).get(1) as Uint8Array);
    expect(partial.get(1)).toBe(1n);
  });

  it.each<[string, Record<string, string>]>([
    ['text/plain', {}],
    ['application/x-www-form-urlencoded', {}],
    ['multipart/form-data; boundary=x', {}],
    ['', {}],
    ['application/json', { 'content-encoding': 'br' }],
  ])('refuses the type %j %j', async (type, headers) => {
    const dashboard = await openDashboard();
    const reply = await postOtlp(dashboard, 'traces', one, { ...headers, 'content-type': type });
    expect(reply.status).toBe(415);
  });

  it('refuses what is too large, before and after decompression, without inflating it', async () => {
    const dashboard = await openDashboard({ maxBodyBytes: 1_000_000 });
    const large = await send(dashboard, 'POST', '/v1/traces', PROTOBUF, Buffer.alloc(1_000_001));
    expect(large.status).toBe(413);
    const bomb = gzipSync(Buffer.alloc(200_000_000), { level: 9 });
    expect(bomb.length).toBeLessThan(1_000_000);
    const before = process.memoryUsage().rss;
    const reply = await send(dashboard, 'POST', '/v1/traces', { ...PROTOBUF, 'content-encoding': 'gzip' }, bomb);
    expect(reply.status).toBe(413);
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
    expect((await postOtlp(dashboard, 'traces', one)).status).toBe(200);
  });

  it('refuses a gzip body that is none', async () => {
    const dashboard = await openDashboard();
    const headers = { ...PROTOBUF, 'content-encoding': 'gzip' };
    expect((await send(dashboard, 'POST', '/v1/traces', headers, 'no gzip')).status).toBe(400);
    const cut = gzipSync(protobuf('traces', one)).subarray(0, 30);
    expect((await send(dashboard, 'POST', '/v1/traces', headers, cut)).status).toBe(400);
  });

  it('takes values nested as deep as isotrace sends them', async () => {
    const dashboard = await openDashboard();
    const value = JSON.parse(`${'{"arrayValue":{"values":['.repeat(46)}{"intValue":"1"}${']}}'.repeat(46)}`) as object;
    const span = { traceId: traceId(1), spanId: spanId(1), attributes: [{ key: 'deep', value }] };
    const json = { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] };
    expect((await postOtlp(dashboard, 'traces', json)).status).toBe(200);
    const { value: trace } = await getJson<{ spans: { attributes: { deep: unknown } }[] }>(
      dashboard,
      `/api/v1/traces/${traceId(1)}`,
    );
    expect(JSON.stringify(trace.spans[0]?.attributes.deep)).toBe(`${'['.repeat(46)}1${']'.repeat(46)}`);
  });

  it.each(['protobuf', 'json'])('refuses values nested 100,000 deep in %s', async (format) => {
    const dashboard = await openDashboard();
    const depth = 100_000;
    if (format === 'json') {
      const open = '{"arrayValue":{"values":['.repeat(depth);
      const body = `{"resourceSpans":[{"resource":{"attributes":[{"key":"a","value":${open}${']}}'.repeat(depth)}}]}}]}`;
      const reply = await send(dashboard, 'POST', '/v1/traces', { 'content-type': 'application/json' }, body);
      expect([reply.status, reply.bytes.toString()]).toEqual([400, expect.stringContaining('nested too deeply')]);
      return;
    }
    // Each step wraps what is there in one more array: lengths are written in front, so from the inside out.
    const parts: Buffer[] = [];
    let length = 0;
    const wrap = (tag: number): void => {
      const header = [tag];
      for (let rest = length; ; rest = Math.floor(rest / 128)) {
        if (rest < 128) {
          header.push(rest);
          break;
        }
        header.push((rest % 128) + 128);
      }
      parts.push(Buffer.from(header));
      length += header.length;
    };
    for (let level = 0; level < depth; level += 1) for (const tag of [0x0a, 0x2a]) wrap(tag);
    for (const tag of [0x12, 0x0a, 0x0a, 0x0a]) wrap(tag);
    const reply = await send(dashboard, 'POST', '/v1/traces', PROTOBUF, Buffer.concat(parts.reverse()));
    expect([reply.status, reply.bytes.toString()]).toEqual([400, expect.stringContaining('nested too deeply')]);
  });

  it('takes the tenant from the header before the attribute, and never from the query', async () => {
    const dashboard = await openDashboard({ tenantHeader: 'x-tenant' });
    const spans = [{ traceId: traceId(1), spanId: spanId(1) }];
    await postOtlp(dashboard, 'traces', tracesJson({ tenant: 'attribute' }, spans));
    await postOtlp(dashboard, 'traces', tracesJson({ tenant: 'attribute' }, spans), { 'x-tenant': 'header' });
    await postOtlp(dashboard, 'traces?tenant=query', tracesJson({}, spans));
    const refused = await postOtlp(dashboard, 'traces', tracesJson({}, spans), { 'x-tenant': 'a\u0085b' });
    expect(JSON.parse(refused.bytes.toString())).toMatchObject({ partialSuccess: { rejectedSpans: '1' } });
    const { value } = await getJson<{ tenants: { tenant: string }[] }>(dashboard, '/api/v1/tenants');
    expect(value.tenants.map(({ tenant }) => tenant).sort()).toEqual(['attribute', 'default', 'header']);
  });
});
