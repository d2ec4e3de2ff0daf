import { once } from 'node:events';
import { InterceptingCall, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type Context, context as contextApi, propagation, SpanKind, trace } from '@opentelemetry/api';
import { describe, expect, it, onTestFinished } from 'vitest';
import { clientInterceptor, serverInterceptor } from '../../../src/grpc.ts';
import { createTracer } from '../../../src/index.ts';
import { until } from '../../core/registry-kit.ts';
import { inbound, library, startWorld } from '../../routing/routing-kit.ts';
import type { DecodedSpan } from '../../support/otlp-decoder.ts';
import { receivedPoints } from '../../support/received-metrics.ts';
import { SILENT, startTenants } from '../../support/tenant-receivers.ts';
import { recordingMeter } from '../http/recording-meter.ts';
import { type EchoHandlers, echoing, startEcho } from './grpc-service.ts';

const [SERVER, CLIENT] = [SpanKind.SERVER + 1, SpanKind.CLIENT + 1];
const ERROR = 2;
const IDS = Array.from({ length: 24 }, (_, index) => `t${index}`);

/** The one span of a kind. */
function only(spans: readonly DecodedSpan[], kind: number): DecodedSpan {
  const found = spans.filter((span) => span.kind === kind);
  if (found.length !== 1) throw new Error(`${found.length} spans of kind ${kind}`);
  return found[0] as DecodedSpan;
}

/** Who is calling, as a service that authenticates would know. */
const byToken = (metadata: Metadata): string | undefined => metadata.get('token')[0]?.toString();

function token(id: string): Metadata {
  const metadata = new Metadata();
  metadata.set('token', id);
  return metadata;
}

describe('the gRPC interceptors', () => {
  it('give each tenant its own complete traces, of all kinds of calls, interleaved on one connection', async () => {
    const { registry, receivers } = await startTenants(IDS, {
      registry: { maxTenants: 100, propagation: { baggage: ['of'], propagateTo: ['localhost'] } },
    });
    const seen: string[] = [];
    const during = (metadata: Metadata): void => {
      registry.withSpan('work', () => undefined);
      const tracer = registry.current();
      seen.push(`${tracer?.tenantId} ${String(metadata.get('token')[0])} ${tracer?.getBaggage('of')}`);
    };
    const { client, port } = await startEcho(echoing(during), [serverInterceptor(registry, { tenant: byToken })]);
    const echo = client([clientInterceptor(registry)]);
    await Promise.all(
      IDS.flatMap((id) => {
        const tracer = registry.get(id);
        const call = <T extends object>(name: string, fn: () => Promise<T>): Promise<T> =>
          tracer.withBaggage({ of: id }, () =>
            tracer.withSpan(name, async () => {
              const answer = await fn();
              const heard = (answer as { heardIn?: Context }).heardIn;
              if (heard !== undefined) expect(contextApi.with(heard, () => registry.current()?.tenantId)).toBe(id);
              return answer;
            }),
          );
        return [
          call('a', () => echo.unary(id, token(id))).then(({ messages }) => expect(messages).toEqual([id])),
          call('b', () => echo.up([id, id], token(id))).then(({ messages }) =>
            expect(messages).toEqual([`${id},${id}`]),
          ),
          call('c', () => echo.down(`${id},x`, token(id))).then(({ messages }) => expect(messages).toEqual([id, 'x'])),
          call('d', () => echo.both([id, 'y'], token(id))).then(({ messages }) => expect(messages).toEqual([id, 'y'])),
        ];
      }),
    );
    await until(() => IDS.every((id) => registry.get(id).stats().open === 0), 'all spans have ended');
    await registry.flush();
    expect(new Set(seen)).toEqual(new Set(IDS.map((id) => `${id} ${id} ${id}`)));
    for (const id of IDS) {
      const spans = receivers[id as never] as unknown as { spans(): DecodedSpan[] };
      const all = spans.spans();
      expect(all).toHaveLength(4 + 4 + 4 + 6);
      for (const [name, method] of Object.entries({ a: 'Unary', b: 'Up', c: 'Down', d: 'Both' })) {
        const root = all.find((span) => span.name === name);
        const trace_ = all.filter(({ traceId }) => traceId === root?.traceId);
        const [caller, callee] = [only(trace_, CLIENT), only(trace_, SERVER)];
        expect(caller).toMatchObject({
          name: `test.Echo/${method}`,
          parentSpanId: root?.spanId,
          status: { code: 0 },
          attributes: {
            'rpc.system.name': 'grpc',
            'rpc.method': `test.Echo/${method}`,
            'rpc.status_code': 'OK',
            'server.address': 'localhost',
            'server.port': port,
          },
        });
        expect(callee).toMatchObject({
          name: `test.Echo/${method}`,
          parentSpanId: caller.spanId,
          attributes: {
            'rpc.system.name': 'grpc',
            'rpc.status_code': 'OK',
            'server.address': 'localhost',
            'server.port': port,
            'client.address': '127.0.0.1',
          },
        });
        const work = trace_.filter((span) => span.name === 'work');
        expect(work.map(({ parentSpanId }) => parentSpanId)).toEqual(work.map(() => callee.spanId));
        expect(work.length).toBeGreaterThan(0);
      }
    }
  });

  it('count the messages of streams, on both sides, and nothing on unary calls', async () => {
    const { registry, receivers } = await startTenants(['caller', 'callee']);
    const { client } = await startEcho(echoing(), [serverInterceptor(registry, { tenant: () => 'callee' })]);
    const echo = client([clientInterceptor(registry.get('caller'))]);
    await echo.unary('x');
    await echo.up(['a', 'b', 'c']);
    await echo.down('a,b');
    await echo.both(['a', 'b', 'c', 'd']);
    await until(() => registry.get('callee').stats().open === 0, 'the server is done');
    await registry.flush();
    const counts = (id: 'caller' | 'callee') =>
      Object.fromEntries(
        receivers[id]
          .spans()
          .map(({ name, attributes }) => [
            name,
            [attributes['isotrace.rpc.messages.sent'], attributes['isotrace.rpc.messages.received']],
          ]),
      );
    expect(counts('caller')).toEqual({
      'test.Echo/Unary': [undefined, undefined],
      'test.Echo/Up': [3, 1],
      'test.Echo/Down': [1, 2],
      'test.Echo/Both': [4, 4],
    });
    expect(counts('callee')).toEqual({
      'test.Echo/Unary': [undefined, undefined],
      'test.Echo/Up': [1, 3],
      'test.Echo/Down': [2, 1],
      'test.Echo/Both': [4, 4],
    });
  });

  it('measure calls in the metrics of their tenant, on both sides, also those that sampling turns away', async () => {
    const { registry, receivers } = await startTenants(['caller', 'callee'], {
      tenant: (id) => (id === 'callee' ? { sampling: { ratio: 0 } } : {}),
    });
    const handlers: EchoHandlers = { ...echoing(), up: (_call, callback) => callback({ code: status.NOT_FOUND }) };
    const options = { tenant: () => 'callee', incoming: 'ignore' } as const;
    const { client, port } = await startEcho(handlers, [serverInterceptor(registry, options)]);
    const echo = client([clientInterceptor(registry)]);
    await registry.run('caller', async () => {
      for (const text of ['a', 'b']) await echo.unary(text);
      await echo.up(['a']);
    });
    await until(() => registry.get('callee').stats().open === 0, 'the server is done');
    await registry.flush();
    const measured = (id: 'caller' | 'callee', name: string) =>
      receivedPoints(receivers[id], name)
        .map(({ attributes, count }) => [attributes, count])
        .sort(([, one], [, other]) => Number(other) - Number(one));
    const common = { 'rpc.system.name': 'grpc' };
    const unary = { ...common, 'rpc.method': 'test.Echo/Unary', 'rpc.status_code': 'OK' };
    const up = { ...common, 'rpc.method': 'test.Echo/Up', 'rpc.status_code': 'NOT_FOUND' };
    expect(measured('callee', 'rpc.server.call.duration')).toEqual([
      [unary, 2],
      [up, 1],
    ]);
    const at = { 'server.address': 'localhost', 'server.port': port };
    expect(measured('caller', 'rpc.client.call.duration')).toEqual([
      [{ ...unary, ...at }, 2],
      [{ ...up, ...at, 'error.type': 'NOT_FOUND' }, 1],
    ]);
    const [point] = receivedPoints(receivers.callee, 'rpc.server.call.duration');
    expect(point).toMatchObject({ unit: 's', scope: 'isotrace' });
    expect(point?.bounds).toEqual([0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]);
    expect(receivers.callee.spans()).toEqual([]);
  });

  it('measure where they are told to, and nowhere', async () => {
    const { registry, receivers } = await startTenants(['caller', 'callee']);
    const meter = recordingMeter();
    const tenant = () => 'callee';
    const provider = { getMeter: () => meter.meter };
    const perTenant = recordingMeter();
    const { client } = await startEcho(echoing(), [serverInterceptor(registry, { tenant, meterProvider: provider })]);
    const quiet = await startEcho(echoing(), [serverInterceptor(registry, { tenant, meterProvider: false })]);
    const own = (id: string) => (id === 'caller' ? perTenant.meter : undefined);
    const caller = registry.get('caller');
    await client([clientInterceptor(caller, { meterProvider: own })]).unary('x');
    await quiet.client([clientInterceptor(caller, { meterProvider: false })]).unary('x');
    await until(() => registry.get('callee').stats().open === 0, 'the server is done');
    await registry.flush();
    expect(meter.of('rpc.server.call.duration').map(({ attributes }) => attributes['tenant.id'])).toEqual(['callee']);
    expect(perTenant.of('rpc.client.call.duration')).toHaveLength(1);
    expect(perTenant.of('rpc.client.call.duration')[0]?.attributes).not.toHaveProperty('tenant.id');
    for (const id of ['caller', 'callee'] as const) expect(receivedPoints(receivers[id])).toEqual([]);
  });

  it('measure a call of a request whose tenant is named later at that tenant', async () => {
    const { registry, delivered, receivers } = await startWorld(['a', 'b']);
    const { client } = await startEcho(echoing());
    const echo = client([clientInterceptor(registry)]);
    const request = inbound('GET /');
    await request.run(() => echo.unary('x'));
    request.run(() => registry.run('b', () => undefined));
    request.span.end();
    expect(await delivered()).toEqual({ a: [], b: ['GET /', 'test.Echo/Unary'], platform: [] });
    expect(receivedPoints(receivers.b, 'rpc.client.call.duration')).toHaveLength(1);
    expect(receivedPoints(receivers.a)).toEqual([]);
  });

  it.each([
    ['NOT_FOUND', 0],
    ['INVALID_ARGUMENT', 0],
    ['UNKNOWN', ERROR],
    ['INTERNAL', ERROR],
    ['UNAVAILABLE', ERROR],
    ['UNIMPLEMENTED', ERROR],
  ] as const)('takes %s for an error of the client, and of the server if it is its own', async (code, atServer) => {
    const { registry, receivers } = await startTenants(['caller', 'callee']);
    const refused: Partial<ServiceError> = { code: status[code], details: 'no such thing' };
    const { client } = await startEcho(
      {
        unary: (_call, callback) => callback(refused),
        down: (call) => void call.emit('error', refused),
      },
      [serverInterceptor(registry, { tenant: () => 'callee' })],
    );
    const echo = client([clientInterceptor(registry.get('caller'))]);
    for (const outcome of [await echo.unary('x'), await echo.down('x')]) {
      expect(outcome.error).toMatchObject({ code: status[code], details: 'no such thing' });
    }
    await until(() => registry.get('callee').stats().open === 0, 'the server is done');
    await registry.flush();
    const statuses = (id: 'caller' | 'callee') =>
      receivers[id]
        .spans()
        .map((span) => [span.status, span.attributes['rpc.status_code'], span.attributes['error.type']]);
    const failed = [{ code: ERROR, message: 'no such thing' }, code, code];
    const fine = [{ code: 0, message: '' }, code, undefined];
    expect(statuses('caller')).toEqual([failed, failed]);
    expect(statuses('callee')).toEqual(atServer === ERROR ? [failed, failed] : [fine, fine]);
  });

  it('end the spans of calls that are cancelled, once', async () => {
    const { registry, receivers } = await startTenants(['caller', 'callee']);
    let cancelled: string | undefined;
    const { client } = await startEcho(
      {
        both: (call) => {
          call.write('begun');
          call.on('cancelled', () => {
            cancelled = registry.current()?.tenantId;
          });
        },
      },
      [serverInterceptor(registry, { tenant: () => 'callee' })],
    );
    const call = client([clientInterceptor(registry.get('caller'))]).open();
    call.on('error', () => undefined);
    await once(call, 'data');
    call.cancel();
    await until(() => registry.get('callee').stats().open === 0 && registry.get('caller').stats().open === 0, 'ended');
    await until(() => cancelled !== undefined, 'the handler has heard of it');
    await registry.flush();
    expect(cancelled).toBe('callee');
    expect(receivers.caller.spans()).toMatchObject([
      { status: { code: ERROR }, attributes: { 'rpc.status_code': 'CANCELLED', 'error.type': 'CANCELLED' } },
    ]);
    expect(receivers.callee.spans()).toMatchObject([
      { status: { code: 0 }, attributes: { 'rpc.status_code': 'CANCELLED' } },
    ]);
  });

  it('tell a deadline that has passed', async () => {
    const { registry, receivers } = await startTenants(['caller', 'callee']);
    const { client } = await startEcho({ unary: () => undefined }, [
      serverInterceptor(registry, { tenant: () => 'callee' }),
    ]);
    const echo = client([clientInterceptor(registry.get('caller'))]);
    // As a deadline of the client's reaches the server, but for the client, whose cancellation could come first.
    const metadata = new Metadata();
    metadata.set('grpc-timeout', '50m');
    const { error } = await echo.unary('x', metadata);
    expect(error?.code).toBe(status.DEADLINE_EXCEEDED);
    await until(() => registry.get('callee').stats().open === 0, 'the server is done');
    await registry.flush();
    for (const id of ['caller', 'callee'] as const) {
      expect(receivers[id].spans().map(({ attributes, status: { code } }) => [attributes['error.type'], code])).toEqual(
        [['DEADLINE_EXCEEDED', ERROR]],
      );
    }
  });

  it('tell a server that is not there', async () => {
    const { registry, received } = await startTenants(['a']);
    const { client } = await startEcho({});
    const echo = client([clientInterceptor(registry.get('a'))], { 'grpc.enable_http_proxy': 0 });
    const { error } = await echo.unary('x', new Metadata(), { deadline: Date.now() - 1 });
    expect(error).toBeDefined();
    const span = (await received('a'))['test.Echo/Unary'];
    expect(span?.attributes['error.type']).toBe(status[error?.code ?? 0]);
  });
});

describe('clientInterceptor', () => {
  it('leaves the metadata of the host as they are, and replaces a traceparent of its own', async () => {
    const { registry, received } = await startTenants(['a']);
    let arrived: Metadata | undefined;
    const { client } = await startEcho(
      echoing((metadata) => {
        arrived = metadata;
      }),
    );
    const metadata = token('a');
    metadata.set('traceparent', 'mine');
    await client([clientInterceptor(registry.get('a'))]).unary('x', metadata);
    const span = (await received('a'))['test.Echo/Unary'];
    expect(metadata.get('traceparent')).toEqual(['mine']);
    expect(arrived?.get('traceparent')).toEqual([`00-${span?.traceId}-${span?.spanId}-03`]);
    expect(arrived?.get('token')).toEqual(['a']);
  });

  it.each([
    [undefined, [true, undefined]],
    [['localhost'], [true, 'plan=pro']],
    [['other.example'], [false, undefined]],
    [(url: URL) => url.pathname === '/test.Echo/Unary', [true, 'plan=pro']],
  ])('sends what propagateTo says: %s', async (propagateTo, expected) => {
    const { registry } = await startTenants(['a'], {
      registry: { propagation: { baggage: ['plan'], ...(propagateTo && { propagateTo }) } },
    });
    let arrived: Metadata | undefined;
    const { client } = await startEcho(
      echoing((metadata) => {
        arrived = metadata;
      }),
    );
    const a = registry.get('a');
    await a.withBaggage({ plan: 'pro', secret: 'x' }, () => client([clientInterceptor(a)]).unary('x'));
    expect([arrived?.get('traceparent').length === 1, arrived?.get('baggage')[0]]).toEqual(expected);
  });

  it('passes calls outside of every tenant on, and makes no second span where instrumentation has one', async () => {
    const { registry, delivered } = await startWorld(['a']);
    const { client } = await startEcho(echoing());
    const echo = client([clientInterceptor(registry)]);
    expect((await echo.unary('outside')).messages).toEqual(['outside']);
    await registry.run('a', () =>
      library().startActiveSpan(
        'theirs',
        { kind: SpanKind.CLIENT, attributes: { 'rpc.system': 'grpc' } },
        async (span) => {
          await echo.unary('inside');
          span.end();
        },
      ),
    );
    expect(await delivered()).toEqual({ a: ['theirs'], platform: [] });
    trace.disable();
    propagation.disable();
  });

  it('lets what another interceptor throws through, and ends the span', async () => {
    const { registry, received } = await startTenants(['a']);
    const { client } = await startEcho(echoing());
    const thrown = new Error('of theirs');
    const echo = client([
      clientInterceptor(registry.get('a')),
      (options, nextCall) =>
        new InterceptingCall(nextCall(options), {
          start: () => {
            throw thrown;
          },
        }),
    ]);
    await expect(echo.unary('x')).rejects.toBe(thrown);
    expect((await received('a'))['test.Echo/Unary']?.status.code).toBe(ERROR);
  });
});

describe('serverInterceptor', () => {
  it('lets the call wait for an asynchronous tenant, which counts as time of the call', async () => {
    const { registry, receivers } = await startTenants(['a']);
    let answer: ((id: string) => void) | undefined;
    const tenant = (): Promise<string> =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const tenants: unknown[] = [];
    const { client } = await startEcho(
      echoing(() => tenants.push(registry.current()?.tenantId)),
      [serverInterceptor(registry, { tenant })],
    );
    const call = client().both(['x', 'y']);
    await until(() => answer !== undefined, 'the tenant is asked for');
    const asked = Date.now();
    await until(() => Date.now() > asked + 5, 'the clock has moved on');
    expect(tenants).toEqual([]);
    answer?.('a');
    expect((await call).messages).toEqual(['x', 'y']);
    expect(tenants).toEqual(['a', 'a']);
    await until(() => registry.get('a').stats().open === 0, 'ended');
    await registry.flush();
    const [span] = receivers.a.spans();
    expect(Number(span?.startTimeUnixNano) / 1e6).toBeLessThan(asked + 3);
    expect(Number(span?.endTimeUnixNano) / 1e6).toBeGreaterThan(asked + 3);
  });

  it('serves calls whose tenant fails, is none, or does not exist, and traces them for nobody', async () => {
    const { registry, receivers } = await startTenants(['a']);
    const answers: (() => never)[] = [
      () => {
        throw new Error('no');
      },
      () => Promise.reject(new Error('no')) as never,
      () => undefined as never,
      () => 5 as never,
      () => 'nobody' as never,
      () => new Promise<string>(() => {}) as never,
    ];
    for (const tenant of answers) {
      const { client } = await startEcho(echoing(), [serverInterceptor(registry, { tenant, tenantTimeoutMillis: 20 })]);
      expect((await client().unary('x')).messages).toEqual(['x']);
    }
    await registry.flush();
    expect(receivers.a.spans()).toEqual([]);
    expect(registry.health().errors.host).toBe(4);
  });

  it('gives calls without a tenant to the platform tracer if it is to, and passes excluded ones by', async () => {
    const { registry, delivered } = await startWorld(['a'], { install: false });
    const options = { tenant: () => undefined, unassigned: 'platform', exclude: ['test.Echo/D*'] } as const;
    const { client } = await startEcho(echoing(), [serverInterceptor(registry, options)]);
    await client().unary('x');
    await client().down('x');
    await until(() => registry.platform.stats().open === 0, 'ended');
    expect(await delivered()).toEqual({ a: [], platform: ['test.Echo/Unary'] });
  });

  it.each([
    ['parent', true, 0],
    ['link', false, 1],
    ['ignore', false, 0],
  ] as const)('trusts what arrives as far as %s', async (incoming, isChild, links) => {
    const { registry, receivers } = await startTenants(['a'], { registry: { propagation: { baggage: ['plan'] } } });
    let plan: string | undefined;
    const { client } = await startEcho(
      echoing(() => {
        plan = registry.current()?.getBaggage('plan');
      }),
      [serverInterceptor(registry, { tenant: () => 'a', incoming })],
    );
    const metadata = new Metadata();
    metadata.set('traceparent', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`);
    metadata.set('baggage', 'plan=pro,isotrace.tenant=b');
    await client().unary('x', metadata);
    await until(() => registry.get('a').stats().open === 0, 'ended');
    await registry.flush();
    const [span] = receivers.a.spans();
    expect(span?.parentSpanId === 'b'.repeat(16)).toBe(isChild);
    expect(span?.links).toHaveLength(links);
    expect(plan).toBe(incoming === 'ignore' ? undefined : 'pro');
  });

  it('makes issues of options that are not acceptable', async () => {
    const { registry } = await startTenants(['a']);
    const bad = {
      ...{ tenant: 5, incoming: 'all', unassigned: 1, exclude: 7, tenantTimeoutMillis: 0, what: 1, meterProvider: {} },
    } as never;
    serverInterceptor(registry, bad);
    expect(registry.health().issues.map(({ option }) => option)).toEqual([
      'grpc.what',
      'grpc.tenant',
      'grpc.incoming',
      'grpc.unassigned',
      'grpc.exclude',
      'grpc.tenantTimeoutMillis',
      'grpc.meterProvider',
    ]);
    const strict = await startTenants(['a'], { registry: { strict: true } });
    expect(() => serverInterceptor(strict.registry, bad)).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    expect(contextApi.active()).toBeDefined();
  });

  it("makes issues of a client's options, for a registry and for a tracer of its own", async () => {
    const { registry } = await startTenants(['a']);
    const bad = { meterProvider: 5, what: 1 } as never;
    clientInterceptor(registry.get('a'), bad);
    const options = ['grpc.what', 'grpc.meterProvider'];
    expect(registry.health().issues.map(({ option }) => option)).toEqual(options);
    const tracer = createTracer({ destination: { endpoint: 'http://localhost:1' }, logger: SILENT });
    onTestFinished(() => void tracer.shutdown({ timeoutMillis: 0 }));
    clientInterceptor(tracer, bad);
    expect(tracer.health().issues.map(({ option }) => option)).toEqual(options);
    clientInterceptor(registry.get('a'), { meterProvider: false });
    expect(registry.health().issues).toHaveLength(2);
  });
});
