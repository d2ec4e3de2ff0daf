import { isSpanContextValid } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  BatchSpanProcessor,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type {
  GuardedComponent,
  RegistryOptions,
  ResilienceLevel,
  Tracer,
  TracerHealth,
  TracerOptions,
  TracerRegistry,
} from '../../src/index.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';
import { receiver, registryOf, resolveWith } from './registry-kit.ts';

interface Line {
  readonly component: string;
  readonly operation: string;
  readonly tenantId: string;
  readonly suppressed: number;
}

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
const LEVELS: [ResilienceLevel, number][] = [
  ['strict', 1],
  ['balanced', 10],
  ['resilient', 10],
];

beforeEach(() => {
  process.on('unhandledRejection', note);
  process.on('uncaughtException', note);
});

afterEach(async () => {
  await settle();
  process.off('unhandledRejection', note);
  process.off('uncaughtException', note);
  expect(unhandled.splice(0)).toEqual([]);
});

const fail = (): never => {
  throw new Error('broken');
};
const reject = async (): Promise<never> => fail();
const hang = (): Promise<never> => new Promise(() => {});
/** An object with a property that throws when it is read. */
const unreadable = (key: string): object => Object.defineProperty({}, key, { get: fail });

/** A registry whose tenant `bad` has the options, and whose tenant `good` has none but a receiver. */
async function tenants(options: TracerOptions, more: RegistryOptions<Tracer> = {}) {
  const clock = new FakeClock();
  const lines: Line[] = [];
  const write = (fields: object): void => void lines.push(fields as Line);
  const logger = { debug: write, info: write, warn: write, error: write };
  const sink = await receiver();
  const destination = { endpoint: sink.url };
  const registry = registryOf({
    clock,
    logger,
    configure: (tenantId) => ({ destination, ...(tenantId === 'bad' ? options : {}) }),
    ...more,
  });
  return { clock, lines, registry, sink, bad: () => registry.get('bad').health() };
}

/** The host's work under both tenants must not notice anything; the good tenant's spans arrive. */
async function expectUnaffected(registry: TracerRegistry, sink: OtlpReceiver, clock: FakeClock): Promise<void> {
  const before = sink.spans().filter(({ name }) => name === 'good').length;
  const result = await registry.get('bad').withSpan('bad', async (span) => {
    span.setAttribute('a', 1);
    return registry.get('good').withSpan('good', () => 'result');
  });
  expect(result).toBe('result');
  await resolveWith(clock, registry.get('good').flush());
  expect(sink.spans().filter(({ name }) => name === 'good')).toHaveLength(before + 1);
}

function expectOff(health: TracerHealth, name: string): void {
  expect(health.switchedOff).toEqual([name]);
  expect(health.ok).toBe(false);
}

describe('a failing sampler', () => {
  it.each(LEVELS)(
    'at level %s is switched off after %i failures; every span is kept meanwhile',
    async (resilience, allowed) => {
      let calls = 0;
      const shouldSample = (): never => {
        calls += 1;
        return fail();
      };
      const { clock, registry, sink, bad, lines } = await tenants({ sampling: { shouldSample }, resilience });
      for (let index = 0; index < 15; index += 1) registry.get('bad').withSpan('bad', () => undefined);
      expect(calls).toBe(allowed);
      expectOff(bad(), 'sampler.shouldSample');
      expect(bad().errors).toEqual({ sampler: allowed });
      expect(lines.filter(({ operation }) => operation === 'shouldSample (switched off)')).toMatchObject([
        { tenantId: 'bad' },
      ]);
      await expectUnaffected(registry, sink, clock);
      await resolveWith(clock, registry.flush());
      expect(sink.spans().filter(({ name }) => name === 'bad')).toHaveLength(16);
      clock.advance(30_000);
      registry.get('bad').withSpan('bad', () => undefined);
      expect(calls).toBe(resilience === 'resilient' ? allowed + 1 : allowed);
    },
  );

  it('costs one line a minute, which says how many there were', async () => {
    const { clock, registry, lines } = await tenants({ sampling: { shouldSample: fail } });
    const lineCount = (): number => lines.filter(({ operation }) => operation === 'shouldSample').length;
    for (let index = 0; index < 5; index += 1) registry.get('bad').startSpan('x').end();
    expect(lineCount()).toBe(1);
    clock.advance(60_001);
    registry.get('bad').startSpan('x').end();
    expect(lines.findLast(({ operation }) => operation === 'shouldSample')).toMatchObject({
      component: 'sampler',
      tenantId: 'bad',
      suppressed: 4,
    });
  });

  it('is listed with the registry, with its tenant', async () => {
    const { registry } = await tenants({ sampling: { shouldSample: fail } });
    registry.get('bad').startSpan('x').end();
    expect(registry.health().errors).toEqual({ sampler: 1 });
    expect(registry.health().recentErrors).toMatchObject([
      { tenantId: 'bad', component: 'sampler', message: 'Error: broken' },
    ]);
  });
});

describe('a failing id generator', () => {
  it.each<[string, () => unknown]>([
    ['throws', fail],
    ['rejects', reject],
    ['answers nothing', () => undefined],
    ['answers no id', () => 'not an id'],
    ['answers zeros', () => '0'.repeat(32)],
  ])('that %s does not keep spans from having good ids', async (_, generate) => {
    const idGenerator = { generateTraceId: generate as () => string, generateSpanId: generate as () => string };
    const { clock, registry, sink, bad } = await tenants({ idGenerator });
    registry.get('bad').withSpan('bad', (span) => expect(isSpanContextValid(span.spanContext())).toBe(true));
    expect(bad().errors).toEqual({ idGenerator: 2 });
    await expectUnaffected(registry, sink, clock);
  });

  it.each(LEVELS)('at level %s is switched off after %i failures', async (resilience, allowed) => {
    let calls = 0;
    const generate = (): never => {
      calls += 1;
      return fail();
    };
    const { registry, bad } = await tenants({
      idGenerator: { generateTraceId: generate, generateSpanId: generate },
      resilience,
    });
    for (let index = 0; index < 20; index += 1) registry.get('bad').startSpan('x').end();
    expect(calls).toBe(allowed);
    expectOff(bad(), 'idGenerator.idGenerator');
    expect(bad().errors).toEqual({ idGenerator: allowed });
  });
});

describe('failing span processors', () => {
  it.each<[string, () => unknown]>([
    ['throws', fail],
    ['rejects', reject],
  ])('one that %s among three does not keep the others from running', async (_, how) => {
    const exporters = [new InMemorySpanExporter(), new InMemorySpanExporter()];
    const [first, last] = exporters.map((exporter) => new SimpleSpanProcessor({ exporter }));
    const broken = {
      onStart: how,
      onEnding: how,
      onEnd: how,
      forceFlush: how,
      shutdown: how,
    } as unknown as SpanProcessor;
    const { clock, registry, sink, bad } = await tenants({ spanProcessors: [first, broken, last] as SpanProcessor[] });
    await expectUnaffected(registry, sink, clock);
    await resolveWith(clock, registry.flush());
    for (const exporter of exporters) expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(['bad']);
    expect(bad().errors.processor).toBe(4);
    expect(
      sink
        .spans()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['bad', 'good']);
  });

  it('one that hangs when it is flushed does not hold up the delivery', async () => {
    const hanging = { onStart: () => {}, onEnd: () => {}, forceFlush: hang, shutdown: hang };
    const { clock, registry, sink } = await tenants({ spanProcessors: [hanging] });
    await expectUnaffected(registry, sink, clock);
    await resolveWith(clock, registry.get('bad').shutdown({ timeoutMillis: 1_000 }));
    expect(sink.spans().map(({ name }) => name)).toContain('bad');
  });

  it.each(LEVELS)('are switched off at level %s after %i failures, each by itself', async (resilience, allowed) => {
    let calls = 0;
    const onStart = (): never => {
      calls += 1;
      return fail();
    };
    const quiet = { onStart: () => {}, onEnd: () => {}, forceFlush: async () => {}, shutdown: async () => {} };
    const { registry, bad } = await tenants({ spanProcessors: [quiet, { ...quiet, onStart }], resilience });
    for (let index = 0; index < 20; index += 1) registry.get('bad').startSpan('x').end();
    expect(calls).toBe(allowed);
    expectOff(bad(), 'processor.spanProcessors[1]');
  });
});

type Export = SpanExporter['export'];
type Answer = Parameters<Export>[1];

describe('a failing exporter', () => {
  const late = (answer: Answer, result: unknown): void => void setImmediate(() => answer(result as never));
  const failures: [string, GuardedComponent, Export][] = [
    ['throws', 'exporter', fail],
    ['rejects', 'exporter', reject as unknown as Export],
    ['answers with nothing', 'exporter', (_, answer) => late(answer, undefined)],
    ['answers with a text', 'exporter', (_, answer) => late(answer, 'fine')],
    ['answers with what cannot be read', 'exporter', (_, answer) => late(answer, unreadable('code'))],
    ['answers with an error that cannot be read', 'exporter', (_, answer) => late(answer, unreadable('error'))],
    ['never answers', 'exporter', () => undefined],
    // Its backend is at fault, not the exporter.
    ['says that it could not deliver', 'delivery', (_, answer) => answer({ code: 1, error: new Error('broken') })],
  ];

  it.each(failures)(
    'that %s leaves the host and the other tenants alone, and is counted',
    async (_, component, how) => {
      const exporter = { export: how, shutdown: async () => {} };
      const { clock, registry, sink, bad } = await tenants({ exporter });
      await expectUnaffected(registry, sink, clock);
      void registry.get('bad').flush({ timeoutMillis: 60_000 });
      await clock.advanceAsync(31_000);
      expect(bad().errors[component]).toBeGreaterThan(0);
      await expectUnaffected(registry, sink, clock);
    },
  );

  it('that answers twice is believed the first time', async () => {
    const answers = (_: ReadableSpan[], answer: Answer): void => {
      answer({ code: 0 });
      answer({ code: 1, error: new Error('second thought') });
    };
    const { clock, registry } = await tenants({
      exporter: { export: answers, shutdown: async () => {} },
      destination: [],
    });
    registry.get('bad').startSpan('once').end();
    expect(await resolveWith(clock, registry.get('bad').flush())).toMatchObject({ ok: true, delivered: 1 });
    expect(registry.get('bad').stats().traces).toMatchObject({ created: 1, exported: 1, queued: 0, dropped: {} });
  });

  it('that fails when it is shut down does not keep the tenant from shutting down', async () => {
    const exporter = { export: (_: ReadableSpan[], answer: Answer) => answer({ code: 0 }), shutdown: reject };
    const { clock, registry, sink } = await tenants({ exporter });
    await expectUnaffected(registry, sink, clock);
    expect(await resolveWith(clock, registry.shutdown({ timeoutMillis: 1_000 }))).toMatchObject({ pending: 0 });
  });

  it('gives up no span that it gets when it works again', async () => {
    const got: ReadableSpan[] = [];
    let broken = true;
    const exportSpans = (spans: ReadableSpan[], answer: Answer): void => {
      if (broken) fail();
      got.push(...spans);
      answer({ code: 0 });
    };
    const { clock, registry } = await tenants({
      exporter: { export: exportSpans, shutdown: async () => {} },
      destination: [],
    });
    registry.get('bad').startSpan('kept').end();
    await resolveWith(clock, registry.get('bad').flush());
    expect(registry.get('bad').stats().traces).toMatchObject({ exported: 0, queued: 1 });
    broken = false;
    await clock.advanceAsync(60_000);
    expect(got.map(({ name }) => name)).toEqual(['kept']);
  });

  it.each(LEVELS)('at level %s is switched off after %i failures', async (resilience, allowed) => {
    let calls = 0;
    const exportSpans = (): never => {
      calls += 1;
      return fail();
    };
    const { clock, registry, sink, bad } = await tenants({
      exporter: { export: exportSpans, shutdown: async () => {} },
      resilience,
    });
    for (let index = 0; index < 20; index += 1) {
      registry.get('bad').startSpan('x').end();
      await resolveWith(clock, registry.get('bad').flush({ timeoutMillis: 100 }));
    }
    expect(calls).toBe(allowed);
    expectOff(bad(), 'exporter.export');
    await expectUnaffected(registry, sink, clock);
  });
});

describe('a hook that is switched off', () => {
  it('is no longer listed when a new configuration does without it', async () => {
    let options: TracerOptions = { sampling: { shouldSample: fail }, resilience: 'strict' };
    const registry = registryOf({ configure: () => options });
    registry.get('acme').startSpan('x').end();
    expectOff(registry.get('acme').health(), 'sampler.shouldSample');
    options = {};
    expect(await registry.reconfigure('acme')).toBe('changed');
    expect(registry.get('acme').health()).toMatchObject({ ok: true, switchedOff: [], errors: { sampler: 1 } });
  });
});

describe('a failing headers function', () => {
  it.each<[string, () => unknown]>([
    ['throws', fail],
    ['rejects', reject],
    ['hangs', hang],
    ['answers garbage', () => 5],
  ])('that %s sends nothing without credentials, and leaves the others alone', async (_, headers) => {
    const { clock, registry, sink, bad } = await tenants({});
    registry.delete('bad');
    const other = registryOf({
      clock,
      configure: (tenantId) => ({
        destination: {
          endpoint: sink.url,
          ...(tenantId === 'bad' && { headers: headers as () => Record<string, string> }),
        },
      }),
    });
    expect(bad().ok).toBe(true);
    await expectUnaffected(other, sink, clock);
    void other.get('bad').flush({ timeoutMillis: 60_000 });
    await clock.advanceAsync(31_000);
    expect(other.get('bad').health().errors.headers).toBeGreaterThan(0);
    expect(sink.spans().filter(({ name }) => name === 'bad')).toEqual([]);
    expect(other.get('bad').stats().traces.queued).toBe(1);
    await expectUnaffected(other, sink, clock);
  });
});

describe('a failing configure', () => {
  it.each<[string, () => unknown]>([
    ['throws', fail],
    ['rejects', reject],
    ['hangs', hang],
    ['answers garbage', () => 'garbage'],
    ['answers a thenable that throws', () => Object.defineProperty({}, 'then', { value: fail })],
    ['answers a thenable that cannot be read', () => unreadable('then')],
  ])('that %s for one tenant leaves it recording, and the others alone', async (_, configure) => {
    const sink = await receiver();
    const clock = new FakeClock();
    const registry = registryOf({
      clock,
      configure: (tenantId) =>
        tenantId === 'bad' ? (configure() as TracerOptions) : { destination: { endpoint: sink.url } },
    });
    await expectUnaffected(registry, sink, clock);
    await clock.advanceAsync(2_000);
    expect(registry.get('bad')).toMatchObject({ state: 'degraded' });
    expect(registry.get('bad').health().errors.configure).toBeGreaterThan(0);
    expect(registry.get('bad').stats().traces.queued).toBe(1);
    await expectUnaffected(registry, sink, clock);
  });

  it('that answers one object for all tenants, and goes on changing it, gives each what it said then', async () => {
    const sinks = [await receiver(), await receiver()];
    const clock = new FakeClock();
    const shared = { destination: { endpoint: '', headers: { 'x-tenant': '' } }, attributes: { owner: '' } };
    const registry = registryOf({
      clock,
      configure: (tenantId) => {
        shared.destination.endpoint = sinks[tenantId === 'a' ? 0 : 1]?.url ?? '';
        shared.destination.headers['x-tenant'] = tenantId;
        shared.attributes.owner = tenantId;
        return shared;
      },
    });
    registry.get('a').startSpan('of a').end();
    registry.get('b').startSpan('of b').end();
    registry.get('a').startSpan('of a').end();
    await resolveWith(clock, registry.flush());
    expect(sinks.map((sink) => sink.spans().map(({ name }) => name))).toEqual([['of a', 'of a'], ['of b']]);
    expect(sinks.map((sink) => sink.requests.map(({ headers }) => headers['x-tenant']))).toEqual([['a'], ['b']]);
  });
});

describe('a failing logger', () => {
  it.each<[string, () => unknown]>([
    ['throws', fail],
    ['rejects', reject],
  ])('that %s is counted, and nothing else', async (_, how) => {
    const logger = { debug: how, info: how, warn: how, error: how } as never;
    const { clock, registry, sink } = await tenants({ sampling: { shouldSample: fail } }, { logger });
    await expectUnaffected(registry, sink, clock);
    await settle();
    expect(registry.health().errors).toMatchObject({ logger: 1, sampler: 1 });
  });
});

describe("the SDK's own parts", () => {
  it('SimpleSpanProcessor and BatchSpanProcessor see our spans, with parents, and are shut down with the tenant', async () => {
    const simple = new InMemorySpanExporter();
    const batch = new InMemorySpanExporter();
    const spanProcessors = [new SimpleSpanProcessor({ exporter: simple }), new BatchSpanProcessor({ exporter: batch })];
    const { clock, registry, bad } = await tenants({ spanProcessors });
    registry.get('bad').withSpan('outer', () => registry.get('bad').withSpan('inner', () => undefined));
    await resolveWith(clock, registry.get('bad').flush());
    for (const exporter of [simple, batch]) {
      const [inner, outer] = exporter.getFinishedSpans();
      expect([inner?.name, outer?.name]).toEqual(['inner', 'outer']);
      expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
    }
    expect(bad().errors).toEqual({});
    await resolveWith(clock, registry.shutdown());
    expect(batch.getFinishedSpans()).toEqual([]);
  });

  it('the OTLP exporter of OpenTelemetry sends our spans as our own delivery does', async () => {
    const theirs = await receiver();
    const exporter = new OTLPTraceExporter({ url: `${theirs.url}/v1/traces` });
    const { clock, registry, sink, bad } = await tenants({ exporter });
    registry.get('bad').withSpan('work', { attributes: { list: ['a', 'b'], count: 3 } }, (span) => {
      span.addEvent('noted', { a: 1 });
      span.addLink({
        context: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 },
        attributes: { b: 2 },
      });
    });
    await resolveWith(clock, registry.get('bad').flush());
    const [own] = sink.spans();
    expect(theirs.spans()).toEqual([own]);
    expect(own).toMatchObject({ name: 'work', attributes: { list: ['a', 'b'], count: 3 } });
    expect(bad().errors).toEqual({});
  });
});
