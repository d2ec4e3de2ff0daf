import { inspect } from 'node:util';
import { AlwaysOffSampler, InMemorySpanExporter, NoopSpanProcessor, RandomIdGenerator } from '@opentelemetry/sdk-trace';
import fc from 'fast-check';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import {
  configError,
  resolveRegistrySettings,
  resolveStandaloneSettings,
  resolveTracerSettings,
} from '../../src/core/config.ts';
import type { TracerOptions } from '../../src/core/options.ts';
import type { RegistryOptions } from '../../src/core/registry-options.ts';
import { BUILT_IN_DEFAULTS, DEFAULT_SAMPLING, type TracerSettings } from '../../src/core/settings.ts';
import { readEnvironment } from '../../src/infra/environment.ts';
import { systemClock } from '../../src/utils/clock.ts';
import { INTEGER_OPTIONS, type IntegerOptionPath } from '../../src/utils/integer-options.ts';
import { Secret } from '../../src/utils/secret.ts';

const CANARY = 'CANARY-5d1e';
const NO_ENVIRONMENT = readEnvironment({});
const KIB = 1_024;
const MIB = 1_024 * KIB;

const resolve = (input: unknown) => resolveTracerSettings(input, { tenantId: 'acme' });
const resolveRegistry = (input: unknown, env: Record<string, string> = {}) =>
  resolveRegistrySettings(input, readEnvironment(env));
const printEverything = (value: unknown) =>
  inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, getters: true, maxArrayLength: null }) +
  inspect(value, { depth: Number.POSITIVE_INFINITY, showHidden: true, customInspect: false }) +
  JSON.stringify(value);

/** The options object with `value` at a dotted path. */
function optionsWith(path: string, value: unknown): Record<string, unknown> {
  return path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Record<string, unknown>;
}

function valueAt(settings: object, path: string): unknown {
  return path.split('.').reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], settings);
}

const INTEGERS = (Object.keys(INTEGER_OPTIONS) as IntegerOptionPath[]).filter((path) =>
  /^(limits|batch|retry|capture|agents)\./.test(path),
);

const pem = (content: string) => `-----BEGIN CERTIFICATE-----\n${content}\n-----END CERTIFICATE-----\n`;

function raise(): never {
  throw new Error(CANARY);
}

/** What may be given for any option whatever and is never right. */
function hostileValues(): unknown[] {
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const throwing = new Proxy({}, { get: raise, ownKeys: raise, getPrototypeOf: raise });
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  return [null, Symbol(CANARY), 10n, Number.NaN, -1, '', revoked, throwing, cyclic, [cyclic], new Date(Number.NaN)];
}

const SPOOL = { directory: '/spool', maxBytes: 64 * MIB, fsync: 'interval' };
const processor = new NoopSpanProcessor();
const exporter = new InMemorySpanExporter();
const idGenerator = new RandomIdGenerator();
const sampler = new AlwaysOffSampler();
const allow = (key: string) => key === 'a';

/** path, a good value, what becomes of it (if not the same), bad values beside the hostile ones. */
const TABLE: [path: string, good: unknown, expected: [path: string, value: unknown], bad: unknown[]][] = [
  ...(['name', 'version', 'namespace', 'instanceId'] as const).map(
    (key): [string, unknown, [string, unknown], unknown[]] => [
      `service.${key}`,
      'api',
      [`service.${key}`, 'api'],
      ['x'.repeat(256), 5, {}, true],
    ],
  ),
  ['environment', 'production', ['environment', 'production'], ['x'.repeat(256), 5, {}]],
  ['attributes', { a: 1 }, ['attributes', { a: 1 }], ['a=1', 5, () => ({})]],
  ['sampling', { ratio: 0.5 }, ['sampling', { ...DEFAULT_SAMPLING, ratio: 0.5 }], [0.5, '0.5', () => 1]],
  ['sampling', sampler, ['sampling', { kind: 'sampler', sampler }], [{ shouldSample: 1 }]],
  ['sampling.ratio', 0, ['sampling.ratio', 0], [1.1, '1', Number.POSITIVE_INFINITY]],
  ['sampling.spansPerSecond', 0.5, ['sampling.spansPerSecond', 0.5], [0, -1, 1_000_001, '5', Number.NaN]],
  ['sampling.keepErrors', true, ['sampling.keepErrors', true], [1, 'true', {}]],
  [
    'sampling.keepSlowerThanMillis',
    0,
    ['sampling.keepSlowerThanMillis', 0],
    [-1, 0.5, 86_400_001, '5', Number.POSITIVE_INFINITY],
  ],
  ['limits', {}, ['limits', BUILT_IN_DEFAULTS.limits], [10, 'many', () => 1]],
  ['limits.maxQueueSize', 20_000, ['limits.maxQueueSize', 20_000], [0, 1.5, '10', 1_000_001, Number.POSITIVE_INFINITY]],
  ['limits.spansPerSecond', 0.5, ['limits.spansPerSecond', 0.5], [0, 1_000_001, '5', Number.POSITIVE_INFINITY]],
  ['limits.logsPerSecond', 0.5, ['limits.logsPerSecond', 0.5], [0, 1_000_001, '5', Number.POSITIVE_INFINITY]],
  ...(['traces', 'metrics', 'logs'] as const).map((key): [string, unknown, [string, unknown], unknown[]] => [
    `signals.${key}`,
    false,
    [`signals.${key}`, false],
    [0, 'false', {}],
  ]),
  ['metrics', {}, ['metrics', BUILT_IN_DEFAULTS.metrics], [10, 'delta', () => 1]],
  ['metrics.intervalMillis', 10, ['metrics.intervalMillis', 10], [9, 0.5, '60s', 86_400_001]],
  ['metrics.temporality', 'delta', ['metrics.temporality', 'delta'], ['lowmemory', 'DELTA', 1]],
  ['metrics.cardinalityLimit', 2, ['metrics.cardinalityLimit', 2], [1, 0.5, '2000', 1_000_001]],
  ['metrics.exemplars', true, ['metrics.exemplars', true], [1, 'trace_based', {}]],
  [
    'metrics.views',
    [{ instrument: 'HTTP.*', buckets: [0, 1], attributes: ['a'], meter: 'lib', cardinalityLimit: 9, drop: true }],
    [
      'metrics.views',
      [{ instrument: 'http.*', buckets: [0, 1], attributes: ['a'], meter: 'lib', cardinalityLimit: 9, drop: true }],
    ],
    [
      {},
      'http.*',
      [{}],
      [{ instrument: '' }],
      [{ instrument: 'a', buckets: [1, 1] }],
      [{ instrument: 'a', buckets: ['1'] }],
      [{ instrument: 'a', buckets: 'linear' }],
      [{ instrument: 'a', attributes: 'a' }],
      [{ instrument: 'a', unknown: 1 }],
      Array(101).fill({ instrument: 'a' }),
    ],
  ],
  ['logs.minSeverity', 'warn', ['logs.minSeverity', 'warn'], ['WARN', 13, 'verbose']],
  ['limits.maxQueueBytes', 5 * MIB, ['limits.maxQueueBytes', 5 * MIB], [0, 1_023, '4 MiB', 2_000 * MIB]],
  ...(
    [
      'attributeCountLimit',
      'eventCountLimit',
      'linkCountLimit',
      'attributePerEventCountLimit',
      'attributePerLinkCountLimit',
    ] as const
  ).map((key): [string, unknown, [string, unknown], unknown[]] => [
    `limits.${key}`,
    0,
    [`limits.${key}`, 0],
    [65_537, 0.5, '128', Number.POSITIVE_INFINITY],
  ]),
  ['limits.attributeValueLengthLimit', 100, ['limits.attributeValueLengthLimit', 100], [2 * MIB, 0.5, '128']],
  ['batch', { maxSize: 9 }, ['batch.maxSize', 9], [9, 'big', () => 1]],
  ['batch.delayMillis', 0, ['batch.delayMillis', 0], [3_600_001, 0.5, '5s']],
  ['batch.maxSize', 100, ['batch.maxSize', 100], [0, 65_537, '512']],
  ['batch.maxBytes', 2_048, ['batch.maxBytes', 2_048], [100, 65 * MIB, '1 KiB']],
  ['retry', { maxMillis: 9 }, ['retry.maxMillis', 9], [9, false, () => 1]],
  ['retry.initialMillis', 50, ['retry.initialMillis', 50], [0, 3_600_001, 0.5, '1s']],
  ['retry.maxMillis', 60_000, ['retry.maxMillis', 60_000], [0, 3_600_001, '30s']],
  ['retry.giveUpMillis', 0, ['retry.giveUpMillis', 0], [-1, 86_400_001, '5m']],
  ['profile', 'serverless', ['batch.delayMillis', 100], ['fast', true, 1, ['default']]],
  ['boundary', 'link', ['boundary', 'link'], ['both', true, ['link']]],
  ['capture', true, ['capture', { ...BUILT_IN_DEFAULTS.capture, arguments: true, result: true }], ['all', 5, () => 1]],
  ['capture.arguments', allow, ['capture.arguments', allow], ['all', 1, {}]],
  ['capture.result', true, ['capture.result', true], ['all', 1, {}]],
  ['capture.aggregate', allow, ['capture.aggregate', allow], [true, 'join', {}]],
  ['capture.maxBytes', 64, ['capture.maxBytes', 64], [63, 2 * MIB, '64']],
  ['capture.maxDepth', 32, ['capture.maxDepth', 32], [0, 33, '8']],
  ['sessions', 'per-root', ['sessions', 'per-root'], ['always', true, {}]],
  ['resilience', 'strict', ['resilience', 'strict'], ['relaxed', true, 1]],
  ['spanProcessors', [processor], ['spanProcessors', [processor]], [processor, {}, Array(33).fill(processor)]],
  ['exporter', exporter, ['exporter', exporter], [{}, { export: true }, () => 1, 'otlp']],
  ['idGenerator', idGenerator, ['idGenerator', idGenerator], [{}, () => '', { generateTraceId: () => '' }]],
  ['propagation', {}, ['propagation', { baggage: [] }], ['all', true, () => true]],
  [
    'propagation.baggage',
    ['user.id'],
    ['propagation.baggage', ['user.id']],
    ['user.id', true, {}, Array(129).fill('k')],
  ],
  ['propagation.baggage', allow, ['propagation.baggage', allow], []],
  ['spool', { directory: '/spool' }, ['spool', SPOOL], [true, '/spool', {}, { maxBytes: MIB }, () => '/spool']],
  ['spool.directory', '/spool/./x/..', ['spool', SPOOL], ['spool', './spool', '/a\0b', `/${'x'.repeat(4_096)}`, 5]],
];

describe('resolveTracerSettings', () => {
  it.each([undefined, {}, { batch: {}, limits: undefined, service: { name: undefined } }])(
    'gives the defaults for %j',
    (input) => {
      const { settings, issues } = resolve(input);
      expect(issues).toEqual([]);
      expect(settings).toEqual({
        tenantId: 'acme',
        service: { name: undefined, version: undefined, namespace: undefined, instanceId: undefined },
        environment: undefined,
        attributes: {},
        destinations: [],
        redact: undefined,
        sampling: {
          kind: 'rules',
          ratio: 1,
          spansPerSecond: Number.POSITIVE_INFINITY,
          keepErrors: false,
          keepSlowerThanMillis: Number.POSITIVE_INFINITY,
          parentBased: true,
        },
        limits: {
          maxQueueSize: 10_000,
          maxQueueBytes: 4 * MIB,
          spansPerSecond: Number.POSITIVE_INFINITY,
          logsPerSecond: Number.POSITIVE_INFINITY,
          attributeCountLimit: 128,
          attributeValueLengthLimit: 8_192,
          eventCountLimit: 128,
          linkCountLimit: 128,
          attributePerEventCountLimit: 128,
          attributePerLinkCountLimit: 128,
        },
        batch: { delayMillis: 5_000, maxSize: 512, maxBytes: 512 * KIB },
        retry: { initialMillis: 1_000, maxMillis: 30_000, giveUpMillis: 300_000 },
        boundary: 'isolate',
        capture: { arguments: false, result: false, aggregate: undefined, maxBytes: 8_192, maxDepth: 8 },
        sessions: 'explicit',
        agents: undefined,
        resilience: 'balanced',
        signals: { traces: true, metrics: true, logs: true },
        metrics: {
          intervalMillis: 60_000,
          temporality: 'cumulative',
          cardinalityLimit: 2_000,
          exemplars: false,
          views: [],
        },
        logs: { minSeverity: 'trace' },
        spanProcessors: [],
        exporter: undefined,
        idGenerator: undefined,
        propagation: { baggage: [] },
        spool: undefined,
        profile: 'default',
        given: [],
        hostPlatform: 'unknown',
      });
    },
  );

  it.each([
    ['maxBytes', 64 * KIB, [64 * KIB - 1, 65 * 1_024 * MIB, 1.5, '1 MiB', Number.POSITIVE_INFINITY]],
    ['fsync', 'always', ['never', true, 500]],
  ])('takes spool.%s as it was given, and the default for what is not acceptable', (key, good, bad) => {
    expect(resolve({ spool: { directory: '/spool', [key]: good } })).toMatchObject({
      settings: { spool: { ...SPOOL, [key]: good } },
      issues: [],
    });
    for (const value of [...bad, ...hostileValues()]) {
      const { settings, issues } = resolve({ spool: { directory: '/spool', [key]: value } });
      expect(settings.spool, inspect(value)).toEqual(SPOOL);
      expect(issues[0]?.option).toBe(`spool.${key}`);
    }
  });

  it('lets a tenant change one thing about the spool of the registry', () => {
    const { defaults } = resolveRegistry({ spool: { directory: '/spool', fsync: 'always' } }).settings;
    const { settings, issues } = resolveTracerSettings({ spool: { maxBytes: MIB } }, { tenantId: 'acme', defaults });
    expect(issues).toEqual([]);
    expect(settings.spool).toEqual({ directory: '/spool', maxBytes: MIB, fsync: 'always' });
  });

  it.each(TABLE)('takes %s as it was given', (path, good, [settingsPath, expected]) => {
    const { settings, issues } = resolve(optionsWith(path, good));
    expect(issues).toEqual([]);
    expect(valueAt(settings, settingsPath)).toEqual(expected);
  });

  it.each(TABLE)('reports a bad %s and takes the default', (path, _good, _expected, bad) => {
    const defaults = resolve({}).settings;
    for (const value of [...bad, ...hostileValues()]) {
      const { settings, issues } = resolve(optionsWith(path, value));
      expect(issues.length, inspect(value)).toBeGreaterThan(0);
      expect(issues[0]?.option === 'options' || issues[0]?.option.startsWith(path)).toBe(true);
      expect(issues[0]?.accepted).not.toBe('');
      expect(settings, inspect(value)).toEqual(defaults);
    }
  });

  it('says for each problem the option, what is accepted and what it got', () => {
    const { issues } = resolve({
      batch: { maxSize: 0, delayMillis: '5s' },
      boundary: 'both',
      sampling: { ratio: 2 },
      exporter: {},
      destination: { endpoint: 'collector:4318' },
      maxTenants: 5,
    });
    expect(issues).toEqual([
      { option: 'maxTenants', accepted: expect.stringContaining('destination'), received: 'an unknown option' },
      { option: 'destination.endpoint', accepted: expect.stringContaining('http'), received: '"collector:4318"' },
      { option: 'sampling.ratio', accepted: 'a number from 0 to 1', received: '2' },
      { option: 'batch.delayMillis', accepted: 'a whole number from 0 to 3600000 (milliseconds)', received: '"5s"' },
      { option: 'batch.maxSize', accepted: 'a whole number from 1 to 65536 (spans)', received: '0' },
      { option: 'boundary', accepted: '"isolate" or "link"', received: '"both"' },
      { option: 'exporter', accepted: 'an object with export(), shutdown()', received: 'an object' },
    ]);
  });

  it.each(INTEGERS)('names bounds and unit of %s', (path) => {
    const { accepted } = resolve(optionsWith(path, 'bad')).issues[0] ?? {};
    const { min, max, unit } = INTEGER_OPTIONS[path];
    expect(accepted).toBe(`a whole number from ${min} to ${max} (${unit})`);
  });

  it('reports unknown options in every group, however many there are', () => {
    const { issues } = resolve({ nmae: 1, batch: { size: 5 }, service: { title: 'x' }, propagation: { to: [] } });
    expect(issues.map(({ option }) => option)).toEqual(['nmae', 'service.title', 'batch.size', 'propagation.to']);
    const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`key${index}`, index]));
    const { issues: bounded } = resolve({ ...many, batch: many });
    expect(bounded).toHaveLength(42);
    expect(bounded[20]).toMatchObject({ option: '*', received: '99980 more unknown options' });
  });

  it('keeps the good elements of a list', () => {
    const { settings, issues } = resolve({
      spanProcessors: [processor, {}, processor],
      propagation: { baggage: ['a', 5, '', 'b'] },
    });
    expect(settings.spanProcessors).toEqual([processor, processor]);
    expect(settings.propagation.baggage).toEqual(['a', 'b']);
    expect(issues.map(({ option }) => option)).toEqual([
      'spanProcessors[1]',
      'propagation.baggage[1]',
      'propagation.baggage[2]',
    ]);
  });

  it('never makes a batch larger than the queue', () => {
    const { settings } = resolve({ limits: { maxQueueSize: 100, maxQueueBytes: 2_048 } });
    expect(settings.batch).toEqual({ delayMillis: 5_000, maxSize: 100, maxBytes: 2_048 });
  });

  it('copies plain data, freezes the result and leaves the input as it was', () => {
    const input = {
      service: { name: 'api' },
      attributes: { tags: ['a'] },
      batch: { maxSize: 5 },
      destination: [{ endpoint: 'https://host', headers: { key: 'one' } }],
      propagation: { baggage: ['k'] },
      spanProcessors: [processor],
    };
    const before = structuredClone({ ...input, spanProcessors: [] });
    const { settings } = resolve(input);
    expect({ ...input, spanProcessors: [] }).toEqual(before);
    input.service.name = 'changed';
    input.attributes.tags.push('b');
    input.batch.maxSize = 6;
    for (const destination of input.destination) destination.headers.key = 'changed';
    input.propagation.baggage.push('l');
    input.spanProcessors.push(processor);
    expect(settings.service.name).toBe('api');
    expect(settings.attributes).toEqual({ tags: ['a'] });
    expect(settings.batch.maxSize).toBe(5);
    expect(headersOf(settings)).toEqual({ key: 'one' });
    expect(settings.propagation.baggage).toEqual(['k']);
    expect(settings.spanProcessors).toHaveLength(1);
    const parts = [settings, settings.service, settings.attributes, settings.attributes['tags'], settings.destinations];
    for (const part of [...parts, settings.destinations[0], settings.limits, settings.batch, settings.sampling]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('reads frozen options and options with getters and a prototype', () => {
    class Options {
      get environment() {
        return 'production';
      }
    }
    expect(resolve(Object.freeze(new Options())).settings.environment).toBe('production');
  });

  it('takes no option from a polluted Object.prototype', () => {
    Object.defineProperty(Object.prototype, 'boundary', { value: 'link', configurable: true });
    try {
      expect(resolve({}).settings.boundary).toBe('isolate');
      expect(resolve({ boundary: 'link' }).settings.boundary).toBe('link');
    } finally {
      Reflect.deleteProperty(Object.prototype, 'boundary');
    }
  });

  it('gives the defaults and an issue for options that are no object', () => {
    for (const input of [...hostileValues(), 'options', 5, [], () => ({}), Promise.resolve({}), new Map()]) {
      const { settings, issues } = resolve(input);
      expect(issues.length, inspect(input)).toBeGreaterThan(0);
      expect(settings).toEqual(resolve({}).settings);
    }
  });

  it('reports what throws when it is read, and reads the rest', () => {
    const sampling = new Proxy({ ratio: 0.5 }, { ownKeys: () => raise() });
    const input = {
      sampling,
      boundary: 'link',
      get batch(): unknown {
        return raise();
      },
      exporter: {
        get export(): unknown {
          return raise();
        },
      },
    };
    const { settings, issues } = resolve(input);
    expect(settings).toMatchObject({ boundary: 'link', batch: { maxSize: 512 }, sampling: { ratio: 0.5 } });
    expect(issues.map(({ option }) => option)).toEqual(['sampling', 'batch', 'exporter']);
    for (const { received } of issues) expect(received).toBe('a value that throws when it is read');
  });

  it('lists 100 problems and counts the others', () => {
    const attributes = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`key${index}`, null]));
    const { issues } = resolve({ attributes });
    expect(issues).toHaveLength(101);
    expect(issues.at(-1)?.received).toBe('50 more');
  });

  it('reads anything without throwing', () => {
    const keys = fc.constantFrom(
      ...Object.keys(resolve({}).settings),
      'destination',
      'endpoint',
      'headers',
      'tenantHeader',
      'tls',
      'cert',
      'keys',
      'custom',
      'maxSize',
      'ratio',
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ depthSize: 'small' }, fc.anything(), tie('node')),
      node: fc.dictionary(keys, tie('tree'), { maxKeys: 6 }),
    }));
    fc.assert(
      fc.property(tree, (input) => {
        const { settings, issues } = resolve(input);
        expect(Object.keys(settings)).toHaveLength(26);
        expect(Array.isArray(issues)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('attributes', () => {
  it.each(['text', '', 0, Number.NaN, true, ['a', 'b'], [1, null, 2], [undefined, true], []])('keep %j', (value) => {
    const { settings, issues } = resolve({ attributes: { key: value } });
    expect(issues).toEqual([]);
    expect(settings.attributes).toEqual({ key: value });
  });

  it('leave out single bad ones, with an issue', () => {
    const attributes = {
      good: 1,
      function: () => 1,
      object: {},
      null: null,
      mixed: ['a', 1],
      nested: [['a']],
      bigint: 1n,
      long: 'x'.repeat(8_193),
      date: new Date(),
      '': 'no name',
      absent: undefined,
      get throwing() {
        throw new Error(CANARY);
      },
    };
    const { settings, issues } = resolve({ attributes });
    expect(settings.attributes).toEqual({ good: 1 });
    expect(issues.map(({ option }) => option)).toEqual(
      ['function', 'object', 'null', 'mixed', 'nested', 'bigint', 'long', 'date', '[""]', 'throwing'].map(
        (key) => `attributes.${key}`,
      ),
    );
  });

  it('are bounded', () => {
    const attributes = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`key${index}`, index]));
    const { settings, issues } = resolve({ attributes });
    expect(Object.keys(settings.attributes)).toHaveLength(256);
    expect(issues).toEqual([{ option: 'attributes', accepted: 'up to 256 attributes', received: '300 attributes' }]);
  });

  it('keep __proto__ an attribute', () => {
    const { settings } = resolve({ attributes: JSON.parse('{"__proto__": "v"}') });
    expect(Object.entries(settings.attributes)).toEqual([['__proto__', 'v']]);
  });

  it('may name the service and the environment, but give way to the options beside them', () => {
    const attributes = {
      'service.name': 'from-attribute',
      'service.version': '1',
      'deployment.environment.name': 'staging',
      other: 1,
    };
    const { settings } = resolve({ attributes, service: { name: 'from-option' } });
    expect(settings.service).toMatchObject({ name: 'from-option', version: '1' });
    expect(settings.environment).toBe('staging');
    expect(settings.attributes).toEqual({ other: 1 });
    expect(resolve({ attributes: { 'service.name': 5 } })).toMatchObject({
      settings: { service: { name: undefined }, attributes: {} },
      issues: [{ option: 'attributes.service.name' }],
    });
  });
});

function headersOf(settings: TracerSettings, index = 0): Record<string, string> | undefined {
  const headers = settings.destinations[index]?.headers;
  return headers instanceof Secret ? { ...headers.reveal() } : undefined;
}

describe('destination', () => {
  it('has its own defaults', () => {
    const { settings, issues } = resolve({ destination: { endpoint: 'http://collector:4318' } });
    expect(issues).toEqual([]);
    expect(settings.destinations).toMatchObject([
      {
        endpoint: 'http://collector:4318/v1/traces',
        protocol: 'http/protobuf',
        tenantHeader: undefined,
        tls: undefined,
        addresses: 'any',
        compression: 'none',
        timeoutMillis: 10_000,
        isolateConnections: false,
        redact: undefined,
      },
    ]);
    expect(settings.destinations[0]?.urls.traces?.reveal()).toBe('http://collector:4318/v1/traces');
    expect(headersOf(settings)).toEqual({});
  });

  it('takes what is given', () => {
    const headers = () => ({ key: 'value' });
    const { settings, issues } = resolve({
      destination: [
        { endpoint: 'https://one/otlp/', compression: 'gzip', timeoutMillis: 500, headers: { 'X-Key': 'v' } },
        { endpoint: 'https://two/otlp?q=1', paths: { traces: '/in' }, headers },
      ],
    });
    expect(issues).toEqual([]);
    expect(settings.destinations).toMatchObject([
      { endpoint: 'https://one/otlp/v1/traces', compression: 'gzip', timeoutMillis: 500 },
      { endpoint: 'https://two/in', headers },
    ]);
    expect(settings.destinations[1]?.urls.traces?.reveal()).toBe('https://two/in?q=1');
    expect(headersOf(settings)).toEqual({ 'x-key': 'v' });
  });

  it('isolates connections when that is asked for, also in a way that cannot be read', () => {
    const judge = (isolateConnections: unknown) => {
      const { settings, issues } = resolve({ destination: { endpoint: 'http://host', isolateConnections } });
      return [settings.destinations[0]?.isolateConnections, issues.map(({ option }) => option)];
    };
    for (const value of [true, false, undefined]) expect(judge(value)).toEqual([value ?? false, []]);
    for (const value of ['true', 1, null, {}]) expect(judge(value)).toEqual([true, ['destination.isolateConnections']]);
  });

  it.each([
    ['compression', 'zstd'],
    ['timeoutMillis', 0],
    ['timeoutMillis', '10s'],
    ['headers', 'authorization: x'],
    ['headers', new Map([['a', 'b']])],
    ['headers', { 'bad name': 'v' }],
    ['headers', { key: 'a\r\nb' }],
    ['paths', '/v1/traces'],
    ['paths', { logs: 'no slash' }],
    ['paths', { events: '/e' }],
    ['paths', { traces: 'no-slash' }],
    ['region', 'eu'],
    ['protocol', 'http'],
    ['protocol', 'GRPC'],
    ['insecure', 'yes'],
    ['insecure', 1],
  ])('reports a bad %s (%j) and keeps the destination with the default', (key, value) => {
    const { settings, issues } = resolve({ destination: { endpoint: 'http://host', [key]: value } });
    expect(issues).toHaveLength(1);
    expect(issues[0]?.option).toMatch(new RegExp(`^destination\\.${key}`));
    const plain = resolve({ destination: { endpoint: 'http://host' } }).settings;
    expect(settings).toEqual(plain);
    expect(headersOf(settings)).toEqual({});
    expect(settings.destinations[0]?.urls.traces?.reveal()).toBe('http://host/v1/traces');
  });

  it('is left out, with an issue, when it has no good endpoint', () => {
    const bad = [{}, { endpoint: 5 }, { endpoint: 'host:4318' }, { endpoint: 'https://user:pw@host' }, 'http://host'];
    const badLists = [[null], [undefined], Array(17).fill({ endpoint: 'http://host' })];
    for (const destination of [...bad, ...badLists, ...hostileValues()]) {
      const { settings, issues } = resolve({ destination });
      expect(settings.destinations).toEqual([]);
      expect(issues.length, inspect(destination)).toBeGreaterThan(0);
    }
  });

  it('keeps the good ones of several', () => {
    const { settings, issues } = resolve({ destination: [{ endpoint: 'nowhere' }, { endpoint: 'http://host' }] });
    expect(settings.destinations.map(({ endpoint }) => endpoint)).toEqual(['http://host/v1/traces']);
    expect(issues.map(({ option }) => option)).toEqual(['destination[0].endpoint']);
  });

  it("that is bad does not send a tenant's spans to the registry's instead", () => {
    const { defaults } = resolveRegistry({ destination: { endpoint: 'http://shared' } }).settings;
    const { settings } = resolveTracerSettings({ destination: { endpoint: 'oops' } }, { tenantId: 'acme', defaults });
    expect(settings.destinations).toEqual([]);
  });
});

/** What is wrong with one destination, and whether it is used in spite of it. */
function judge(destination: object, context: object = {}) {
  const { settings, issues } = resolveTracerSettings({ destination }, { tenantId: 'acme', ...context });
  return { used: settings.destinations[0], options: issues.map(({ option }) => option) };
}

describe('the protocol of a destination', () => {
  it.each(['http/protobuf', 'http/json'])('%s appends the path of the signal', (protocol) => {
    const { used, options } = judge({ endpoint: 'https://host/otlp', protocol });
    expect(options).toEqual([]);
    expect(used).toMatchObject({ protocol, endpoint: 'https://host/otlp/v1/traces' });
  });

  it('grpc has the origin for its URL', () => {
    const { used, options } = judge({ endpoint: 'https://host:4317/', protocol: 'grpc' });
    expect(options).toEqual([]);
    expect(used).toMatchObject({ protocol: 'grpc', endpoint: 'https://host:4317' });
    expect(used?.urls.traces?.reveal()).toBe('https://host:4317');
  });

  it.each([
    [{ paths: { traces: '/in' } }, 'destination.paths'],
    [{ endpoint: 'https://host:4317/v1/traces' }, 'destination.endpoint'],
    [{ endpoint: 'https://host:4317?key=1' }, 'destination.endpoint'],
  ])('grpc with %j is an issue, and the path is left out', (part, option) => {
    const { used, options } = judge({ endpoint: 'https://host:4317', protocol: 'grpc', ...part });
    expect(options).toEqual([option]);
    expect(used?.urls.traces?.reveal()).toBe('https://host:4317');
  });
});

describe('tenantHeader', () => {
  const destination = { endpoint: 'https://host', tenantHeader: 'X-Scope-OrgID' };

  it('is taken in lower case', () => {
    expect(judge(destination)).toMatchObject({ used: { tenantHeader: 'x-scope-orgid' }, options: [] });
  });

  it('that cannot be sent makes the destination unacceptable', () => {
    const dropped = ['host', 'Content-Type', 'User-Agent', 'accept-encoding', 'grpc-timeout', 'tenant-bin'];
    const bad = ['a b', 'ä', 'a:', 'x'.repeat(129), 5, {}, ['a'], ...dropped, ...hostileValues()];
    for (const tenantHeader of bad) {
      const { used, options } = judge({ ...destination, tenantHeader });
      expect(used, inspect(tenantHeader)).toBeUndefined();
      expect(options, inspect(tenantHeader)).toEqual(['destination.tenantHeader']);
    }
    const throwing = Object.defineProperty({ ...destination }, 'tenantHeader', { get: raise });
    expect(judge(throwing)).toEqual({ used: undefined, options: ['destination.tenantHeader'] });
  });

  it.each(['a', 'acme', 'Acme Inc. (EU)', '~!"#|'])('sends the tenant id %j', (tenantId) => {
    expect(judge(destination, { tenantId }).used).toBeDefined();
  });

  it.each([' acme', 'acme ', 'müller', 'Ā', '🏢'])('is no way to send the tenant id %j', (tenantId) => {
    expect(judge(destination, { tenantId })).toEqual({ used: undefined, options: ['destination.tenantHeader'] });
    expect(judge({ endpoint: 'https://host' }, { tenantId }).used).toBeDefined();
  });

  it("of the registry's destinations is checked for each tenant, and leaves the other destinations", () => {
    const { defaults } = resolveRegistry({ destination: [destination, { endpoint: 'https://other' }] }).settings;
    const good = resolveTracerSettings(undefined, { tenantId: 'acme', defaults });
    expect(good.settings.destinations).toBe(defaults.destinations);
    const { settings, issues } = resolveTracerSettings(undefined, { tenantId: 'müller', defaults });
    expect(settings.destinations.map(({ endpoint }) => endpoint)).toEqual(['https://other/v1/traces']);
    expect(issues).toEqual([expect.objectContaining({ option: 'destination.tenantHeader' })]);
    expect(resolveStandaloneSettings({ tenantId: 'müller', destination }).issues).toHaveLength(1);
  });
});

describe('tls', () => {
  const endpoint = 'https://host';

  it('is copied', () => {
    const key = Buffer.from(pem('key'));
    const tls = { ca: pem('ca'), cert: pem('cert'), key, serverName: 'otlp.example.com' };
    const { used, options } = judge({ endpoint, tls });
    key.fill(0);
    tls.ca = 'changed';
    expect(options).toEqual([]);
    const copy = used?.tls?.reveal();
    expect(copy).toEqual({ ...tls, ca: pem('ca'), key: Buffer.from(pem('key')) });
    expect(Object.isFrozen(copy)).toBe(true);
  });

  it.each([undefined, {}, { ca: undefined }])('that is %j counts as not given', (tls) => {
    expect(judge({ endpoint, tls })).toMatchObject({ used: { tls: undefined }, options: [] });
  });

  it.each<[object, string]>([
    [{ cert: pem('cert') }, 'destination.tls.key'],
    [{ key: pem('key') }, 'destination.tls.cert'],
    [{ ca: '/etc/ca.pem' }, 'destination.tls.ca'],
    [{ ca: [pem('ca')] }, 'destination.tls.ca'],
    [{ ca: pem('x'.repeat(MIB)) }, 'destination.tls.ca'],
    [{ ca: Buffer.alloc(10) }, 'destination.tls.ca'],
    [{ cert: pem('cert'), key: 5 }, 'destination.tls.key'],
    [{ serverName: '127.0.0.1' }, 'destination.tls.serverName'],
    [{ serverName: 'a b' }, 'destination.tls.serverName'],
    [{ serverName: '' }, 'destination.tls.serverName'],
  ])('that is %j makes the destination unacceptable', (tls, option) => {
    expect(judge({ endpoint, tls })).toEqual({ used: undefined, options: [option] });
  });

  it('that cannot be read makes the destination unacceptable', () => {
    for (const tls of [...hostileValues(), pem('ca'), [pem('ca')]]) {
      const { used, options } = judge({ endpoint, tls });
      expect(options.length, inspect(tls)).toBeGreaterThan(0);
      expect(used, inspect(tls)).toBeUndefined();
    }
    const throwing = Object.defineProperty({ endpoint }, 'tls', { get: raise });
    expect(judge(throwing)).toEqual({ used: undefined, options: ['destination.tls'] });
  });

  it('knows no way to switch verification off', () => {
    const refused = { used: undefined, options: ['destination.tls.rejectUnauthorized'] };
    expect(judge({ endpoint, tls: { rejectUnauthorized: false } })).toEqual(refused);
  });
});

describe('insecure', () => {
  const headers = { key: 'value' };

  it.each([
    ['http://host', headers],
    ['http://10.0.0.1:4318', () => headers],
    ['http://126.255.255.255', headers],
    ['http://[::2]', headers],
    ['http://[::ffff:126.0.0.1]', headers],
    ['http://[::ffff:0.127.1.1]', headers],
    ['http://127.example.com', headers],
    ['http://localhost.example.com', headers],
    ['http://169.254.169.254', headers],
  ])('must be true to send headers to %s', (endpoint, given) => {
    for (const protocol of ['http/protobuf', 'grpc'] as const) {
      const destination = { endpoint, headers: given, protocol };
      const refused = { used: undefined, options: ['destination.insecure'] };
      expect(judge(destination)).toEqual(refused);
      expect(judge({ ...destination, insecure: false })).toEqual(refused);
      expect(judge({ ...destination, insecure: true })).toMatchObject({ used: { protocol }, options: [] });
    }
  });

  it.each([
    ['https://host', headers],
    ['http://localhost:4318', headers],
    ['http://a.localhost', headers],
    ['http://127.0.0.1', () => headers],
    ['http://127.3.2.1', headers],
    ['http://2130706433', headers],
    ['http://[::1]', headers],
    ['http://[::ffff:127.0.0.1]', headers],
    ['http://host', undefined],
    ['http://host', {}],
  ])('is not needed for %s with headers %o', (endpoint, given) => {
    expect(judge({ endpoint, headers: given })).toMatchObject({ used: expect.anything(), options: [] });
  });

  it('that is not a boolean is not true', () => {
    const { used, options } = judge({ endpoint: 'http://host', headers, insecure: 'true' });
    expect(used).toBeUndefined();
    expect(options).toEqual(['destination.insecure', 'destination.insecure']);
  });

  it.each<[Record<string, string>, number, string[]]>([
    [{}, 0, ['OTEL_EXPORTER_OTLP_INSECURE']],
    [{ OTEL_EXPORTER_OTLP_INSECURE: 'false' }, 0, ['OTEL_EXPORTER_OTLP_INSECURE']],
    [{ OTEL_EXPORTER_OTLP_INSECURE: 'true' }, 1, []],
    // The signals without a variable of their own go to the general endpoint.
    [{ OTEL_EXPORTER_OTLP_TRACES_INSECURE: 'true' }, 1, ['OTEL_EXPORTER_OTLP_INSECURE']],
  ])('comes for the platform from the environment %j', (env, count, options) => {
    const given = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_EXPORTER_OTLP_HEADERS: 'key=v', ...env };
    const { settings, issues } = resolveRegistry({}, given);
    expect((settings.platform as TracerSettings).destinations).toHaveLength(count);
    expect(issues.map(({ option }) => option)).toEqual(options);
  });
});

describe('OTEL_EXPORTER_OTLP_PROTOCOL', () => {
  it.each(['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'])(
    'grpc sends to the origin of %s',
    (name) => {
      const env = { [name]: 'http://collector:4317/v1/traces', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
      const { settings, issues } = resolveRegistry({}, env);
      expect(issues).toEqual([]);
      const [destination] = (settings.platform as TracerSettings).destinations;
      expect(destination?.protocol).toBe('grpc');
      expect(destination?.urls.traces?.reveal()).toBe('http://collector:4317');
    },
  );
});

describe('endpointPolicy', () => {
  it("is the registry's own option", () => {
    const policy = () => true;
    for (const endpointPolicy of ['any', 'public', policy]) {
      expect(resolveRegistry({ endpointPolicy })).toMatchObject({ settings: { endpointPolicy }, issues: [] });
    }
    expect(resolveRegistry({}).settings.endpointPolicy).toBe('any');
    expect(judge({ endpoint: 'http://host', endpointPolicy: 'public' }).options).toEqual([
      'destination.endpointPolicy',
    ]);
  });

  it('that is not acceptable lets through no more than public addresses', () => {
    const unreadable = Object.defineProperty({}, 'endpointPolicy', { get: raise, enumerable: true });
    const bad = ['pubic', true, {}, ['any'], ...hostileValues()].map((endpointPolicy) => ({ endpointPolicy }));
    for (const input of [unreadable, ...bad]) {
      const { settings, issues } = resolveRegistry(input);
      expect(settings.endpointPolicy).toBe('public');
      expect(issues).toEqual([expect.objectContaining({ option: 'endpointPolicy' })]);
    }
  });

  it.each(['https://127.0.0.1', 'http://localhost', 'https://[::1]', 'https://[::ffff:10.0.0.1]', 'http://0xa9fea9fe'])(
    "'public' refuses %s",
    (endpoint) => {
      const refused = { used: undefined, options: ['destination.endpoint'] };
      expect(judge({ endpoint }, { endpointPolicy: 'public' })).toEqual(refused);
      expect(judge({ endpoint, protocol: 'grpc' }, { endpointPolicy: 'public' })).toEqual(refused);
      expect(judge({ endpoint }, { endpointPolicy: 'any' })).toMatchObject({ used: { addresses: 'any' }, options: [] });
    },
  );

  it.each(['https://otlp.example.com', 'https://8.8.8.8'])(
    "'public' has %s checked again when connected to",
    (endpoint) => {
      const judged = judge({ endpoint }, { endpointPolicy: 'public' });
      expect(judged).toMatchObject({ used: { addresses: 'public' }, options: [] });
    },
  );

  it('asks a function about each URL that something goes to', () => {
    const asked: string[] = [];
    const endpointPolicy = (url: URL) => {
      asked.push(url.href);
      url.hostname = 'elsewhere';
      return true;
    };
    const { used, options } = judge({ endpoint: 'https://10.0.0.1/otlp' }, { endpointPolicy });
    expect(options).toEqual([]);
    expect(used).toMatchObject({ addresses: 'any' });
    expect(used?.urls.traces?.reveal()).toBe('https://10.0.0.1/otlp/v1/traces');
    expect(asked).toEqual(['traces', 'metrics', 'logs'].map((signal) => `https://10.0.0.1/otlp/v1/${signal}`));
  });

  it.each([
    ['false', () => false],
    ['something truthy', () => 1],
    ['nothing', () => undefined],
    ['a promise', async () => true],
    ['a promise that rejects', async () => raise()],
    ['by throwing', raise],
  ])('refuses what a function answers with %s', (_title, endpointPolicy) => {
    const refused = { used: undefined, options: ['destination.endpoint'] };
    expect(judge({ endpoint: 'https://host' }, { endpointPolicy })).toEqual(refused);
  });

  it("does not hold for the registry's and the platform's destinations", () => {
    const { settings, issues } = resolveRegistry(
      { endpointPolicy: 'public', destination: { endpoint: 'http://localhost' }, platform: {} },
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1' },
    );
    expect(issues).toEqual([]);
    const { defaults, endpointPolicy } = settings;
    const tenant = resolveTracerSettings({ attributes: {} }, { tenantId: 'acme', defaults, endpointPolicy });
    expect(tenant.settings.destinations).toMatchObject([{ endpoint: 'http://localhost/v1/traces', addresses: 'any' }]);
    expect((settings.platform as TracerSettings).destinations).toHaveLength(1);
  });
});

describe('redact', () => {
  const DEFAULT = { keys: undefined, values: undefined, custom: undefined, replacement: undefined };
  const pattern = /^x-/g;
  const custom = () => 'hidden';
  /** The settings that `redact` gives a tenant and one destination. */
  const both = (redact: unknown, defaults?: TracerSettings) => {
    const { settings, issues } = resolveTracerSettings(
      { redact, destination: { endpoint: 'https://host', redact } },
      { tenantId: 'acme', defaults },
    );
    return { settings: [settings.redact, settings.destinations[0]?.redact], issues };
  };

  it.each([
    [true, {}],
    [{}, {}],
    [{ keys: ['ssn', pattern] }, { keys: ['ssn', pattern] }],
    [{ keys: [] }, { keys: [] }],
    [{ values: false }, { values: false }],
    [{ custom }, { custom }],
    [{ replacement: '***' }, { replacement: '***' }],
  ])('takes %j for a tenant and for a destination', (redact, expected) => {
    const { settings, issues } = both(redact);
    expect(issues).toEqual([]);
    expect(settings).toEqual([expected, expected]);
    for (const part of settings) expect(Object.isFrozen(part)).toBe(true);
  });

  it('copies the list and keeps the expressions', () => {
    const keys = ['ssn', pattern];
    const [redact] = both({ keys }).settings;
    keys.push('later');
    expect(redact?.keys).toEqual(['ssn', pattern]);
    expect(redact?.keys?.[1]).toBe(pattern);
  });

  it('that is not acceptable is an issue and switches nothing off', () => {
    const bad = [false, 'keys', 5, [], () => ({}), ...hostileValues()];
    for (const redact of bad) {
      const { settings, issues } = both(redact);
      expect(issues.length, inspect(redact)).toBeGreaterThan(1);
      expect(settings, inspect(redact)).toEqual([DEFAULT, DEFAULT]);
    }
    const unreadable = Object.defineProperty({}, 'redact', { get: raise, enumerable: true });
    expect(resolve(unreadable)).toMatchObject({ settings: { redact: {} }, issues: [{ option: 'redact' }] });
    expect(judge({ endpoint: 'https://host', redact: 0 }).options).toEqual(['destination.redact']);
  });

  it.each([
    ['keys', ['ssn', '', 'x'.repeat(257), 5, {}], { keys: ['ssn'] }, 4],
    ['keys', ['ssn', Object.create(RegExp.prototype), new Proxy(/a/, {})], { keys: ['ssn'] }, 2],
    ['keys', Object.assign([/a/], { 1: Object.defineProperty(/b/, 'source', { get: raise }) }), { keys: [/a/] }, 1],
    ['keys', 'ssn', {}, 1],
    ['keys', Array(129).fill('ssn'), { keys: Array(128).fill('ssn') }, 1],
    ['values', 'no', {}, 1],
    ['values', 0, {}, 1],
    ['custom', {}, {}, 1],
    ['replacement', 'x'.repeat(65), {}, 1],
    ['replacement', '', {}, 1],
    ['pattern', /a/, {}, 1],
  ])('reports a bad %s and takes the rest (%#)', (key, value, expected, count) => {
    const { settings, issues } = resolve({ redact: { [key]: value } });
    expect(issues).toHaveLength(count);
    for (const { option } of issues) expect(option).toMatch(new RegExp(`^redact\\.${key}`));
    expect(settings.redact).toEqual(expected);
  });

  it("of a tenant is laid over the registry's, part by part", () => {
    const { defaults } = resolveRegistry({ redact: { keys: ['ssn'], replacement: '***' } }).settings;
    const redactOf = (redact: unknown) =>
      resolveTracerSettings({ redact }, { tenantId: 'acme', defaults }).settings.redact;
    for (const redact of [undefined, true, false, null]) expect(redactOf(redact)).toBe(defaults.redact);
    expect(redactOf({ values: false })).toEqual({ keys: ['ssn'], values: false, replacement: '***' });
    expect(redactOf({ keys: ['iban'] })).toEqual({ keys: ['iban'], replacement: '***' });
    expect(redactOf({ keys: 'iban' })).toEqual({ keys: ['ssn'], replacement: '***' });
  });
});

describe('agents', () => {
  const price = { input: 1, output: 2 };
  const agentsOf = (agents: unknown, defaults?: TracerSettings) =>
    resolveTracerSettings({ agents }, { tenantId: 'acme', defaults });

  it('is off unless given, and `true` is short for no more than that', () => {
    expect(agentsOf(undefined).settings.agents).toBeUndefined();
    const on = { prices: {}, currency: 'USD', pendingAfterMillis: Number.POSITIVE_INFINITY };
    for (const given of [true, {}]) expect(agentsOf(given)).toMatchObject({ settings: { agents: on }, issues: [] });
  });

  it('of a tenant comes over the registry, model by model', () => {
    const { settings: registry } = agentsOf({
      currency: 'EUR',
      prices: { a: price, b: price },
      pendingAfterMillis: 100,
    });
    const own = { ...price, cacheRead: 0, cacheWrite: 3 };
    const { settings, issues } = agentsOf({ prices: { b: own, c: own } }, registry);
    expect(issues).toEqual([]);
    expect(settings.agents).toEqual({
      currency: 'EUR',
      pendingAfterMillis: 100,
      prices: { a: { ...price, cacheRead: undefined, cacheWrite: undefined }, b: own, c: own },
    });
    expect(agentsOf(undefined, registry).settings.agents).toBe(registry.agents);
  });

  it.each<[unknown, string]>([
    [false, 'agents'],
    ['all', 'agents'],
    [{ price: {} }, 'agents.price'],
    [{ currency: '' }, 'agents.currency'],
    [{ currency: 'x'.repeat(17) }, 'agents.currency'],
    [{ pendingAfterMillis: 99 }, 'agents.pendingAfterMillis'],
    [{ pendingAfterMillis: 86_400_001 }, 'agents.pendingAfterMillis'],
    [{ prices: [] }, 'agents.prices'],
    [{ prices: { m: 5 } }, 'agents.prices.m'],
    [{ prices: { m: { input: 1 } } }, 'agents.prices.m'],
    [{ prices: { m: { input: -1, output: 1 } } }, 'agents.prices.m.input'],
    [{ prices: { m: { ...price, cacheRead: '1' } } }, 'agents.prices.m.cacheRead'],
    [{ prices: { m: { ...price, other: 1 } } }, 'agents.prices.m.other'],
    [{ prices: { ['m'.repeat(257)]: price } }, 'agents.prices'],
    [{ prices: Object.fromEntries(Array.from({ length: 1_001 }, (_, at) => [`m${at}`, price])) }, 'agents.prices'],
  ])('reports %j', (given, option) => {
    const { settings, issues } = agentsOf(given);
    expect(issues.map((issue) => issue.option)).toEqual([option]);
    expect(settings.agents?.prices ?? {}).not.toHaveProperty('m');
  });

  it('stands whatever is given', () => {
    for (const value of hostileValues()) {
      for (const given of [value, { prices: value }, { prices: { m: value } }, { currency: value }]) agentsOf(given);
    }
  });
});

describe("a registry's options", () => {
  it('have their own defaults', () => {
    const { settings, issues } = resolveRegistry(undefined);
    expect(issues).toEqual([]);
    expect(settings).toMatchObject({
      configure: undefined,
      maxTenants: 1_000,
      idleTimeoutMillis: 1_800_000,
      drainTimeoutMillis: 60_000,
      maxTotalBytes: 256 * MIB,
      tracer: undefined,
      logger: undefined,
      strict: false,
      clock: systemClock,
    });
    expect(settings.defaults).toEqual(BUILT_IN_DEFAULTS);
    expect(settings.platform).toEqual({ ...BUILT_IN_DEFAULTS, tenantId: 'platform' });
  });

  it.each<[keyof RegistryOptions, unknown, unknown[]]>([
    ['configure', () => undefined, [{}, 'fn', 5]],
    ['maxTenants', 1, [0, 1_000_001, '5', Number.POSITIVE_INFINITY]],
    ['idleTimeoutMillis', 1, [0, 86_400_001, '30m', Number.POSITIVE_INFINITY]],
    ['drainTimeoutMillis', 0, [3_600_001, '60s']],
    ['maxTotalBytes', 1_024, [0, 1_023, '256 MiB']],
    ['tracer', class {}, [{}, 'Tracer', 5]],
    ['logger', pino({ enabled: false }), [{}, () => 1, 'pino', { warn: () => 1 }]],
    ['strict', true, ['true', 1, 'yes']],
    ['clock', { ...systemClock, now: () => 1, monotonic: () => 1, random: () => 0, schedule: () => 1 }, [{}, Date, 5]],
  ])('take a good %s and report a bad one', (option, good, bad) => {
    const taken = resolveRegistry({ [option]: good });
    expect(taken.issues).toEqual([]);
    expect(taken.settings[option as 'clock']).toBe(good);
    for (const value of [...bad, ...hostileValues()]) {
      const { settings, issues } = resolveRegistry({ [option]: value });
      expect(issues, inspect(value)).toEqual([expect.objectContaining({ option })]);
      expect(settings[option as 'clock']).toEqual(resolveRegistry({}).settings[option as 'clock']);
    }
  });

  it('are the defaults of a tenant, option by option', () => {
    const { defaults } = resolveRegistry({
      service: { name: 'api', version: '1' },
      environment: 'production',
      attributes: { region: 'eu', plan: 'none' },
      limits: { maxQueueSize: 2_000, eventCountLimit: 5 },
      batch: { maxSize: 100 },
      sampling: { ratio: 0.5 },
      destination: { endpoint: 'https://shared', headers: { key: 'registry' } },
    }).settings;
    const own = {
      service: { version: '2' },
      attributes: { plan: 'free' },
      limits: { eventCountLimit: 7 },
      batch: { delayMillis: 10, maxSize: 'bad' },
      sampling: { ratio: 'bad' },
    };
    const { settings, issues } = resolveTracerSettings(own, { tenantId: 'acme', defaults });
    expect(settings).toMatchObject({
      service: { name: 'api', version: '2' },
      environment: 'production',
      attributes: { region: 'eu', plan: 'free' },
      limits: { maxQueueSize: 2_000, eventCountLimit: 7, linkCountLimit: 128 },
      batch: { delayMillis: 10, maxSize: 100, maxBytes: 512 * KIB },
      sampling: { ratio: 0.5 },
    });
    expect(headersOf(settings)).toEqual({ key: 'registry' });
    expect(issues).toHaveLength(2);
    const replaced = resolveTracerSettings({ destination: { endpoint: 'http://own' } }, { tenantId: 'acme', defaults });
    expect(replaced.settings.destinations.map(({ endpoint }) => endpoint)).toEqual(['http://own/v1/traces']);
    expect(headersOf(replaced.settings)).toEqual({});
  });

  it('are the defaults of a tenant, sampling rule by sampling rule', () => {
    const samplingOf = (shared: unknown, own: unknown) => {
      const { defaults } = resolveRegistry({ sampling: shared }).settings;
      return resolveTracerSettings({ sampling: own }, { tenantId: 'acme', defaults }).settings.sampling;
    };
    const shared = { ratio: 0.5, keepErrors: true };
    expect(samplingOf(shared, { spansPerSecond: 5 })).toEqual({ ...DEFAULT_SAMPLING, ...shared, spansPerSecond: 5 });
    expect(samplingOf(shared, { keepErrors: false })).toEqual({ ...DEFAULT_SAMPLING, ratio: 0.5 });
    expect(samplingOf(shared, { keepSlowerThanMillis: 'bad' })).toEqual({ ...DEFAULT_SAMPLING, ...shared });
    expect(samplingOf(shared, sampler)).toEqual({ kind: 'sampler', sampler });
    expect(samplingOf(sampler, {})).toEqual({ kind: 'sampler', sampler });
    expect(samplingOf(sampler, { keepErrors: true })).toEqual({ ...DEFAULT_SAMPLING, keepErrors: true });
  });

  it('add rules to the sampler that a variable names, which a ratio replaces', () => {
    const env = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' };
    const platformWith = (sampling: unknown) =>
      (resolveRegistry({ sampling }, env).settings.platform as TracerSettings).sampling;
    expect(platformWith({ keepErrors: true })).toMatchObject({ ratio: 0.25, keepErrors: true, parentBased: false });
    expect(platformWith({ ratio: 0.25 })).toMatchObject({ ratio: 0.25, keepErrors: false, parentBased: true });
  });

  it('reach a tenant that sets something else, all of them', () => {
    const options = Object.assign({}, ...TABLE.map(([path, good]) => optionsWith(path, good)), {
      destination: { endpoint: 'http://shared' },
      redact: { keys: ['ssn'] },
      agents: true,
    });
    const { defaults } = resolveRegistrySettings(options, NO_ENVIRONMENT, 'kubernetes').settings;
    const { settings } = resolveTracerSettings({ attributes: {} }, { tenantId: 'acme', defaults });
    expect(settings).toEqual({ ...defaults, tenantId: 'acme' });
    for (const key of Object.keys(BUILT_IN_DEFAULTS) as (keyof typeof BUILT_IN_DEFAULTS)[]) {
      expect(defaults[key], key).not.toEqual(BUILT_IN_DEFAULTS[key]);
    }
  });

  it('are shared by the tenants, not copied for each', () => {
    const { defaults } = resolveRegistry({ batch: { maxSize: 9 }, spanProcessors: [new NoopSpanProcessor()] }).settings;
    const { settings } = resolveTracerSettings({ attributes: { a: 1 } }, { tenantId: 'acme', defaults });
    for (const part of ['batch', 'limits', 'service', 'destinations', 'spanProcessors'] as const) {
      expect(settings[part]).toBe(defaults[part]);
    }
  });

  it('make the platform tracer of its own options, over the registry, over the environment, over the defaults', () => {
    const env = {
      OTEL_SERVICE_NAME: 'env',
      OTEL_RESOURCE_ATTRIBUTES: 'service.version=env,deployment.environment.name=env,from=env',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '11',
      OTEL_BSP_SCHEDULE_DELAY: '12',
      OTEL_SPAN_LINK_COUNT_LIMIT: '13',
      OTEL_TRACES_SAMPLER: 'always_off',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://env/in?q=1',
      OTEL_EXPORTER_OTLP_HEADERS: 'key=env',
    };
    const input = {
      service: { name: 'registry' },
      batch: { maxSize: 22, delayMillis: 23 },
      platform: { batch: { maxSize: 33 }, attributes: { from: 'platform' } },
    };
    const { settings, issues } = resolveRegistry(input, env);
    expect(issues).toEqual([]);
    const platform = settings.platform as TracerSettings;
    expect(platform).toMatchObject({
      tenantId: 'platform',
      service: { name: 'registry', version: 'env' },
      environment: 'env',
      attributes: { from: 'platform' },
      batch: { maxSize: 33, delayMillis: 23 },
      limits: { linkCountLimit: 13, eventCountLimit: 128 },
      sampling: { kind: 'rules', ratio: 0, parentBased: false },
    });
    expect(platform.destinations[0]?.urls.traces?.reveal()).toBe('https://env/in?q=1');
    expect(headersOf(platform)).toEqual({ key: 'env' });
  });

  it('report the problems of the platform tracer and of the variables, each once', () => {
    const { issues } = resolveRegistry(
      { boundary: 'bad', platform: { batch: { maxSize: 0 }, nonsense: 1 } },
      { OTEL_BSP_MAX_QUEUE_SIZE: 'bad', OTEL_RESOURCE_ATTRIBUTES: `service.name=${'x'.repeat(300)}` },
    );
    expect(issues.map(({ option }) => option)).toEqual([
      'boundary',
      'OTEL_BSP_MAX_QUEUE_SIZE',
      'OTEL_RESOURCE_ATTRIBUTES',
      'platform.nonsense',
      'platform.batch.maxSize',
    ]);
  });

  it.each([
    [{ platform: false }, {}],
    [{}, { OTEL_SDK_DISABLED: 'true' }],
    [{ platform: {} }, { OTEL_SDK_DISABLED: 'true' }],
  ])('%j and the environment %j make no platform tracer', (input, env) => {
    expect(resolveRegistry(input, env)).toMatchObject({ settings: { platform: false }, issues: [] });
  });

  it('that are no object give the defaults and an issue', () => {
    for (const input of [...hostileValues(), 'options', []]) {
      const { settings, issues } = resolveRegistrySettings(input, NO_ENVIRONMENT);
      expect(issues.length, inspect(input)).toBeGreaterThan(0);
      expect(settings).toEqual(resolveRegistry({}).settings);
    }
  });
});

describe('isolation from the environment', () => {
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://platform-collector:4318',
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${CANARY}`,
    OTEL_SERVICE_NAME: CANARY,
    OTEL_RESOURCE_ATTRIBUTES: `owner=${CANARY}`,
    OTEL_TRACES_SAMPLER: 'always_off',
    OTEL_BSP_MAX_QUEUE_SIZE: '7',
  };

  it('no variable reaches the settings of a tenant, with or without options of its own', () => {
    const { defaults } = resolveRegistry({ platform: {} }, env).settings;
    expect(defaults).toEqual(BUILT_IN_DEFAULTS);
    for (const own of [undefined, {}, { destination: { endpoint: 'http://tenant' } }]) {
      const { settings } = resolveTracerSettings(own, { tenantId: 'acme', defaults });
      expect(headersOf(settings) ?? {}).toEqual({});
      expect(settings.service.name).toBeUndefined();
      expect(settings.attributes).toEqual({});
      expect(settings.sampling).toEqual(BUILT_IN_DEFAULTS.sampling);
      expect(settings.limits.maxQueueSize).toBe(10_000);
      expect(settings.destinations.map(({ endpoint }) => endpoint)).not.toContain(
        'https://platform-collector:4318/v1/traces',
      );
    }
  });

  it('the headers of the environment do not go to a destination that the options name', () => {
    const { settings } = resolveRegistry({ platform: { destination: { endpoint: 'http://own' } } }, env);
    expect(headersOf(settings.platform as TracerSettings)).toEqual({});
  });

  it('resolveTracerSettings applies it when it makes the platform tracer', () => {
    const { options } = readEnvironment(env);
    const { settings } = resolveTracerSettings(
      { service: { name: 'own' } },
      { tenantId: 'platform', environment: options },
    );
    expect(settings.service.name).toBe('own');
    expect(settings.limits.maxQueueSize).toBe(7);
    expect(headersOf(settings)).toEqual({ authorization: `Bearer ${CANARY}` });
  });
});

describe('secrets', () => {
  it('in settings are never printed', () => {
    const { settings } = resolveRegistry(
      {
        destination: [
          { endpoint: `https://host/?key=${CANARY}`, headers: { authorization: `Bearer ${CANARY}` } },
          { endpoint: 'https://host', paths: { traces: `/in?key=${CANARY}` }, headers: { 'x-api-key': CANARY } },
          { endpoint: 'https://host', tls: { cert: pem(CANARY), key: Buffer.from(pem(CANARY)) } },
        ],
        platform: { destination: { endpoint: 'https://host', headers: { 'x-key': CANARY } } },
      },
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://env', OTEL_EXPORTER_OTLP_HEADERS: `x-key=${CANARY}` },
    );
    expect(settings.defaults.destinations[0]?.urls.traces?.reveal()).toContain(CANARY);
    expect(settings.defaults.destinations[2]?.tls?.reveal().cert).toContain(CANARY);
    expect(printEverything(settings)).not.toContain(CANARY);
    const { settings: tenant } = resolveTracerSettings({}, { tenantId: 'acme', defaults: settings.defaults });
    expect(printEverything(tenant)).not.toContain(CANARY);
  });

  it('in bad options are not shown by an issue or by the error made of them', () => {
    const secretive = {
      destination: [
        { endpoint: `https://user:${CANARY}@host/` },
        { endpoint: `ftp://host/?token=${CANARY}` },
        { endpoint: `${CANARY}:${CANARY}@host` },
        { endpoint: 'http://host', headers: `Bearer ${CANARY}` },
        { endpoint: 'http://host', headers: { [`authorization: ${CANARY}`]: 'v', key: `${CANARY}\n`, list: [CANARY] } },
        { endpoint: 'http://host', headers: [CANARY], paths: { traces: `?key=${CANARY}` } },
        { endpoint: `http://host/?key=${CANARY}`, headers: { key: CANARY } },
        { endpoint: `https://host/?key=${CANARY}`, protocol: 'grpc', paths: { traces: `/${CANARY}` } },
        { endpoint: 'http://host', tls: { cert: CANARY, key: Buffer.from(CANARY) } },
        { endpoint: 'http://host', tls: CANARY, tenantHeader: `${CANARY} ` },
      ],
      redact: { keys: [{ CANARY }], custom: CANARY, replacement: CANARY.repeat(10) },
      attributes: { token: { value: CANARY } },
      environment: { password: CANARY },
      exporter: CANARY,
      logger: CANARY,
      configure: CANARY,
      boundary: `Bearer ${CANARY}`,
    };
    const { issues } = resolveRegistry(secretive, { OTEL_EXPORTER_OTLP_HEADERS: CANARY });
    expect(issues.length).toBeGreaterThan(12);
    expect(printEverything(issues)).not.toContain(CANARY);
    const error = configError(issues);
    expect(error.code).toBe('config_invalid');
    expect(error.issues).toBe(issues);
    expect(printEverything(error) + error.message + error.stack).not.toContain(CANARY);
    for (const { option, accepted, received } of issues) {
      expect(error.message).toContain(`${option}: expected ${accepted}, received ${received}`);
    }
  });
});

describe('resolveStandaloneSettings', () => {
  it('takes the options of a tracer and of its host', () => {
    const logger = pino({ enabled: false });
    const { settings, issues } = resolveStandaloneSettings({
      tenantId: 'job-42',
      boundary: 'link',
      strict: true,
      logger,
    });
    expect(issues).toEqual([]);
    expect(settings).toMatchObject({
      tracer: { tenantId: 'job-42', boundary: 'link' },
      strict: true,
      clock: systemClock,
    });
    expect(settings.logger).toBe(logger);
  });

  it('has a default for everything', () => {
    const { settings } = resolveStandaloneSettings(undefined);
    expect(settings).toEqual({
      tracer: { ...BUILT_IN_DEFAULTS, tenantId: 'default' },
      logger: undefined,
      strict: false,
      clock: systemClock,
    });
  });

  it.each(['', 'a\nb', 5, 'x'.repeat(129)])('reports the bad tenant id %j', (tenantId) => {
    const { settings, issues } = resolveStandaloneSettings({ tenantId });
    expect(settings.tracer.tenantId).toBe('default');
    expect(issues).toEqual([expect.objectContaining({ option: 'tenantId' })]);
  });
});

describe('option types', () => {
  it('accept explicit undefined, pino loggers and OpenTelemetry objects, and refuse mistakes', () => {
    const good: RegistryOptions = {
      service: { name: undefined },
      destination: { endpoint: 'https://host', headers: async (tenantId) => ({ tenantId }), paths: undefined },
      sampling: new AlwaysOffSampler(),
      spanProcessors: [new NoopSpanProcessor()],
      exporter: new InMemorySpanExporter(),
      idGenerator: new RandomIdGenerator(),
      logger: pino({ enabled: false }),
      tracer: class {},
      configure: async () => undefined,
    };
    expect(resolveRegistry(good).issues).toEqual([]);
    // @ts-expect-error misspelt option
    const misspelt: TracerOptions = { sampilng: { ratio: 1 } };
    // @ts-expect-error a destination needs an endpoint
    const incomplete: TracerOptions = { destination: { compression: 'gzip' } };
    // @ts-expect-error configure belongs to a registry
    const misplaced: TracerOptions = { configure: () => undefined };
    for (const options of [misspelt, incomplete, misplaced]) expect(resolve(options).issues).toHaveLength(1);
  });
});
