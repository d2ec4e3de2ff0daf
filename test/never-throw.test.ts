import { types } from 'node:util';
import { type Attributes, type Span, SpanKind } from '@opentelemetry/api';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import * as isotrace from '../src/index.ts';
import { createTracer, Tracer, TracerRegistry, WithAgents } from '../src/index.ts';
import { settle } from './support/fake-clock.ts';
import { type HostileValue, hostileValues, USER_ERROR } from './support/hostile-values.ts';
import { type OtlpReceiver, startReceiver } from './support/otlp-receiver.ts';

/**
 * Exports that are for building classes and errors: misuse fails where the host's module is loaded, not while it
 * serves. Everything else must stand every argument.
 */
const FOR_BUILDING = new Set([
  'IsotraceError',
  'Tracer',
  'TracerBase',
  'WithAgents',
  'WithContext',
  'WithEnrichment',
  'WithLogs',
  'WithMetrics',
  'WithOperations',
  'WithOutgoing',
]);
/** Starts processes: attacked with a `git` of the test's in test/infra/vcs.test.ts. */
const STARTS_PROCESSES = new Set(['detectVcs']);
/** They end what they are called on. */
const FINAL: ReadonlySet<PropertyKey> = new Set(['shutdown', Symbol.asyncDispose, 'end', Symbol.dispose]);

// Options that are hostile as a whole cannot bring a logger of their own.
vi.mock('../src/infra/logger.ts', () => ({
  createDefaultLogger: () => ({ debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }),
}));

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const unhandled: unknown[] = [];
const noteUnhandled = (reason: unknown): void => void unhandled.push(reason);
let receiver: OtlpReceiver;
let registry: TracerRegistry;

beforeAll(async () => {
  process.on('unhandledRejection', noteUnhandled);
  receiver = await startReceiver();
  registry = new TracerRegistry({ destination: { endpoint: receiver.url }, logger: SILENT, platform: false });
});

afterAll(async () => {
  process.off('unhandledRejection', noteUnhandled);
  await registry.shutdown();
  await receiver.close();
});

// What the process's fetch makes of such arguments is its own.
beforeEach(() => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response()));
});

describe('the public surface under hostile arguments', () => {
  it('covers every export that is a function', async () => {
    const failures: string[] = [];
    for (const [name, exported] of Object.entries(isotrace)) {
      if (typeof exported !== 'function' || FOR_BUILDING.has(name) || STARTS_PROCESSES.has(name)) continue;
      const isClass = /^class\b/.test(Function.prototype.toString.call(exported));
      const call = (...args: unknown[]): unknown =>
        isClass ? Reflect.construct(exported, args) : Reflect.apply(exported, undefined, args);
      await attack(name, call, failures);
    }
    expect(failures).toEqual([]);
  });

  it('covers every option of a tracer and of a registry', async () => {
    const failures: string[] = [];
    const options = ['service', 'environment', 'attributes', 'destination', 'sampling', 'limits', 'batch', 'boundary'];
    options.push(
      'capture',
      'sessions',
      'agents',
      'resilience',
      'spanProcessors',
      'exporter',
      'idGenerator',
      'propagation',
      'configure',
      'maxTenants',
    );
    options.push(
      'idleTimeoutMillis',
      'drainTimeoutMillis',
      'maxTotalBytes',
      'platform',
      'tracer',
      'tenantId',
      'logger',
      'clock',
    );
    for (const option of options) {
      for (const { name, value } of hostileValues()) {
        await expectQuiet(`${option}: ${name}`, value, failures, async () => {
          const tracer = createTracer({ logger: SILENT, [option]: value } as never);
          tracer.withSpan('work', (span) => span.setAttribute('a', 1));
          tracer.startSpan('left open');
          const tenants = new TracerRegistry({ logger: SILENT, [option]: value } as never);
          tenants.get('acme').withSpan('work', () => undefined);
          tenants.platform.withSpan('work', () => undefined);
          await Promise.all([tracer.shutdown({ timeoutMillis: 0 }), tenants.shutdown({ timeoutMillis: 0 })]);
        });
      }
    }
    expect(failures).toEqual([]);
  });

  it('covers every method of a registry', async () => {
    expect(await attackMethods('registry', () => registry)).toEqual([]);
  });

  it('covers every method of a tracer', async () => {
    expect(await attackMethods('tracer', () => registry.get('acme'))).toEqual([]);
  });

  it('covers every method of a tracer inside its own span and inside another tenant', async () => {
    const tracer = registry.get('acme');
    const inside = await registry.get('globex').withSpan('outer', async () => {
      return tracer.withSpan('inner', async () => attackMethods('tracer', () => tracer));
    });
    expect(inside).toEqual([]);
  });

  it('covers every method of a tracer that was shut down, and of one for a bad tenant', async () => {
    const closed = createTracer({ destination: { endpoint: receiver.url }, logger: SILENT });
    await closed.shutdown();
    expect(await attackMethods('closed tracer', () => closed)).toEqual([]);
    expect(await attackMethods('nobody', () => registry.get('\0'))).toEqual([]);
  });

  it('covers every method of a span: recording, ended, not sampled, doing nothing', async () => {
    const unsampled = createTracer({ sampling: { ratio: 0 }, logger: SILENT });
    const tracer = registry.get('acme');
    const ended = tracer.startSpan('ended');
    ended.end();
    expect(await attackMethods('recording span', () => tracer.startSpan('recording'))).toEqual([]);
    expect(await attackMethods('ended span', () => ended)).toEqual([]);
    expect(await attackMethods('span that is not sampled', () => unsampled.startSpan('unsampled'))).toEqual([]);
    expect(await attackMethods('span of nobody', () => registry.get('\0').startSpan('noop'))).toEqual([]);
  });

  it('covers every method of an error handling', async () => {
    const handling = isotrace.createErrorHandling({ logger: SILENT });
    expect(await attackMethods('error handling', () => handling)).toEqual([]);
  });

  it('covers a user mixin whose own methods use the operations', async () => {
    class AgentTracer extends WithAgents(Tracer) {
      step(name: unknown, options: unknown): void {
        this.startSpan(name as string, options as never).end();
      }
    }
    const agents = new TracerRegistry({ tracer: AgentTracer, logger: SILENT, platform: false });
    expect(await attackMethods('mixin', () => agents.get('acme'))).toEqual([]);
    await agents.shutdown({ timeoutMillis: 0 });
  });

  it('pollutes no prototype', () => {
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('leaves no unhandled rejection', async () => {
    await settle(10);
    expect(unhandled).toEqual([]);
  });

  it('still delivers a good span afterwards', async () => {
    const tenant = registry.get('good');
    await tenant.withSpan('good span', { kind: SpanKind.CLIENT, attributes: { fine: true } }, async () => undefined);
    expect(await tenant.flush()).toMatchObject({ ok: true, delivered: 1 });
    const good = receiver.spans().findLast(({ name }) => name === 'good span');
    expect(good).toMatchObject({ kind: SpanKind.CLIENT + 1, attributes: { fine: true } });
  });

  it('keeps the account of what the hostile calls made', async () => {
    await registry.flush();
    const { created, exported, queued, dropped } = registry.stats().traces;
    const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    expect(created).toBe(exported + queued + lost);
    expect(exported).toBe(receiver.spans().length);
  });
});

const refuse = (): never => {
  throw new Error('must not come out');
};
const NO_CONTEXT = { traceId: 5, spanId: null, traceFlags: 'x' };
const hostileList = new Proxy([], { get: refuse });
const hostileRecord: Attributes = Object.defineProperty({}, 'key', { get: refuse, enumerable: true });
const hostileProxy = new Proxy({}, { ownKeys: refuse, get: refuse, has: refuse, getPrototypeOf: refuse });
const revokedRecord = (): Attributes => {
  const { proxy, revoke } = Proxy.revocable<Attributes>({}, {});
  revoke();
  return proxy;
};
const badProcessor = (method: string): object => {
  const good = { onStart: () => {}, onEnd: () => {}, forceFlush: async () => {}, shutdown: async () => {} };
  return { ...good, [method]: refuse };
};
const work = (tracer: Tracer): void => tracer.startSpan('work').end();

type HostileCall = (tracer: Tracer, span: Span) => unknown;

/** The calls of which the stock SDK lets most throw into the host, with the options of the tracer that they need. */
const HOSTILE_CALLS: [string, HostileCall, object?][] = [
  ['an attribute with a throwing getter', (_, span) => span.setAttributes(hostileRecord)],
  ['attributes that are a throwing proxy', (_, span) => span.setAttributes(hostileProxy)],
  ['attributes that are a revoked proxy', (_, span) => span.setAttributes(revokedRecord())],
  ['an attribute value that is a revoked proxy', (_, span) => span.setAttribute('key', revokedRecord() as never)],
  ['an attribute value that is a throwing list', (_, span) => span.setAttribute('key', hostileList)],
  ['an attribute without a key', (_, span) => span.setAttribute(null as never, 'value')],
  ['an attribute with a symbol as its key', (_, span) => span.setAttribute(Symbol('key') as never, 'value')],
  ['an attribute that is a symbol', (_, span) => span.setAttribute('key', Symbol('value') as never)],
  ['an attribute that is a function', (_, span) => span.setAttribute('key', refuse as never)],
  ['attributes that are null', (_, span) => span.setAttributes(null as never)],
  ['an event with a throwing getter', (_, span) => span.addEvent('event', hostileRecord)],
  ['an event with a throwing proxy', (_, span) => span.addEvent('event', hostileProxy)],
  ['an event with a revoked proxy', (_, span) => span.addEvent('event', revokedRecord() as never)],
  ['an event at a revoked time', (_, span) => span.addEvent('event', {}, revokedRecord() as never)],
  ['an event without a name', (_, span) => span.addEvent(undefined as never)],
  ['a link that is null', (_, span) => span.addLink(null as never)],
  ['a link without a context', (_, span) => span.addLink({} as never)],
  ['a link to no context', (_, span) => span.addLink({ context: NO_CONTEXT } as never)],
  ['links that are null', (_, span) => span.addLinks(null as never)],
  ['links of which one is null', (_, span) => span.addLinks([null] as never)],
  ['no status', (_, span) => span.setStatus(undefined as never)],
  ['a status that is a throwing proxy', (_, span) => span.setStatus(hostileProxy as never)],
  ['an exception that is a symbol', (_, span) => span.recordException(Symbol('exception') as never)],
  ['an exception without a prototype', (_, span) => span.recordException(Object.create(null))],
  ['an exception with throwing getters', (_, span) => span.recordException(hostileProxy as never)],
  ['no exception', (_, span) => span.recordException(null as never)],
  ['a name that is none', (_, span) => span.updateName(undefined as never)],
  ['an end at a revoked time', (_, span) => span.end(revokedRecord() as never)],
  ['a span without options', (tracer) => tracer.startSpan('name', null as never).end()],
  ['a span with throwing options', (tracer) => tracer.startSpan('name', hostileProxy).end()],
  ['a span with a link that is null', (tracer) => tracer.startSpan('name', { links: [null] as never }).end()],
  ['a span with links that are none', (tracer) => tracer.startSpan('name', { links: 5 as never }).end()],
  ['a span without a name', (tracer) => tracer.startSpan(undefined as never).end()],
  ['a span in no context', (tracer) => tracer.startSpan('name', {}, {} as never).end()],
  ['an active span without a function', (tracer) => tracer.startActiveSpan('name', undefined as never)],
  ['a sampler that throws', work, { sampling: { shouldSample: refuse } }],
  ['an id generator that throws', work, { idGenerator: { generateTraceId: refuse, generateSpanId: refuse } }],
  ['a processor that throws at the start', work, { spanProcessors: [badProcessor('onStart')] }],
  ['a processor that throws before the end', work, { spanProcessors: [badProcessor('onEnding')] }],
  ['a processor that throws at the end', work, { spanProcessors: [badProcessor('onEnd')] }],
  ['an exporter that throws', work, { exporter: { export: refuse, shutdown: refuse } }],
  [
    'a logger that throws',
    (tracer) => tracer.withSpan('name', () => tracer.linkSpan(null as never)),
    { logger: { debug: refuse, info: refuse, warn: refuse, error: refuse } },
  ],
];

it('knows 42 hostile calls', () => {
  expect(new Set(HOSTILE_CALLS.map(([name]) => name)).size).toBe(42);
});

it.each(HOSTILE_CALLS)('neither throws nor loses the span around: %s', async (_, call, options = {}) => {
  const sink = await startReceiver();
  const tracer = createTracer({ destination: { endpoint: sink.url }, logger: SILENT, ...options });
  const span = tracer.startSpan('around');
  expect(() => call(tracer, span)).not.toThrow();
  span.end();
  await tracer.shutdown({ timeoutMillis: 2_000 });
  expect(sink.spans().filter(({ name }) => name === 'around')).toHaveLength(1);
  await sink.close();
});

/** Calls each method that reflection finds, on a target made anew for those that end it. */
async function attackMethods(label: string, target: () => object): Promise<string[]> {
  const failures: string[] = [];
  for (const key of publicKeys(target())) {
    const fresh = FINAL.has(key) ? await disposable(target()) : target;
    const member: unknown = Reflect.get(target(), key);
    if (typeof member !== 'function') continue;
    const call = (...args: unknown[]): unknown => {
      const self = fresh();
      return Reflect.apply(Reflect.get(self, key) as (...args: unknown[]) => unknown, self, args);
    };
    await attack(`${label}.${String(key)}`, call, failures);
  }
  return failures;
}

/** Makes throw-away targets of the same kind, so that the one that others use lives on. */
async function disposable(target: object): Promise<() => object> {
  if (target instanceof TracerRegistry) return () => new TracerRegistry({ logger: SILENT, platform: false });
  if (target instanceof isotrace.TracerBase) return () => createTracer({ logger: SILENT });
  return () => target;
}

function publicKeys(target: object): PropertyKey[] {
  const keys = new Set<PropertyKey>();
  for (let object = target; object !== Object.prototype && object !== null; object = Object.getPrototypeOf(object)) {
    for (const key of Reflect.ownKeys(object)) if (key !== 'constructor') keys.add(key);
  }
  expect(keys.size).toBeGreaterThan(0);
  return [...keys];
}

async function attack(label: string, call: (...args: unknown[]) => unknown, failures: string[]): Promise<void> {
  await expectQuiet(`${label}()`, undefined, failures, () => call());
  for (const hostile of hostileValues()) {
    for (const [shape, args] of argumentLists(hostile)) {
      await expectQuiet(`${label}(${shape}) with ${hostile.name}`, hostile.value, failures, () => call(...args));
    }
  }
}

function argumentLists({ value }: HostileValue): [string, unknown[]][] {
  const fn = (): string => 'result';
  return [
    ['x', [value]],
    ['x, fn', [value, fn]],
    ['name, x', ['name', value]],
    ['name, x, fn', ['name', value, fn]],
    ['name, {}, x', ['name', {}, value]],
    ['name, {}, x, fn', ['name', {}, value, fn]],
    ['x, x', [value, value]],
    ['x, x, x', [value, value, value]],
    ['x, x, x, x, x', [value, value, value, value, value]],
    [
      '{ of x }',
      [{ attributes: value, links: [value], kind: value, startTime: value, name: value, context: value }, fn],
    ],
    [
      'name, { of x }',
      ['name', { attributes: { key: value }, links: value, root: value, code: value, message: value }],
    ],
  ];
}

/** Runs a call, uses what comes of it, and notes whatever is not an error of the host's own functions. */
async function expectQuiet(label: string, value: unknown, failures: string[], run: () => unknown): Promise<void> {
  try {
    let result: unknown = run();
    if (result === value) return;
    // What was wrapped or decorated is called as well, what can be iterated is iterated.
    if (typeof result === 'function') result = Reflect.apply(result, undefined, [value, value, value]);
    if (result === value) return;
    if (types.isPromise(result)) await result;
    else if (types.isGeneratorObject(result)) Array.from(result as Generator);
  } catch (error) {
    if (error !== USER_ERROR && !isOfRevokedFunction(error, value)) failures.push(`${label}: ${textOf(error)}`);
  }
}

/** To call it is the host's own error. */
function isOfRevokedFunction(error: unknown, value: unknown): boolean {
  return typeof value === 'function' && error instanceof TypeError && error.message.includes("'apply' on a proxy");
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? '').split('\n').slice(0, 3).join(' ') : JSON.stringify(error);
}
