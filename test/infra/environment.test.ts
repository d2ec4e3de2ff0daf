import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { readEnvironment } from '../../src/infra/environment.ts';
import { ENVIRONMENT_VARIABLES } from '../../src/infra/environment-variables.ts';

const CANARY = 'CANARY-7f2b';
const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('readEnvironment', () => {
  it('reads the environment of the process unless given another', () => {
    vi.stubEnv('OTEL_SERVICE_NAME', 'from-process');
    expect(readEnvironment().options.serviceName).toBe('from-process');
    expect(readEnvironment({}).options.serviceName).toBeUndefined();
  });

  it('says nothing when nothing is set', () => {
    expect(readEnvironment({})).toEqual({ disabled: false, options: { destinations: [], integers: {} }, issues: [] });
  });

  it.each(Object.keys(ENVIRONMENT_VARIABLES))('takes an empty %s for an unset one', (name) => {
    expect(readEnvironment({ [name]: '' })).toEqual(readEnvironment({}));
    expect(readEnvironment({ [name]: '  ' })).toEqual(readEnvironment({}));
  });

  it('reads OTEL_SDK_DISABLED in any case', () => {
    expect(readEnvironment({ OTEL_SDK_DISABLED: 'TRUE' }).disabled).toBe(true);
    expect(readEnvironment({ OTEL_SDK_DISABLED: 'false' }).disabled).toBe(false);
  });

  it('decodes resource attributes', () => {
    const { options, issues } = readEnvironment({
      OTEL_RESOURCE_ATTRIBUTES: ' team = core ,empty=,note=a%2Cb%3Dc%20%F0%9F%8F%A2,__proto__=x,',
    });
    expect(issues).toEqual([]);
    expect(Object.entries(options.attributes ?? {})).toEqual([
      ['team', 'core'],
      ['empty', ''],
      ['note', 'a,b=c 🏢'],
      ['__proto__', 'x'],
    ]);
  });

  it('appends to the general endpoint and takes the one for traces as it is', () => {
    const general = readEnvironment(ENDPOINT).options.destinations[0];
    expect([general?.endpointKind, general?.endpoint.reveal()]).toEqual(['base', 'http://collector:4318']);
    const own = readEnvironment({ ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces/in' }).options
      .destinations[0];
    expect([own?.endpointKind, own?.endpoint.reveal()]).toEqual(['traces', 'https://traces/in']);
  });

  it('has no destination without an endpoint', () => {
    const env = { OTEL_EXPORTER_OTLP_HEADERS: 'a=b', OTEL_EXPORTER_OTLP_TIMEOUT: '1000' };
    expect(readEnvironment(env).options.destinations[0]).toBeUndefined();
  });

  it('decodes headers; those for traces come over the general ones', () => {
    const { options, issues } = readEnvironment({
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Basic%20eA==, x-general = 1',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'authorization=Bearer y',
    });
    expect(issues).toEqual([]);
    expect({ ...options.destinations[0]?.headers?.reveal() }).toEqual({ authorization: 'Bearer y', 'x-general': '1' });
  });

  it('leaves out single bad headers, with an issue that does not show them', () => {
    const { options, issues } = readEnvironment({
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_HEADERS: `${CANARY},bad name=${CANARY},x=%ZZ${CANARY},y=${CANARY}%0D%0A,content-length=5,good=1`,
    });
    expect({ ...options.destinations[0]?.headers?.reveal() }).toEqual({ good: '1' });
    expect(issues.map(({ option }) => option)).toEqual(Array(5).fill('OTEL_EXPORTER_OTLP_HEADERS'));
    expect(inspect(issues)).not.toContain(CANARY);
  });

  it.each([
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: '2000' }, 2_000],
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: '2000', OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '3000' }, 3_000],
    [{ OTEL_EXPORTER_OTLP_TIMEOUT: '2000', OTEL_BSP_EXPORT_TIMEOUT: '1500' }, 1_500],
    [{ OTEL_BSP_EXPORT_TIMEOUT: '1500' }, 1_500],
    [{ OTEL_BSP_EXPORT_TIMEOUT: '30000' }, 10_000],
    [{}, undefined],
  ])('with %j has the timeout %s', (env, expected) => {
    expect(readEnvironment({ ...ENDPOINT, ...env }).options.destinations[0]?.timeoutMillis).toBe(expected);
  });

  it('reads the compression; that for traces comes first', () => {
    const env = { ...ENDPOINT, OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' };
    expect(readEnvironment(env).options.destinations[0]?.compression).toBe('gzip');
    const own = { ...env, OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: 'none' };
    expect(readEnvironment(own).options.destinations[0]?.compression).toBe('none');
  });

  it.each(['http/protobuf', 'http/json', 'grpc'])('reads the protocol %s; that for traces comes first', (protocol) => {
    const env = { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: protocol };
    expect(readEnvironment(env)).toMatchObject({ options: { destinations: [{ protocol }] }, issues: [] });
    const own = { ...env, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json' };
    expect(readEnvironment(own).options.destinations[0]?.protocol).toBe('http/json');
  });

  it('reads whether headers may be sent over http; what is said for traces comes first', () => {
    const env = { ...ENDPOINT, OTEL_EXPORTER_OTLP_INSECURE: 'True' };
    expect(readEnvironment(ENDPOINT).options.destinations[0]?.insecure).toBeUndefined();
    expect(readEnvironment(env).options.destinations[0]?.insecure).toBe(true);
    const own = { ...env, OTEL_EXPORTER_OTLP_TRACES_INSECURE: 'false' };
    expect(readEnvironment(own).options.destinations[0]?.insecure).toBe(false);
  });

  it.each([
    ['always_on', undefined, { ratio: 1, parentBased: false }],
    ['always_off', undefined, { ratio: 0, parentBased: false }],
    ['traceidratio', '0.25', { ratio: 0.25, parentBased: false }],
    ['traceidratio', undefined, { ratio: 1, parentBased: false }],
    ['parentbased_always_on', '0.25', { ratio: 1, parentBased: true }],
    ['parentbased_always_off', undefined, { ratio: 0, parentBased: true }],
    ['parentbased_traceidratio', '1e-3', { ratio: 0.001, parentBased: true }],
    ['ParentBased_TraceIdRatio', '.5', { ratio: 0.5, parentBased: true }],
  ])('reads the sampler %s with argument %s', (sampler, argument, expected) => {
    const reading = readEnvironment({ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: argument });
    expect(reading.options.sampling).toEqual(expected);
    expect(reading.issues).toEqual([]);
  });

  it.each([
    ['OTEL_BSP_SCHEDULE_DELAY', 'batch.delayMillis'],
    ['OTEL_METRIC_EXPORT_INTERVAL', 'metrics.intervalMillis'],
    ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 'batch.maxSize'],
    ['OTEL_BSP_MAX_QUEUE_SIZE', 'limits.maxQueueSize'],
    ['OTEL_ATTRIBUTE_COUNT_LIMIT', 'limits.attributeCountLimit'],
    ['OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT', 'limits.attributeValueLengthLimit'],
    ['OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT', 'limits.attributeCountLimit'],
    ['OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT', 'limits.attributeValueLengthLimit'],
    ['OTEL_SPAN_EVENT_COUNT_LIMIT', 'limits.eventCountLimit'],
    ['OTEL_SPAN_LINK_COUNT_LIMIT', 'limits.linkCountLimit'],
    ['OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT', 'limits.attributePerEventCountLimit'],
    ['OTEL_LINK_ATTRIBUTE_COUNT_LIMIT', 'limits.attributePerLinkCountLimit'],
  ])('reads %s as %s', (name, option) => {
    expect(readEnvironment({ [name]: ' 77 ' })).toMatchObject({ options: { integers: { [option]: 77 } }, issues: [] });
    for (const bad of ['many', '-1', '1.5', '1e3', '0x10', '99999999999']) {
      const { options, issues } = readEnvironment({ [name]: bad });
      expect(options.integers).toEqual({});
      expect(issues).toEqual([expect.objectContaining({ option: name, received: JSON.stringify(bad) })]);
    }
  });

  it('prefers the limits for spans over the general ones', () => {
    const { integers } = readEnvironment({
      OTEL_ATTRIBUTE_COUNT_LIMIT: '10',
      OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '20',
      OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '30',
      OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: '40',
    }).options;
    expect(integers).toEqual({ 'limits.attributeCountLimit': 20, 'limits.attributeValueLengthLimit': 40 });
  });

  it.each([
    ['OTEL_SDK_DISABLED', 'yes'],
    ['OTEL_SERVICE_NAME', 'x'.repeat(256)],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=1,b'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=%E0%A4%A'],
    ['OTEL_RESOURCE_ATTRIBUTES', '=1'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'https://user:pw@collector'],
    ['OTEL_EXPORTER_OTLP_TIMEOUT', '0'],
    ['OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', '10s'],
    ['OTEL_BSP_EXPORT_TIMEOUT', '-5'],
    ['OTEL_METRIC_EXPORT_INTERVAL', '1m'],
    ['OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'lowmemory'],
    ['OTEL_METRICS_EXEMPLAR_FILTER', 'always_on'],
    ['OTEL_EXPORTER_OTLP_COMPRESSION', 'zstd'],
    ['OTEL_EXPORTER_OTLP_TRACES_COMPRESSION', 'GZIP '],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'http'],
    ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'GRPC'],
    ['OTEL_EXPORTER_OTLP_INSECURE', '1'],
    ['OTEL_EXPORTER_OTLP_TRACES_INSECURE', 'yes'],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
    ['OTEL_TRACES_SAMPLER_ARG', 'Infinity'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'x'.repeat(65_537)],
  ])('names %s when it is %s, and takes it for unset', (name, value) => {
    const { issues, ...reading } = readEnvironment({ [name]: value });
    expect(issues).toHaveLength(1);
    expect(issues[0]?.option).toBe(name);
    const { issues: _, ...unset } = readEnvironment({});
    expect(reading).toEqual(unset);
  });

  it('never shows a credential, neither in what it read nor in an issue', () => {
    const reading = readEnvironment({
      OTEL_EXPORTER_OTLP_ENDPOINT: `https://user:${CANARY}@host`,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `https://host/?key=${CANARY}`,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${CANARY},${CANARY}`,
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: `x-key=${CANARY}`,
      OTEL_RESOURCE_ATTRIBUTES: `token ${CANARY}`,
    });
    expect(reading.options.destinations[0]?.headers?.reveal()['x-key']).toBe(CANARY);
    expect(reading.issues.length).toBeGreaterThan(2);
    const print = inspect(reading, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true });
    expect(print + JSON.stringify(reading)).not.toContain(CANARY);
  });

  it('reads any text in any variable without throwing', () => {
    const names = fc.constantFrom(...Object.keys(ENVIRONMENT_VARIABLES));
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('a', '=', ',', '%', '1', ' ') }),
    );
    fc.assert(
      fc.property(fc.dictionary(names, texts), (env) => {
        expect(Array.isArray(readEnvironment(env).issues)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});
