import type http from 'node:http';
import { createRequire } from 'node:module';
import {
  context as contextApi,
  INVALID_SPAN_CONTEXT,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  trace,
} from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { resolveTracerSettings } from '../../src/core/config.ts';
import { BUILT_IN_DEFAULTS } from '../../src/core/settings.ts';
import { inbound, library, startWorld } from '../routing/routing-kit.ts';
import { startPeer } from '../support/peer.ts';

function sent(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(contextApi.active(), headers);
  return headers;
}

async function world(propagateTo?: readonly string[]) {
  return startWorld(['a'], {
    tenant: () => ({ propagation: { baggage: ['plan'], ...(propagateTo && { propagateTo }) } }),
  });
}

// Once for all attempts: a module that is loaded already is patched by what has seen it being loaded only.
const instrumentation = new HttpInstrumentation();

describe('propagateTo', () => {
  it('takes hosts and functions, and what the registry has where a tenant says nothing', () => {
    const only = (): boolean => true;
    const resolve = (propagateTo: never) =>
      resolveTracerSettings({ propagation: { propagateTo } }, { tenantId: 'acme' });
    expect(resolve(['h:1'] as never).settings.propagation.propagateTo).toMatchObject([{ host: 'h', port: '1' }]);
    expect(resolve(only as never)).toMatchObject({ settings: { propagation: { propagateTo: only } }, issues: [] });
    expect(resolve(undefined as never)).toMatchObject({
      settings: { propagation: { propagateTo: undefined } },
      issues: [],
    });
  });

  it.each([
    ['api.example.com', ['propagation.propagateTo']],
    [true, ['propagation.propagateTo']],
    [Array<string>(129).fill('h'), ['propagation.propagateTo']],
    [
      [5, 'https://h/path', ''],
      ['propagation.propagateTo[0]', 'propagation.propagateTo[1]', 'propagation.propagateTo[2]'],
    ],
  ])('lets nothing out where it is not acceptable: %j', (propagateTo, options) => {
    const { settings, issues } = resolveTracerSettings(
      { propagation: { propagateTo: propagateTo as never } },
      { tenantId: 'acme' },
    );
    expect(BUILT_IN_DEFAULTS.propagation.propagateTo).toBeUndefined();
    expect(settings.propagation.propagateTo).toEqual([]);
    expect(issues.map(({ option }) => option)).toEqual(options);
  });

  it.each([
    ['stable conventions', { 'server.address': 'friend.example', 'server.port': 443, 'url.scheme': 'https' }],
    ['the whole URL', { 'url.full': 'https://friend.example/x' }],
    ['older conventions', { 'http.url': 'https://friend.example/x' }],
    ['older conventions of RPC', { 'net.peer.name': 'friend.example', 'net.peer.port': 50051, 'rpc.system': 'grpc' }],
  ])('finds the host of a CLIENT span by %s', async (_what, attributes) => {
    for (const [hosts, expected] of [
      [['friend.example'], ['traceparent', 'baggage']],
      [['other.example'], []],
      [undefined, ['traceparent']],
    ] as const) {
      const { registry } = await world(hosts);
      registry.run('a', () => undefined);
      await registry.get('a').flush();
      registry.get('a').withBaggage({ plan: 'pro' }, () =>
        library().startActiveSpan('call', { kind: SpanKind.CLIENT, attributes }, (span) => {
          expect(Object.keys(sent())).toEqual(expected);
          span.end();
        }),
      );
      await registry.shutdown();
    }
  });

  it('believes the address more than a whole URL, which may show the Host header', async () => {
    const { registry } = await world(['friend.example']);
    const attributes = {
      'url.full': 'http://friend.example/',
      'server.address': 'stranger.example',
      'server.port': 80,
    };
    await registry.get('a').flush();
    registry.run('a', () =>
      library().startActiveSpan('call', { kind: SpanKind.CLIENT, attributes }, () => expect(sent()).toEqual({})),
    );
  });

  it('keeps in what goes to a host that is not known, and lets out what the host asks for itself', async () => {
    const { registry } = await world(['friend.example']);
    const a = registry.get('a');
    await a.flush();
    a.withBaggage({ plan: 'pro' }, () => {
      library().startActiveSpan('call', { kind: SpanKind.CLIENT }, () => expect(sent()).toEqual({}));
      const invalid = trace.setSpan(contextApi.active(), trace.wrapSpanContext(INVALID_SPAN_CONTEXT));
      contextApi.with(invalid, () => expect(sent()).toEqual({}));
      for (const kind of [SpanKind.PRODUCER, SpanKind.INTERNAL]) {
        library().startActiveSpan('publish', { kind }, () =>
          expect(Object.keys(sent())).toEqual(['traceparent', 'baggage']),
        );
      }
      expect(sent()).toEqual({ baggage: 'plan=pro' });
    });
  });

  it('is the registry\u2019s while the tenant is not known', async () => {
    await startWorld(['a'], { registry: { propagation: { propagateTo: ['friend.example'] } } });
    const request = inbound('GET');
    const call = (host: string) =>
      request.run(() =>
        library().startActiveSpan('call', { kind: SpanKind.CLIENT, attributes: { 'server.address': host } }, () =>
          sent(),
        ),
      );
    expect(Object.keys(call('friend.example'))).toEqual(['traceparent']);
    expect(call('stranger.example')).toEqual({});
    request.span.end();
  });

  it('changes with the tenant\u2019s configuration', async () => {
    let propagateTo = ['old.example'];
    const { registry } = await startWorld(['a'], { tenant: () => ({ propagation: { propagateTo } }) });
    const call = (host: string) =>
      registry.run('a', () =>
        library().startActiveSpan('call', { kind: SpanKind.CLIENT, attributes: { 'server.address': host } }, () =>
          sent(),
        ),
      );
    await registry.get('a').flush();
    expect([Object.keys(call('old.example')).length, Object.keys(call('new.example')).length]).toEqual([1, 0]);
    propagateTo = ['new.example'];
    expect(await registry.reconfigure('a')).toBe('changed');
    expect([Object.keys(call('old.example')).length, Object.keys(call('new.example')).length]).toEqual([0, 1]);
  });

  it('writes nothing where tracing is suppressed', async () => {
    const { registry } = await world();
    registry.get('a').withSpan('job', () => {
      expect(Object.keys(sent())).toEqual(['traceparent']);
      contextApi.with(suppressTracing(contextApi.active()), () => expect(sent()).toEqual({}));
    });
    contextApi.with(suppressTracing(ROOT_CONTEXT), () => expect(sent()).toEqual({}));
  });

  it('holds for node:http under its instrumentation', async () => {
    const [friend, stranger] = [await startPeer(), await startPeer()];
    instrumentation.enable();
    onTestFinished(() => instrumentation.disable());
    const { request } = createRequire(import.meta.url)('http') as typeof http;
    const { registry, delivered } = await startWorld(['a'], {
      tenant: () => ({ propagation: { baggage: ['plan'], propagateTo: [friend.host] } }),
      install: { instrumentations: [instrumentation] },
    });
    await registry.get('a').flush();
    await registry.get('a').withBaggage({ plan: 'pro' }, async () => {
      for (const { url } of [friend, stranger]) {
        await new Promise((resolve, reject) => {
          // A Host header is the caller's word for where the call goes.
          const call = request(url, { headers: { host: friend.host } }, (response) =>
            response.resume().on('end', resolve),
          );
          call.on('error', reject).end();
        });
      }
    });
    expect((await delivered()).a).toEqual(['GET', 'GET']);
    expect(friend.arrived[0]?.headers).toMatchObject({ baggage: 'plan=pro' });
    expect(friend.arrived[0]?.count('traceparent')).toBe(1);
    expect(stranger.arrived[0]?.headers['traceparent']).toBeUndefined();
    expect(stranger.arrived[0]?.headers['baggage']).toBeUndefined();
  });
});
