import { describe, expect, it, onTestFinished } from 'vitest';
import type { TracerOptions } from '../../src/index.ts';
import {
  mustNewFromEnv,
  mustNewSimple,
  newBuilder,
  newFromEnv,
  newSimple,
  TelemetryFlowBuilder,
  type TelemetryFlowBuildResult,
  type TelemetryFlowClient,
} from '../../src/telemetryflow.ts';
import { receiverWith } from '../delivery/delivery-kit.ts';
import { decodeTraceRequest } from '../support/otlp-decoder.ts';

const SECRET = 'tfs_CANARY-51ac';

function required(endpoint = 'receiver.test:4317'): TelemetryFlowBuilder {
  return newBuilder().withApiKey('tfk_1', SECRET).withEndpoint(endpoint).withService('shop');
}

function optionsOf(builder: TelemetryFlowBuilder): TracerOptions {
  const result = builder.options();
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.options;
}

function issuesOf(result: TelemetryFlowBuildResult): readonly string[] {
  if (result.ok) throw new Error('it was built');
  expect(JSON.stringify(result.issues)).not.toContain(SECRET);
  return result.issues.map(({ option }) => option);
}

function untilTheEnd(client: TelemetryFlowClient): TelemetryFlowClient {
  onTestFinished(async () => {
    await client.shutdown(0);
  });
  return client;
}

describe('the TelemetryFlow builder', () => {
  it("sends TelemetryFlow's headers, each once, to the paths of version 2", async () => {
    const receiver = await receiverWith();
    const client = untilTheEnd(
      required(receiver.url)
        .withHttp()
        .withEnvironment('staging')
        .withCollectorId('c-1')
        .withCollectorName('main')
        .withCollectorHostname('host-1')
        .withDatacenter('eu-1')
        .mustBuild(),
    );
    client.endSpan(client.startSpan('pay'));
    expect((await client.flush()).ok).toBe(true);
    const [request] = receiver.requests;
    expect(request?.path).toBe('/v2/traces');
    const sent = Object.entries(request?.headers ?? {}).filter(([name]) => /^(authorization|x-)/.test(name));
    expect(Object.fromEntries(sent)).toEqual({
      authorization: `Bearer tfk_1:${SECRET}`,
      'x-telemetryflow-key-id': 'tfk_1',
      'x-telemetryflow-key-secret': SECRET,
      'x-telemetryflow-collector-id': 'c-1',
      'x-telemetryflow-collector-name': 'main',
      'x-telemetryflow-collector-hostname': 'host-1',
      'x-telemetryflow-environment': 'staging',
      'x-telemetryflow-datacenter': 'eu-1',
      'x-telemetryflow-api-version': 'v2',
    });
    expect(decodeTraceRequest(request?.body ?? new Uint8Array()).resourceSpans[0]?.resource.attributes).toMatchObject({
      'service.name': 'shop',
      'service.version': '1.0.0',
      'service.namespace': 'telemetryflow',
      'deployment.environment': 'staging',
      'deployment.environment.name': 'staging',
    });
  });

  it('sends the same headers by gRPC, its default protocol', async () => {
    const receiver = await receiverWith({ protocol: 'grpc' });
    const client = untilTheEnd(required(receiver.url).mustBuild());
    client.endSpan(client.startSpan('pay'));
    expect((await client.flush()).ok).toBe(true);
    expect(receiver.requests[0]?.headers).toMatchObject({
      authorization: `Bearer tfk_1:${SECRET}`,
      'x-telemetryflow-key-id': 'tfk_1',
      'x-telemetryflow-key-secret': SECRET,
      'x-telemetryflow-environment': 'production',
      'x-telemetryflow-datacenter': 'default',
      'x-telemetryflow-api-version': 'v2',
      'grpc-encoding': 'gzip',
      'content-type': 'application/grpc',
    });
  });

  it('sends the secret in one header only where it is told to', async () => {
    const receiver = await receiverWith();
    const client = untilTheEnd(required(receiver.url).withHttp().withKeySecretHeader(false).mustBuild());
    client.endSpan(client.startSpan('pay'));
    await client.flush();
    const headers = receiver.requests[0]?.headers ?? {};
    expect(Object.entries(headers).filter(([, value]) => String(value).includes(SECRET))).toEqual([
      ['authorization', `Bearer tfk_1:${SECRET}`],
    ]);
  });

  it("has TelemetryFlow's defaults, with batches that are as large as they say", () => {
    expect(optionsOf(required())).toMatchObject({
      service: { name: 'shop', version: '1.0.0', namespace: 'telemetryflow' },
      environment: 'production',
      destination: {
        endpoint: 'https://receiver.test:4317',
        protocol: 'grpc',
        compression: 'gzip',
        timeoutMillis: 30_000,
      },
      batch: { delayMillis: 10_000, maxSize: 512 },
      metrics: { exemplars: true },
    });
    expect(optionsOf(required().withExemplars(false)).metrics).toEqual({ exemplars: false });
    expect(optionsOf(required().withService('shop', '2.1.0')).service).toMatchObject({ version: '2.1.0' });
  });

  it('chooses the version of the API, whatever comes first', () => {
    const paths = (builder: TelemetryFlowBuilder): unknown =>
      (optionsOf(builder).destination as { paths?: unknown }).paths;
    expect(paths(required())).toBeUndefined();
    expect(paths(required().withHttp())).toEqual({ traces: '/v2/traces', metrics: '/v2/metrics', logs: '/v2/logs' });
    expect(paths(required().withV2Only().withProtocol('http'))).toEqual(paths(required().withHttp()));
    expect(paths(required().withLogsEndpoint('/mine').withHttp())).toMatchObject({
      traces: '/v2/traces',
      logs: '/mine',
    });
    expect(paths(required().withHttp().withV2Api(false))).toBeUndefined();
    const headers = (optionsOf(required().withV2Api(false)).destination as { headers: object }).headers;
    expect(headers).not.toHaveProperty('x-telemetryflow-api-version');
    const refused = required().withHttp().withTracesEndpoint('/v1/traces');
    expect(refused.clone().build().ok).toBe(true);
    expect(issuesOf(refused.withV2Only().clone().build())).toEqual(['destination.paths.traces']);
  });

  it('takes steps in the order of their SDKs', () => {
    expect(optionsOf(required().withSignals(true, false, false)).signals).toEqual({
      metrics: true,
      logs: false,
      traces: false,
    });
    expect(optionsOf(required().withSignals({ logs: false })).signals).toEqual({ logs: false });
    expect(optionsOf(required().withRetry(true, 4, 500)).retry).toEqual({
      initialMillis: 500,
      maxMillis: 1_000,
      giveUpMillis: 2_000,
    });
    expect(optionsOf(required().withRetry(false)).retry).toEqual({ giveUpMillis: 0 });
    expect(optionsOf(required().withRetry({ maxRetries: 1 })).retry).toMatchObject({ giveUpMillis: 5_000 });
  });

  it('tells all that is missing or wrong at once', () => {
    expect(issuesOf(newBuilder().build())).toEqual(['withEndpoint', 'withApiKey', 'withService']);
    expect(issuesOf(newBuilder().withEndpoint('http://localhost:1').withService('a').build())).toEqual(['withApiKey']);
    expect(issuesOf(newSimple('key', 'secret', 'http://localhost:1', 'shop'))).toEqual(['keyId', 'keySecret']);
    expect(issuesOf(required().withCollectorName('Zoë').build())).toEqual([
      'destination.headers.x-telemetryflow-collector-name',
    ]);
    expect(() => mustNewSimple('key', 'secret', '', '')).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    expect(() => mustNewFromEnv({})).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });

  it('reads every variable', () => {
    const env = {
      TELEMETRYFLOW_API_KEY_ID: 'tfk_9',
      TELEMETRYFLOW_API_KEY_SECRET: SECRET,
      TELEMETRYFLOW_ENDPOINT: 'receiver.test:4318',
      TELEMETRYFLOW_SERVICE_NAME: 'shop',
      TELEMETRYFLOW_SERVICE_VERSION: '3.0.0',
      TELEMETRYFLOW_SERVICE_NAMESPACE: 'web',
      TELEMETRYFLOW_COLLECTOR_ID: 'c-9',
      TELEMETRYFLOW_COLLECTOR_NAME: 'ninth',
      TELEMETRYFLOW_COLLECTOR_HOSTNAME: 'host-9',
      TELEMETRYFLOW_DATACENTER: 'us-9',
      TELEMETRYFLOW_ENRICH_RESOURCES: 'false',
      TELEMETRYFLOW_INSECURE: 'true',
      TELEMETRYFLOW_PROTOCOL: 'http',
      TELEMETRYFLOW_COMPRESSION: 'false',
      TELEMETRYFLOW_TIMEOUT: '10s',
      TELEMETRYFLOW_RETRY_ENABLED: 'true',
      TELEMETRYFLOW_MAX_RETRIES: '2',
      TELEMETRYFLOW_RETRY_BACKOFF: '500',
      TELEMETRYFLOW_BATCH_TIMEOUT: '5000',
      TELEMETRYFLOW_BATCH_MAX_SIZE: '100',
      TELEMETRYFLOW_ENABLE_TRACES: 'true',
      TELEMETRYFLOW_ENABLE_METRICS: 'false',
      TELEMETRYFLOW_ENABLE_LOGS: 'false',
      TELEMETRYFLOW_ENABLE_EXEMPLARS: 'false',
      TELEMETRYFLOW_RATE_LIMIT: '50',
      TELEMETRYFLOW_USE_V2_API: 'false',
      TELEMETRYFLOW_TRACES_ENDPOINT: '/in/traces',
      TELEMETRYFLOW_METRICS_ENDPOINT: '/in/metrics',
      TELEMETRYFLOW_LOGS_ENDPOINT: '/in/logs',
      ENVIRONMENT: 'qa',
    };
    const options = optionsOf(TelemetryFlowBuilder.fromEnv(env));
    expect(options).toEqual({
      service: { name: 'shop', version: '3.0.0', namespace: 'web' },
      environment: 'qa',
      attributes: { 'deployment.environment': 'qa' },
      destination: {
        endpoint: 'http://receiver.test:4318',
        paths: { traces: '/in/traces', metrics: '/in/metrics', logs: '/in/logs' },
        protocol: 'http/protobuf',
        insecure: true,
        compression: 'none',
        timeoutMillis: 10_000,
        headers: {
          authorization: `Bearer tfk_9:${SECRET}`,
          'x-telemetryflow-key-id': 'tfk_9',
          'x-telemetryflow-key-secret': SECRET,
          'x-telemetryflow-collector-id': 'c-9',
          'x-telemetryflow-collector-name': 'ninth',
          'x-telemetryflow-collector-hostname': 'host-9',
          'x-telemetryflow-datacenter': 'us-9',
          'x-telemetryflow-environment': 'qa',
        },
      },
      signals: { traces: true, metrics: false, logs: false },
      batch: { delayMillis: 5_000, maxSize: 100 },
      retry: { initialMillis: 500, maxMillis: 1_000, giveUpMillis: 1_000 },
      limits: { spansPerSecond: 50 },
      metrics: { exemplars: false },
    });
    const environment = (more: Record<string, string>): unknown =>
      optionsOf(TelemetryFlowBuilder.fromEnv({ ...env, ...more })).environment;
    expect(environment({ ENV: 'dev' })).toBe('dev');
    expect(environment({ ENV: 'dev', TELEMETRYFLOW_ENVIRONMENT: 'prod' })).toBe('prod');
    expect(issuesOf(newFromEnv({ ...env, TELEMETRYFLOW_V2_ONLY: 'perhaps', TELEMETRYFLOW_TIMEOUT: 'x' }))).toEqual([
      'TELEMETRYFLOW_V2_ONLY',
      'TELEMETRYFLOW_TIMEOUT',
    ]);
    expect(issuesOf(newFromEnv({ ...env, TELEMETRYFLOW_API_KEY_SECRET: 'other' }))).toEqual([
      'TELEMETRYFLOW_API_KEY_SECRET',
    ]);
    expect(newFromEnv({ ...env, TELEMETRYFLOW_V2_ONLY: 'yes' })).toMatchObject({
      client: { config: { useV2Api: true, v2Only: true } },
    });
  });

  it('takes what both SDKs take where a variable is not set', () => {
    const told = newBuilder()
      .withApiKey('tfk_1', SECRET)
      .withService('shop')
      .withEndpointFromEnv({})
      .withServiceNamespaceFromEnv({})
      .withEnvironmentFromEnv({})
      .withCollectorIdFromEnv({})
      .withCollectorNameFromEnv({})
      .withDatacenterFromEnv({});
    const key = { TELEMETRYFLOW_API_KEY_ID: 'tfk_1', TELEMETRYFLOW_API_KEY_SECRET: SECRET };
    const auto = TelemetryFlowBuilder.fromEnv({ ...key, TELEMETRYFLOW_SERVICE_NAME: 'shop' });
    for (const builder of [told, auto]) {
      expect(optionsOf(builder)).toMatchObject({
        service: { name: 'shop', namespace: 'telemetryflow' },
        environment: 'production',
        attributes: { 'collector.datacenter': 'default' },
        destination: { endpoint: 'https://api.telemetryflow.id:4317' },
      });
      expect(optionsOf(builder).attributes).not.toHaveProperty('collector.id');
    }
    const mine = { endpoint: 'https://mine.test' };
    for (const own of [
      newBuilder().withEndpoint(mine.endpoint).withAutoConfiguration(key),
      newBuilder().withEndpoint(mine.endpoint).withAutoConfiguration(key).withEndpointFromEnv({}),
      newBuilder().withOptions({ destination: mine }).withAutoConfiguration(key),
      newBuilder().withAutoConfiguration(key).withEndpointFromEnv({}).withOptions({ destination: mine }),
      newBuilder().withAutoConfiguration(key).withEndpoint(mine.endpoint),
    ])
      expect(optionsOf(own.withService('shop')).destination).toMatchObject(mine);
    expect(issuesOf(newBuilder().withApiKeyFromEnv({}).withServiceFromEnv({}).withEndpointFromEnv({}).build())).toEqual(
      ['TELEMETRYFLOW_API_KEY_ID', 'TELEMETRYFLOW_API_KEY_SECRET', 'TELEMETRYFLOW_SERVICE_NAME', 'withService'],
    );
  });

  it('tells what it made of its steps, and nothing of the key', () => {
    const built = required('http://user-of-the-url.test:4318/base?key=CANARY')
      .withHttp()
      .withInsecure()
      .withServiceNamespace('web')
      .withEnvironment('qa')
      .withCollectorId('c-1')
      .withCollectorTag('rack', '7')
      .withCustomAttribute('team', 'core')
      .withRetry(true, 2, 500)
      .withRateLimit(50)
      .withTracesOnly();
    const { config } = untilTheEnd(built.mustBuild());
    expect(config).toEqual({
      ...{ serviceName: 'shop', serviceVersion: '1.0.0', serviceNamespace: 'web', environment: 'qa' },
      ...{ endpoint: 'http://user-of-the-url.test:4318/base', protocol: 'http/protobuf', insecure: true },
      ...{ compression: true, timeoutMillis: 30_000, enabledSignals: ['traces'], exemplars: true },
      ...{ useV2Api: true, v2Only: false, batchDelayMillis: 10_000, batchMaxSize: 512, rateLimit: 50 },
      retry: { enabled: true, maxRetries: 2, backoffMillis: 500 },
      collector: { id: 'c-1', datacenter: 'default', tags: { rack: '7' } },
      customAttributes: { team: 'core' },
    });
    expect(JSON.stringify(config)).not.toContain('CANARY');
    expect(untilTheEnd(required().mustBuild()).config).toMatchObject({ retry: undefined, rateLimit: undefined });
    expect(() => Object.assign(config as object, { serviceName: 'other' })).toThrow(TypeError);
  });

  it('keeps to what withOptions says over its defaults', () => {
    const options = optionsOf(
      newBuilder().withOptions({
        service: { name: 'shop' },
        environment: 'qa',
        batch: { maxSize: 9 },
        metrics: { exemplars: false, intervalMillis: 500 },
        destination: { endpoint: 'https://mine.test', protocol: 'http/json', headers: { Authorization: 'Bearer x' } },
      }),
    );
    expect(options).toMatchObject({
      service: { name: 'shop', version: '1.0.0', namespace: 'telemetryflow' },
      environment: 'qa',
      batch: { delayMillis: 10_000, maxSize: 9 },
      metrics: { exemplars: false, intervalMillis: 500 },
      destination: {
        ...{ endpoint: 'https://mine.test', protocol: 'http/json', compression: 'gzip', timeoutMillis: 30_000 },
        headers: {
          authorization: 'Bearer x',
          'x-telemetryflow-environment': 'qa',
          'x-telemetryflow-api-version': 'v2',
        },
      },
    });
  });

  it('is cloned for every tenant, and mixes none of them up', async () => {
    const [acme, globex] = [await receiverWith(), await receiverWith()];
    const shared = newBuilder().withHttp().withService('shop').withV2Api(false);
    const clientOf = (url: string, name: string): TelemetryFlowClient =>
      untilTheEnd(shared.clone().withTenant(name).withApiKey(`tfk_${name}`, 'tfs_x').withEndpoint(url).mustBuild());
    const clients = [clientOf(acme.url, 'acme'), clientOf(globex.url, 'globex')];
    for (let round = 0; round < 3; round += 1) {
      for (const client of clients) client.endSpan(client.startSpan(`${client.tracer.tenantId} ${round}`));
    }
    await Promise.all(clients.map((client) => client.flush()));
    for (const [receiver, name] of [[acme, 'acme'] as const, [globex, 'globex'] as const]) {
      expect(receiver.spans().map((span) => span.name)).toEqual([0, 1, 2].map((round) => `${name} ${round}`));
      expect(receiver.requests.map(({ headers, path }) => [path, headers['x-telemetryflow-key-id']])).toEqual([
        ['/v1/traces', `tfk_${name}`],
      ]);
    }
  });
});
