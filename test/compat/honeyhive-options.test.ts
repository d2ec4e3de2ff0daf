import { describe, expect, it } from 'vitest';
import { resolveHoneyHive } from '../../src/compat/honeyhive-options.ts';
import { HONEYHIVE_VARIABLES } from '../../src/compat/honeyhive-variables.ts';
import { HoneyHiveTracer, type HoneyHiveTracerProperties } from '../../src/honeyhive.ts';
import { IsotraceError } from '../../src/index.ts';
import { receiverWith } from '../delivery/delivery-kit.ts';
import { decodeJsonTraceRequest } from '../support/otlp-json-decoder.ts';
import { COMMON, LOGGER, spanNamed, tracerWith, withVariables } from './honeyhive-kit.ts';

/** The options of the issues that somebody who is no type checker gets. */
function issuesOf(given: unknown): string[] {
  return resolveHoneyHive(given as HoneyHiveTracerProperties, {}).issues.map(({ option }) => option);
}

const throwing = (): never => {
  throw new Error('the host');
};

describe("the options of HoneyHive's tracer", () => {
  it('are issues when they are not acceptable, each by its name', () => {
    const good = { apiKey: 'k' };
    expect(issuesOf(good)).toEqual([]);
    expect(issuesOf({ ...good, project: null, testMode: undefined, sessionId: '', inputs: null })).toEqual([]);
    const refused: Record<string, unknown> = {
      apiKey: 'two\nlines',
      project: 7,
      sessionId: 'no uuid',
      sessionName: {},
      source: false,
      serverUrl: 'ftp://elsewhere',
      insecure: 1,
      inputs: 'text',
      metadata: [1],
      disableBatch: 'yes',
      disableTracing: 1,
      disableHttpTracing: 'no',
      testMode: 'true',
      isEvaluation: 'no',
      runId: 1,
      datasetId: {},
      datapointId: 3,
      options: 4,
    };
    for (const [option, value] of Object.entries(refused)) {
      expect([option, issuesOf({ ...good, [option]: value })]).toEqual([option, [option]]);
    }
    expect(issuesOf({ ...good, verbose: true, apikey: 'x' })).toEqual(['verbose', 'apikey']);
    expect(issuesOf('a key')).toEqual(['options']);
  });

  it('come over their variables, of which each one is read', () => {
    const env = {
      HH_API_KEY: 'key',
      HH_PROJECT: 'project',
      HH_SOURCE: 'source',
      HH_SESSION_NAME: 'session',
      HH_API_URL: 'https://hive.example/',
      HH_TEST_MODE: 'enabled',
      HH_DISABLE_TRACING: '1',
      HH_DISABLE_BATCH: 'YES',
      HH_DISABLE_HTTP_TRACING: 'on',
    };
    expect(resolveHoneyHive({}, env).settings).toMatchObject({
      apiKey: 'key',
      project: 'project',
      source: 'source',
      sessionName: 'session',
      serverUrl: 'https://hive.example',
      testMode: true,
      disableTracing: true,
      disableBatch: true,
      disableHttpTracing: true,
    });
    const given = { apiKey: 'own', project: 'p', source: 's', sessionName: 'n', serverUrl: 'https://own.example' };
    const flags = { testMode: false, disableTracing: false, disableBatch: false, disableHttpTracing: false };
    expect(resolveHoneyHive({ ...given, ...flags }, env).settings).toMatchObject({ ...given, ...flags });
  });

  it('tell of every variable that is not acceptable, and never show a secret', () => {
    const texts = new Set(['HH_PROJECT', 'HH_SOURCE', 'HH_SESSION_NAME', 'HH_SERVICE_NAME', 'HH_SERVICE_VERSION']);
    const names = Object.keys(HONEYHIVE_VARIABLES).filter((name) => !texts.has(name) && !/EXPERIMENT_[^M]/.test(name));
    const env = Object.fromEntries(names.map((name) => [name, 'not this: se cret']));
    const { issues, settings } = resolveHoneyHive({ apiKey: 'k' }, env);
    expect(issues.map(({ option }) => option)).toEqual(names);
    expect(issues.find(({ option }) => option === 'HH_API_KEY')?.received).toBe('a string of 17 characters');
    expect(issues.find(({ option }) => option === 'HH_OTLP_HEADERS')?.received).toBe('a string of 17 characters');
    expect(settings.variables).toEqual({});
    const numbers = { HH_BATCH_SIZE: '0', HH_FLUSH_INTERVAL: '3601', HH_EXPORT_TIMEOUT: '0', HH_MAX_LINKS: '65537' };
    expect(resolveHoneyHive({ apiKey: 'k' }, numbers).issues).toHaveLength(4);
    expect(
      resolveHoneyHive({ apiKey: 'k' }, { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', HH_BATCH_SIZE: ' ' }).issues,
    ).toEqual([]);
  });

  it('do not let another key or another server stand in for those that cannot be used', () => {
    const env = { HH_API_KEY: "the process's", HH_API_URL: 'https://hive.example' };
    const { apiKey, serverUrl } = resolveHoneyHive({ apiKey: 'b d', serverUrl: 'nonsense' }, env).settings;
    expect([apiKey, serverUrl]).toEqual([undefined, undefined]);
    const wrong = { apiKey: 7, serverUrl: new URL('https://other.example') } as unknown as HoneyHiveTracerProperties;
    const { settings } = resolveHoneyHive(wrong, env);
    expect([settings.apiKey, settings.serverUrl]).toEqual([undefined, undefined]);
    expect(resolveHoneyHive('key' as HoneyHiveTracerProperties, env).settings.apiKey).toBeUndefined();
    const http = 'http://hive.internal:8080';
    expect(resolveHoneyHive({ serverUrl: http }, env).settings.serverUrl).toBeUndefined();
    expect(resolveHoneyHive({ serverUrl: http, insecure: true }, env).settings.serverUrl).toBe(http);
  });

  it('never break the host, whatever they are', async () => {
    const receiver = await receiverWith();
    const hostile = [
      5,
      null,
      'key',
      new Proxy({}, { get: throwing, ownKeys: throwing, getPrototypeOf: throwing }),
      { apiKey: 'k', serverUrl: receiver.url, options: new Proxy({}, { get: throwing, ownKeys: throwing }) },
      { apiKey: 'k', serverUrl: receiver.url, options: { logger: LOGGER, spanProcessors: 7, batch: 3, limits: null } },
      { apiKey: 'k', serverUrl: receiver.url, options: { logger: LOGGER, destination: [null, 3], signals: 'all' } },
      {
        get apiKey(): string {
          return throwing();
        },
        options: { logger: LOGGER },
      },
    ];
    for (const given of hostile) {
      const tracer = new HoneyHiveTracer(given as HoneyHiveTracerProperties);
      expect(tracer.traceTool(() => 1)()).toBe(1);
      expect(tracer.issues.length).toBeGreaterThan(0);
      expect(tracer.tracer.health().ok).toBe(false);
      await tracer.shutdown({ timeoutMillis: 0 });
    }
  });

  it('are told of to the logger, and thrown all together when they are to be strict', async () => {
    const lines: object[] = [];
    const logger = { ...LOGGER, warn: (fields: object) => void lines.push(fields) };
    withVariables({ HH_API_KEY: '' });
    const tracer = new HoneyHiveTracer({ options: { logger, batch: { maxSize: 0 } } });
    await tracer.shutdown();
    expect(lines).toMatchObject([{ issues: [{ option: 'apiKey' }, { option: 'batch.maxSize' }] }]);
    const strict = (): unknown => new HoneyHiveTracer({ options: { strict: true, batch: { maxSize: 0 } } });
    expect(strict).toThrow(IsotraceError);
    await expect(HoneyHiveTracer.init({ options: { strict: true } })).rejects.toMatchObject({
      issues: [{ option: 'apiKey' }],
    });
  });
});

describe('variables of the exporter', () => {
  it('say where spans go, how, and with which headers', async () => {
    const collector = await receiverWith();
    withVariables({
      HH_OTLP_ENDPOINT: `${collector.url}/custom/v1/traces`,
      HH_OTLP_HEADERS: JSON.stringify({ 'x-team': 'core', 'X-Source': 'over' }),
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      HH_SERVICE_NAME: 'named',
      HH_SERVICE_VERSION: '1.2.3',
    });
    const { receiver, tracer } = await tracerWith();
    tracer.startSpan('work').end();
    expect(await tracer.enrichSession({ metrics: { a: 1 } })).toBe(true);
    await tracer.flush();
    expect(spanNamed(collector, 'work').attributes).toMatchObject(COMMON);
    const [request] = collector.requests;
    expect(decodeJsonTraceRequest(request?.body ?? Buffer.of()).resourceSpans[0]?.resource.attributes).toMatchObject({
      'service.name': 'named',
      'service.version': '1.2.3',
    });
    expect(request).toMatchObject({
      path: '/custom/v1/traces',
      headers: { 'x-team': 'core', 'content-type': 'application/json', authorization: 'Bearer hh-key' },
    });
    // Sessions stay with HoneyHive.
    expect(receiver.requests.map(({ path }) => path)).toEqual(['/events']);
  });

  it('keep spans from HoneyHive, but not from other destinations', async () => {
    withVariables({ HH_OTLP_ENABLED: 'false' });
    const other = await receiverWith();
    const { receiver, tracer } = await tracerWith({
      options: { logger: LOGGER, destination: { endpoint: other.url } },
    });
    tracer.startSpan('work').end();
    await tracer.flush();
    expect(other.spans()).toHaveLength(1);
    expect(receiver.requests).toEqual([]);
  });

  it('bound batches, their delay and attempts', async () => {
    withVariables({ HH_BATCH_SIZE: '5', HH_MAX_EXPORT_BATCH_SIZE: '3', HH_FLUSH_INTERVAL: '0.05' });
    const { receiver, tracer } = await tracerWith();
    for (let index = 0; index < 7; index += 1) tracer.startSpan(`${index}`).end();
    // The last one is sent without a flush.
    await receiver.waitForSpans(7);
    expect(Math.max(...receiver.requests.map(({ spans }) => spans.length))).toBe(3);
    withVariables({ HH_EXPORT_TIMEOUT: '0.5' });
    const { receiver: hanging, tracer: hurried } = await tracerWith();
    hanging.setFault({ mode: 'hang' });
    hurried.startSpan('late').end();
    await hurried.flush({ timeoutMillis: 20_000 });
    const { lastError } = hurried.tracer.health().destinations[0] ?? {};
    const [, millis] = /^no answer within (\d+) ms$/.exec(lastError ?? '') ?? [];
    expect(Number(millis)).toBeGreaterThan(0);
    expect(Number(millis)).toBeLessThanOrEqual(500);
  });

  it('mark what is part of an experiment', async () => {
    withVariables({
      HH_EXPERIMENT_ID: 'e-1',
      HH_EXPERIMENT_NAME: 'prompts',
      HH_EXPERIMENT_VARIANT: 'b',
      HH_EXPERIMENT_GROUP: 'night',
      HH_EXPERIMENT_METADATA: JSON.stringify({ owner: 'core', size: 3 }),
    });
    const { receiver, tracer } = await tracerWith();
    tracer.startSpan('work').end();
    await tracer.flush();
    expect(spanNamed(receiver, 'work').attributes).toEqual({
      ...COMMON,
      'honeyhive.experiment_id': 'e-1',
      'honeyhive.experiment_name': 'prompts',
      'honeyhive.experiment_variant': 'b',
      'honeyhive.experiment_group': 'night',
      'honeyhive.experiment_metadata.owner': 'core',
      'honeyhive.experiment_metadata.size': '3',
    });
  });

  it('bound what one span holds', async () => {
    withVariables({ HH_MAX_EVENTS: '2', HH_MAX_LINKS: '1' });
    const { receiver, tracer } = await tracerWith();
    const span = tracer.startSpan('work');
    for (let index = 0; index < 4; index += 1) {
      span.addEvent(`${index}`);
      span.addLink({ context: span.spanContext() });
    }
    span.end();
    await tracer.flush();
    expect(spanNamed(receiver, 'work').events).toHaveLength(2);
    expect(spanNamed(receiver, 'work').links).toHaveLength(1);
  });
});
