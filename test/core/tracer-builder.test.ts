import { describe, expect, it } from 'vitest';
import {
  BUILDER_CONVENTIONS,
  type BuildResult,
  CredentialSource,
  Credentials,
  IsotraceError,
  type Tracer,
  TracerBuilder,
} from '../../src/index.ts';
import { endSpans, receiverWith, registryWith } from '../delivery/delivery-kit.ts';
import { decodeTraceRequest } from '../support/otlp-decoder.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';

const KEYS = { ISOTRACE_API_KEY_ID: 'id', ISOTRACE_API_KEY_SECRET: 'CANARY-7c1d' };

function optionsOf(builder: TracerBuilder) {
  const result = builder.options();
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.options;
}

/** The names of all steps. */
function stepsOf(builder: object): readonly string[] {
  const names: string[] = [];
  for (let at: unknown = builder; at !== Object.prototype; at = Object.getPrototypeOf(at))
    names.push(...Object.getOwnPropertyNames(at).filter((name) => name.startsWith('with')));
  return names;
}

function issuesOf(builder: TracerBuilder): readonly string[] {
  const result = builder.build();
  if (result.ok) throw new Error('it was built');
  return result.issues.map(({ option }) => option);
}

/** The resource of the first request. */
function resourceAt(receiver: OtlpReceiver): Record<string, unknown> | undefined {
  const [request] = receiver.requests;
  return request && decodeTraceRequest(request.body).resourceSpans[0]?.resource.attributes;
}

async function tracerOf(result: BuildResult): Promise<Tracer> {
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.tracer;
}

describe('a builder', () => {
  it('builds a tracer that sends what every step said', async () => {
    const receiver = await receiverWith();
    const tracer = await tracerOf(
      new TracerBuilder()
        .withTenant('acme')
        .withApiKey('key', 'secret')
        .withEndpoint(receiver.url)
        .withHttp()
        .withCompression()
        .withService('api', '1.2.3')
        .withServiceNamespace('shop')
        .withEnvironment('staging')
        .withCustomAttribute('team', 'core')
        .withCustomAttributes({ zone: 'a' })
        .withCollectorId('c-1')
        .withCollectorName('main')
        .withCollectorDescription('of the shop')
        .withCollectorHostname('host-1')
        .withCollectorTag('rack', '7')
        .withCollectorTags({ row: '3' })
        .withDatacenter('eu-1')
        .build(),
    );
    endSpans(tracer, 100);
    await tracer.shutdown();
    const [request] = receiver.requests;
    expect(request?.headers).toMatchObject({ authorization: 'Bearer key:secret', 'content-encoding': 'gzip' });
    expect(resourceAt(receiver)).toMatchObject({
      'service.name': 'api',
      'service.version': '1.2.3',
      'service.namespace': 'shop',
      'deployment.environment.name': 'staging',
      team: 'core',
      zone: 'a',
      'collector.id': 'c-1',
      'collector.name': 'main',
      'collector.description': 'of the shop',
      'host.name': 'host-1',
      'collector.tag.rack': '7',
      'collector.tag.row': '3',
      'collector.datacenter': 'eu-1',
    });
  });

  it('makes options of every step', () => {
    const builder = new TracerBuilder()
      .withEndpoint('receiver.test:4317')
      .withGrpc()
      .withInsecure()
      .withTimeout(2_000)
      .withRetry({ maxRetries: 4, backoffMillis: 500 })
      .withBatchSettings(100, 50)
      .withRateLimit(20)
      .withExemplars()
      .withOptions({ sampling: { ratio: 0.5 } });
    expect(optionsOf(builder)).toMatchObject({
      destination: { endpoint: 'http://receiver.test:4317', protocol: 'grpc', insecure: true, timeoutMillis: 2_000 },
      retry: { initialMillis: 500, maxMillis: 1_000, giveUpMillis: 2_000 },
      batch: { delayMillis: 100, maxSize: 50 },
      limits: { spansPerSecond: 20 },
      metrics: { exemplars: true },
      sampling: { ratio: 0.5 },
    });
    expect(optionsOf(builder.withRetry({ enabled: false })).retry).toEqual({ giveUpMillis: 0 });
    expect(optionsOf(builder.withRateLimit(0)).limits).toBeUndefined();
    expect(optionsOf(new TracerBuilder().withEndpoint('receiver.test')).destination).toMatchObject({
      endpoint: 'https://receiver.test',
    });
  });

  it('chooses signals and their paths', () => {
    const builder = new TracerBuilder()
      .withEndpoint('http://receiver.test')
      .withTracesEndpoint('/v2/traces')
      .withMetricsEndpoint('/v2/metrics')
      .withLogsEndpoint('/v2/logs');
    expect(optionsOf(builder).destination).toMatchObject({
      paths: { traces: '/v2/traces', metrics: '/v2/metrics', logs: '/v2/logs' },
    });
    const signals = (step: TracerBuilder) => optionsOf(step).signals;
    expect(signals(builder.clone().withTracesOnly())).toEqual({ traces: true, metrics: false, logs: false });
    expect(signals(builder.clone().withMetricsOnly())).toEqual({ traces: false, metrics: true, logs: false });
    expect(signals(builder.clone().withLogsOnly())).toEqual({ traces: false, metrics: false, logs: true });
    expect(signals(builder.withSignals({ logs: false }).withSignals({ metrics: true }))).toEqual({
      metrics: true,
      logs: false,
    });
  });

  it('serves every tenant by a clone of its own, and mixes none of them up', async () => {
    const receivers = [await receiverWith(), await receiverWith()] as const;
    const shared = new TracerBuilder().withService('api').withCustomAttribute('shared', true);
    const registry = registryWith({
      configure: (tenantId) => {
        const result = shared
          .clone()
          .withEndpoint(receivers[tenantId === 'a' ? 0 : 1].url)
          .withApiKey(tenantId, `secret-of-${tenantId}`)
          .withCustomAttribute('of', tenantId)
          .options();
        return result.ok ? result.options : undefined;
      },
    });
    endSpans(registry.get('a'), 1);
    endSpans(registry.get('b'), 1);
    await registry.flush();
    expect(receivers.map(({ requests }) => requests[0]?.headers['authorization'])).toEqual([
      'Bearer a:secret-of-a',
      'Bearer b:secret-of-b',
    ]);
    expect(receivers.map((receiver) => resourceAt(receiver))).toEqual(
      ['a', 'b'].map((of) => expect.objectContaining({ 'service.name': 'api', shared: true, of })),
    );
    expect(optionsOf(shared).destination).toBeUndefined();
  });

  it('tells every problem at once, and nothing of a secret', () => {
    const builder = new TracerBuilder()
      .withTenant('\n')
      .withApiKey('', 'CANARY\n')
      .withEndpoint('ftp://receiver.test')
      .withTimeout(-1)
      .withCustomAttribute('bad', (() => 1) as never)
      .withBatchSettings(-5, 0);
    expect(issuesOf(builder)).toEqual(
      expect.arrayContaining([
        'keyId',
        'keySecret',
        'tenantId',
        'destination.endpoint',
        'destination.timeoutMillis',
        'attributes.bad',
        'batch.delayMillis',
        'batch.maxSize',
      ]),
    );
    expect(JSON.stringify(builder.build())).not.toContain('CANARY');
    expect(() => builder.buildOrThrow()).toThrow(IsotraceError);
  });

  it('takes the last of two calls, and forgets what was wrong with the first', async () => {
    const builder = new TracerBuilder()
      .withApiKey('', '')
      .withEndpoint('nonsense://')
      .withCredentials({} as never);
    expect(issuesOf(builder)).toEqual(['credentials', 'destination.endpoint']);
    const tracer = builder.withApiKey('id', 'secret').withEndpoint('http://127.0.0.1:1').buildOrThrow();
    await tracer.shutdown({ timeoutMillis: 0 });
  });

  it.each(stepsOf(new TracerBuilder()))('%s never throws, whatever it is told', (step) => {
    const refuse = (): never => {
      throw new Error('it cannot be read');
    };
    const hostile = new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse, getPrototypeOf: refuse });
    for (const value of [null, 5, Symbol('x'), [], () => 1, hostile, { destination: hostile, attributes: hostile }]) {
      const builder = new TracerBuilder().withEndpoint('http://receiver.test');
      expect(Reflect.apply(Reflect.get(builder, step) as () => unknown, builder, [value, value])).toBe(builder);
      expect(builder.options()).toBeDefined();
      expect(builder.clone().build()).toBeDefined();
    }
  });

  it.each(['withCustomAttributes', 'withOptions', 'withSignals', 'withRetry', 'withCollectorTags'] as const)(
    '%s takes an object and nothing else',
    (step) => {
      const builder = new TracerBuilder().withEndpoint('http://receiver.test');
      const told = (value: unknown): unknown => Reflect.apply(builder[step], builder, [value]);
      told(7);
      expect(issuesOf(builder)).toEqual([step]);
      told(undefined);
      expect(builder.options().ok).toBe(true);
    },
  );

  it('takes the steps over one destination of withOptions, and lets its other settings be', async () => {
    const receiver = await receiverWith();
    const asked: string[] = [];
    const headers = (tenantId: string) => {
      asked.push(tenantId);
      return { 'X-Own': 'kept', Authorization: 'replaced' };
    };
    const builder = new TracerBuilder()
      .withOptions({ destination: { endpoint: receiver.url, headers, timeoutMillis: 1 } })
      .withTenant('acme')
      .withTimeout(5_000)
      .withCompression();
    const built = [builder.clone().withApiKey('id', 'secret')];
    const source = new CredentialSource(Credentials.create({ keyId: 'id', keySecret: 'first' }));
    built.push(builder.clone().withCredentials(source));
    for (const each of built) {
      const tracer = await tracerOf(each.build());
      endSpans(tracer, 100);
      await tracer.shutdown();
    }
    const sent = receiver.requests.map(({ headers: { authorization, 'x-own': own, 'content-encoding': encoding } }) => [
      ...[authorization, own, encoding],
    ]);
    expect(sent).toEqual([
      ['Bearer id:secret', 'kept', 'gzip'],
      ['Bearer id:first', 'kept', 'gzip'],
    ]);
    expect(asked).toContain('acme');
    // Another endpoint is another receiver: nothing of the first one's goes there.
    expect(optionsOf(builder.clone().withEndpoint('http://other.test')).destination).toEqual({
      ...{ endpoint: 'http://other.test', timeoutMillis: 5_000, compression: 'gzip' },
    });
  });

  it.each<[string, (builder: TracerBuilder) => TracerBuilder]>([
    ['a key', (builder) => builder.withApiKey('id', 'secret')],
    ['a timeout', (builder) => builder.withTimeout(5)],
    ['a path', (builder) => builder.withTracesEndpoint('/x')],
    ['a protocol', (builder) => builder.withGrpc()],
  ])('does not let %s go without an effect when there is no endpoint, or several', (_case, told) => {
    const several = [{ endpoint: 'http://a.test' }, { endpoint: 'http://b.test' }];
    expect(issuesOf(told(new TracerBuilder()))).toEqual(['withEndpoint']);
    expect(issuesOf(told(new TracerBuilder().withOptions({ destination: several })))).toEqual(['withEndpoint']);
    expect(
      told(new TracerBuilder()).withEndpoint('https://a.test').withTracesEndpoint('/x').withHttp().options(),
    ).toEqual(expect.objectContaining({ ok: true }));
  });

  it('keeps what a step does not name', () => {
    const builder = new TracerBuilder().withRetry({ enabled: false, backoffMillis: 100 }).withBatchSettings(50, 10);
    expect(optionsOf(builder).retry).toEqual({ giveUpMillis: 0 });
    expect(optionsOf(builder.clone().withAutoConfiguration({ ISOTRACE_MAX_RETRIES: '7' })).retry).toEqual({
      giveUpMillis: 0,
    });
    expect(optionsOf(builder.clone().withRetry({ maxRetries: 7 })).retry).toEqual({
      ...{ initialMillis: 100, maxMillis: 200, giveUpMillis: 700 },
    });
    expect(optionsOf(builder.clone().withBatchSettings(undefined, 20)).batch).toEqual({ delayMillis: 50, maxSize: 20 });
    const limited = new TracerBuilder().withOptions({ limits: { spansPerSecond: 5, maxQueueSize: 9 } });
    expect(optionsOf(limited.clone().withRateLimit(0)).limits).toEqual({ maxQueueSize: 9 });
    expect(optionsOf(limited.withAutoConfiguration({ ISOTRACE_RATE_LIMIT: '0' })).limits).toEqual({ maxQueueSize: 9 });
  });
});

describe('variables', () => {
  const ALL = {
    ...KEYS,
    ISOTRACE_TENANT: 'acme',
    ISOTRACE_ENDPOINT: 'receiver.test:4317',
    ISOTRACE_PROTOCOL: 'http',
    ISOTRACE_TRACES_ENDPOINT: '/t',
    ISOTRACE_METRICS_ENDPOINT: '/m',
    ISOTRACE_LOGS_ENDPOINT: '/l',
    ISOTRACE_COMPRESSION: 'true',
    ISOTRACE_TIMEOUT: '10s',
    ISOTRACE_SERVICE_NAME: 'api',
    ISOTRACE_SERVICE_VERSION: '1.0.0',
    ISOTRACE_SERVICE_NAMESPACE: 'shop',
    ISOTRACE_ENVIRONMENT: 'production',
    ISOTRACE_COLLECTOR_ID: 'c-1',
    ISOTRACE_COLLECTOR_NAME: 'main',
    ISOTRACE_COLLECTOR_HOSTNAME: 'host-1',
    ISOTRACE_DATACENTER: 'eu-1',
    ISOTRACE_INSECURE: 'no',
    ISOTRACE_ENABLE_TRACES: '1',
    ISOTRACE_ENABLE_METRICS: 'off',
    ISOTRACE_ENABLE_LOGS: 'yes',
    ISOTRACE_ENABLE_EXEMPLARS: 'true',
    ISOTRACE_RETRY_ENABLED: 'true',
    ISOTRACE_MAX_RETRIES: '5',
    ISOTRACE_RETRY_BACKOFF: '500',
    ISOTRACE_BATCH_TIMEOUT: '5000',
    ISOTRACE_BATCH_MAX_SIZE: '256',
    ISOTRACE_RATE_LIMIT: '1000',
  };

  it('all configure a builder', () => {
    expect(optionsOf(TracerBuilder.fromEnv(ALL))).toEqual({
      service: { name: 'api', version: '1.0.0', namespace: 'shop' },
      environment: 'production',
      attributes: {
        'collector.id': 'c-1',
        'collector.name': 'main',
        'host.name': 'host-1',
        'collector.datacenter': 'eu-1',
      },
      destination: {
        endpoint: 'https://receiver.test:4317',
        protocol: 'http/protobuf',
        paths: { traces: '/t', metrics: '/m', logs: '/l' },
        insecure: false,
        compression: 'gzip',
        timeoutMillis: 10_000,
        headers: { authorization: 'Bearer id:CANARY-7c1d' },
      },
      signals: { traces: true, metrics: false, logs: true },
      metrics: { exemplars: true },
      retry: { initialMillis: 500, maxMillis: 1_000, giveUpMillis: 2_500 },
      batch: { delayMillis: 5_000, maxSize: 256 },
      limits: { spansPerSecond: 1_000 },
    });
  });

  it('that are empty or absent change nothing', () => {
    const empty = Object.fromEntries(Object.keys(ALL).map((name) => [name, ' ']));
    expect(optionsOf(TracerBuilder.fromEnv(empty))).toEqual({});
    expect(optionsOf(TracerBuilder.fromEnv({}))).toEqual({});
    const before = new TracerBuilder().withService('mine').withEnvironment('here');
    expect(optionsOf(before.withAutoConfiguration({ ISOTRACE_SERVICE_VERSION: '2' }))).toEqual({
      service: { name: 'mine', version: '2' },
      environment: 'here',
    });
  });

  it.each([
    ['TIMEOUT', '10', 10_000],
    ['TIMEOUT', '250ms', 250],
    ['TIMEOUT', '2m', 120_000],
  ])('%s of %s is %i milliseconds', (name, text, millis) => {
    const builder = TracerBuilder.fromEnv({ ISOTRACE_ENDPOINT: 'http://receiver.test', [`ISOTRACE_${name}`]: text });
    expect(optionsOf(builder).destination).toMatchObject({ timeoutMillis: millis });
  });

  it.each([
    ['TIMEOUT', 'soon'],
    ['TIMEOUT', '-1'],
    ['TIMEOUT', '9999999999'],
    ['INSECURE', 'maybe'],
    ['PROTOCOL', 'udp'],
    ['COMPRESSION', 'zip'],
    ['BATCH_MAX_SIZE', '1e9'],
    ['MAX_RETRIES', '3.5'],
    ['RATE_LIMIT', 'many'],
    ['SERVICE_NAME', 'x'.repeat(256)],
    ['ENABLE_LOGS', '2'],
    // Told by the variable's name also where the option has narrower bounds.
    ['TIMEOUT', '0'],
    ['TIMEOUT', '11m'],
    ['ENDPOINT', 'ftp://receiver.test'],
    ['ENDPOINT', 'http://user:CANARY@receiver.test'],
    ['TRACES_ENDPOINT', 'v2/traces'],
    ['TENANT', 'a\u0007b'],
    ['BATCH_MAX_SIZE', '0'],
    ['BATCH_TIMEOUT', '2h'],
    ['RETRY_BACKOFF', '0'],
    ['RETRY_BACKOFF', '31m'],
    ['API_KEY_SECRET', 'CANARY 7'],
  ])('%s of %s is an issue with its name, and counts as unset', (name, text) => {
    const endpoint = name === 'ENDPOINT' ? {} : { ISOTRACE_ENDPOINT: 'http://localhost' };
    const key = name === 'API_KEY_SECRET' ? { ISOTRACE_API_KEY_ID: 'id' } : {};
    const builder = TracerBuilder.fromEnv({ ...endpoint, ...key, [`ISOTRACE_${name}`]: text });
    expect(issuesOf(builder)).toEqual([`ISOTRACE_${name}`]);
    expect(JSON.stringify(builder.options())).not.toContain('CANARY');
  });

  it('of half a key, or of a key that the conventions refuse, are issues with their names', () => {
    const endpoint = { ISOTRACE_ENDPOINT: 'http://localhost' };
    expect(issuesOf(TracerBuilder.fromEnv({ ...endpoint, ISOTRACE_API_KEY_ID: 'id' }))).toEqual([
      'ISOTRACE_API_KEY_SECRET',
    ]);
    const strict = new TracerBuilder({ ...BUILDER_CONVENTIONS, credentials: { keyIdPrefix: 'k_' } });
    expect(issuesOf(strict.withAutoConfiguration({ ...endpoint, ...KEYS }))).toEqual(['ISOTRACE_API_KEY_ID']);
  });

  it('that are no texts, or cannot be read, are issues and not exceptions', () => {
    const hostile = new Proxy({}, { get: () => expect.unreachable() });
    expect(issuesOf(TracerBuilder.fromEnv(hostile))).toContain('ISOTRACE_ENDPOINT');
    for (const env of [null, 5, 'x'])
      expect(TracerBuilder.fromEnv(env as never).options()).toEqual({ ok: true, options: {} });
    const typed = { ISOTRACE_ENDPOINT: 'http://localhost', ISOTRACE_TIMEOUT: 10, ISOTRACE_SERVICE_NAME: {} };
    expect(issuesOf(TracerBuilder.fromEnv(typed as never))).toEqual(['ISOTRACE_SERVICE_NAME']);
  });

  it('that were wrong or not set do not matter where a later step says the same', () => {
    const bad = { ISOTRACE_TIMEOUT: 'late', ISOTRACE_API_KEY_ID: 'a b', ISOTRACE_ENABLE_LOGS: '7' };
    const builder = TracerBuilder.fromEnv(bad).withEndpointFromEnv({}).withServiceFromEnv({});
    expect(issuesOf(builder)).toHaveLength(5);
    builder.withEndpoint('https://receiver.test').withService('api').withTimeout(5).withApiKey('id', 'secret');
    expect(issuesOf(builder)).toEqual(['ISOTRACE_ENABLE_LOGS']);
    expect(builder.withSignals({ metrics: false }).options().ok).toBe(false);
    expect(builder.withSignals({ logs: true }).options().ok).toBe(true);
  });

  it('that were asked for one by one must be set', () => {
    const builder = new TracerBuilder()
      .withApiKeyFromEnv({})
      .withEndpointFromEnv({})
      .withServiceFromEnv({})
      .withServiceNamespaceFromEnv({})
      .withEnvironmentFromEnv({})
      .withCollectorIdFromEnv({})
      .withCollectorNameFromEnv({})
      .withDatacenterFromEnv({});
    expect(issuesOf(builder)).toEqual(
      [
        'API_KEY_ID',
        'API_KEY_SECRET',
        'ENDPOINT',
        'SERVICE_NAME',
        'SERVICE_NAMESPACE',
        'ENVIRONMENT',
        'COLLECTOR_ID',
        'COLLECTOR_NAME',
        'DATACENTER',
      ].map((name) => `ISOTRACE_${name}`),
    );
    const mended = builder
      .withApiKeyFromEnv(ALL)
      .withEndpointFromEnv(ALL)
      .withServiceFromEnv(ALL)
      .withServiceNamespaceFromEnv(ALL)
      .withEnvironmentFromEnv(ALL)
      .withCollectorIdFromEnv(ALL)
      .withCollectorNameFromEnv(ALL)
      .withDatacenterFromEnv(ALL);
    expect(optionsOf(mended)).toMatchObject({ service: { name: 'api', version: '1.0.0', namespace: 'shop' } });
  });

  it('have the prefix of the conventions, whose headers and rules count', () => {
    const builder = new TracerBuilder({
      ...BUILDER_CONVENTIONS,
      variablePrefix: 'OTHER_',
      credentials: { keyIdPrefix: 'k_', headers: (keyId) => ({ 'x-key': keyId }) },
      headers: { id: 'x-collector', datacenter: 'x-datacenter' },
    });
    const env = { OTHER_API_KEY_ID: 'k_1', OTHER_API_KEY_SECRET: 's', OTHER_COLLECTOR_ID: 'c', OTHER_DATACENTER: 'd' };
    const told = builder.withAutoConfiguration(env).withEndpoint('http://127.0.0.1:1').withEnrichResources(false);
    expect(optionsOf(told)).toEqual({
      destination: {
        endpoint: 'http://127.0.0.1:1',
        headers: { 'x-key': 'k_1', 'x-collector': 'c', 'x-datacenter': 'd' },
      },
    });
    expect(issuesOf(told.clone().withApiKey('1', 's'))).toEqual(['keyId']);
  });
});
