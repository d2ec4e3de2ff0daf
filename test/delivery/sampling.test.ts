import {
  type Attributes,
  context as contextApi,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace as traceApi,
} from '@opentelemetry/api';
import {
  BatchSpanProcessor,
  InMemorySpanExporter,
  type ReadableSpan,
  SamplingDecision,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConfigureAnswer, RegistryOptions, Tracer, TracerOptions, TracerRegistry } from '../../src/index.ts';
import { isInRatio } from '../../src/processing/sampling.ts';
import { deferred, expectBalance, registryOf, resolveWith } from '../core/registry-kit.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';
import { receiverWith } from './delivery-kit.ts';

const ERROR = { code: SpanStatusCode.ERROR };
const UNSAMPLED = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00' };
const SAMPLED_FLAG = 1;

/** A registry with a fake clock, whose tenants' spans go to a receiver each. */
async function tenants(
  options: Readonly<Record<string, TracerOptions>>,
  registryOptions: RegistryOptions<Tracer> = {},
  configure: (tenantId: string, own: TracerOptions) => ReturnType<NonNullable<RegistryOptions['configure']>> = (
    _,
    own,
  ) => own,
) {
  const clock = new FakeClock();
  const receivers = new Map<string, OtlpReceiver>();
  for (const id of Object.keys(options)) receivers.set(id, await receiverWith());
  const registry = registryOf({
    clock,
    ...registryOptions,
    configure: (id) => configure(id, { destination: { endpoint: receivers.get(id)?.url ?? '' }, ...options[id] }),
  });
  return {
    clock,
    registry,
    flush: () => resolveWith(clock, registry.flush()),
    /** Names of what a tenant's receiver has, sorted. */
    exported: (id: string) =>
      spansOf(receivers.get(id))
        .map(({ name }) => name)
        .sort(),
    spans: (id: string) => spansOf(receivers.get(id)),
  };
}

function spansOf(receiver: OtlpReceiver | undefined) {
  return receiver?.spans() ?? [];
}

/** One tenant whose head turns every trace away unless told otherwise. */
async function tenant(options: TracerOptions, registryOptions?: RegistryOptions<Tracer>) {
  const world = await tenants({ acme: options }, registryOptions);
  const tracer = world.registry.get('acme');
  return { ...world, tracer, names: () => world.exported('acme'), traces: () => tracer.stats().traces };
}

function child(tracer: Tracer, parent: Span, name: string, attributes: Attributes = {}): Span {
  return tracer.startSpan(name, { attributes }, traceApi.setSpan(ROOT_CONTEXT, parent));
}

/** A trace of three spans, one below the other, that all end. */
function workThrough(tracer: Tracer, name: string, fails?: 'deep' | 'root', meanwhile = (): void => {}): void {
  const root = tracer.startSpan(name);
  const middle = child(tracer, root, `${name} middle`);
  const deep = child(tracer, middle, `${name} deep`);
  meanwhile();
  if (fails === 'deep') deep.setStatus(ERROR);
  if (fails === 'root') root.setStatus(ERROR);
  for (const span of [deep, middle, root]) span.end();
}

const all = (name: string): string[] => [name, `${name} deep`, `${name} middle`];

describe('keepErrors', () => {
  it('keeps traces with a span that failed whole, wherever it is, and no others', async () => {
    const { flush, names, tracer, traces } = await tenant({ sampling: { ratio: 0, keepErrors: true } });
    workThrough(tracer, 'good');
    workThrough(tracer, 'bad', 'root');
    workThrough(tracer, 'deeply bad', 'deep');
    expect(traces()).toMatchObject({ created: 9, queued: 6, dropped: { sampled: 3 } });
    expect((await flush()).ok).toBe(true);
    expect(names()).toEqual([...all('bad'), ...all('deeply bad')]);
    expect(traces()).toEqual({ created: 9, exported: 6, queued: 0, spooled: 0, dropped: { sampled: 3 } });
  });

  it('does not take a recorded exception for an error, nor an error that was taken back', async () => {
    const { flush, names, tracer } = await tenant({ sampling: { ratio: 0, keepErrors: true } });
    const root = tracer.startSpan('exception');
    root.recordException(new Error('handled'));
    root.end();
    const other = tracer.startSpan('taken back').setStatus(ERROR).setStatus({ code: SpanStatusCode.OK });
    other.end();
    await flush();
    expect(names()).toEqual([]);
  });

  it('keeps what a span that throws under withSpan belongs to', async () => {
    const { flush, names, tracer } = await tenant({ sampling: { ratio: 0, keepErrors: true } });
    const fail = (): never => {
      throw new Error('broken');
    };
    expect(() => tracer.withSpan('outer', () => tracer.withSpan('inner', fail))).toThrow('broken');
    tracer.withSpan('good', () => tracer.withSpan('good inner', () => {}));
    await flush();
    expect(names()).toEqual(['inner', 'outer']);
  });

  it('exports as sampled what the host saw, and propagated, as not sampled', async () => {
    const exporter = new InMemorySpanExporter();
    const { flush, spans, tracer } = await tenant({ exporter, sampling: { ratio: 0, keepErrors: true } });
    const root = tracer.startSpan('root');
    const inRoot = traceApi.setSpan(ROOT_CONTEXT, root);
    const { traceparent } = contextApi.with(inRoot, () => tracer.inject<Record<string, string>>({}));
    child(tracer, root, 'child').end();
    root.setStatus(ERROR).end();
    await flush();
    expect(traceparent).toMatch(/-02$/);
    expect(root.spanContext().traceFlags & SAMPLED_FLAG).toBe(0);
    expect(spans('acme').map(({ flags }) => flags & 0xff)).toEqual([3, 3]);
    const finished = exporter.getFinishedSpans();
    expect(finished.map((span) => [span.name, span.spanContext().traceFlags])).toEqual([
      ['child', 3],
      ['root', 3],
    ]);
    expect(finished[1]).toMatchObject({ status: ERROR, ended: true, duration: [0, 0] });
    expect(finished[1]?.spanContext().spanId).toBe(root.spanContext().spanId);
  });

  it('redacts what it keeps, and sends it to every destination', async () => {
    const second = await receiverWith();
    const first = await receiverWith();
    const { flush, tracer, traces } = await tenant({
      redact: true,
      sampling: { ratio: 0, keepErrors: true },
      destination: [{ endpoint: first.url }, { endpoint: second.url, protocol: 'http/json' }],
    });
    const root = tracer.startSpan('root');
    child(tracer, root, 'child', { password: 'hunter2' }).end();
    root.setStatus(ERROR).end();
    workThrough(tracer, 'good');
    await flush();
    for (const receiver of [first, second]) {
      expect(receiver.spans().map(({ name, flags }) => [name, flags & 0xff])).toEqual([
        ['child', 3],
        ['root', 3],
      ]);
      expect(receiver.spans()[0]?.attributes).toEqual({ password: '[REDACTED]' });
    }
    expect(traces()).toMatchObject({ created: 7, exported: 4, dropped: { sampled: 3 } });
  });
});

describe('keepSlowerThanMillis', () => {
  it('keeps traces whose local root lasts at least so long', async () => {
    const { clock, flush, names, tracer, traces } = await tenant({ sampling: { ratio: 0, keepSlowerThanMillis: 100 } });
    workThrough(tracer, 'fast', undefined, () => clock.advance(99));
    workThrough(tracer, 'slow', undefined, () => clock.advance(100));
    workThrough(tracer, 'fast error', 'deep', () => clock.advance(5));
    await flush();
    expect(names()).toEqual(all('slow'));
    expect(traces()).toMatchObject({ created: 9, exported: 3, dropped: { sampled: 6 } });
  });

  it('goes by the times that the host gives', async () => {
    const { clock, flush, names, tracer } = await tenant({ sampling: { ratio: 0, keepSlowerThanMillis: 100 } });
    for (const [name, millis] of [
      ['import of a fast one', 99],
      ['import of a slow one', 100],
    ] as const) {
      const startTime = clock.now() - 1_000_000;
      const root = tracer.startSpan(name, { startTime });
      child(tracer, root, `${name}: child`).end();
      root.end(startTime + millis);
    }
    await flush();
    expect(names()).toEqual(['import of a slow one', 'import of a slow one: child']);
  });

  it('of 0 keeps every trace', async () => {
    const { flush, names, tracer } = await tenant({ sampling: { ratio: 0, keepSlowerThanMillis: 0 } });
    workThrough(tracer, 'work');
    await flush();
    expect(names()).toEqual(all('work'));
  });
});

describe('the rules together', () => {
  it('keep for each of several interleaved tenants what its own rules say', async () => {
    const { clock, exported, flush, registry } = await tenants({
      all: {},
      errors: { sampling: { ratio: 0, keepErrors: true } },
      slow: { sampling: { ratio: 0, keepSlowerThanMillis: 50 } },
      both: { sampling: { ratio: 0, keepErrors: true, keepSlowerThanMillis: 50 } },
      none: { sampling: { ratio: 0 } },
    });
    const ids = ['all', 'errors', 'slow', 'both', 'none'];
    const within = (index: number, name: string, fails: boolean): void => {
      const tracer = registry.get(ids[index] ?? '');
      if (index === ids.length) {
        if (name === 'slow') clock.advance(50);
        return;
      }
      tracer.withSpan(name, () => {
        tracer.withSpan(`${name} child`, (span) => {
          within(index + 1, name, fails);
          if (fails) span.setStatus(ERROR);
        });
      });
    };
    within(0, 'good', false);
    within(0, 'bad', true);
    within(0, 'slow', false);
    await flush();
    const trace = (name: string): string[] => [name, `${name} child`];
    expect(exported('all')).toEqual([...trace('bad'), ...trace('good'), ...trace('slow')]);
    expect(exported('errors')).toEqual(trace('bad'));
    expect(exported('slow')).toEqual(trace('slow'));
    expect(exported('both')).toEqual([...trace('bad'), ...trace('slow')]);
    expect(exported('none')).toEqual([]);
    for (const id of ids) {
      expect(registry.get(id).stats().traces.created).toBe(6);
      expectBalance(registry.get(id).stats().traces);
    }
  });

  it('make an exception of what a remote parent does not want recorded', async () => {
    const { exported, flush, registry } = await tenants({
      plain: {},
      errors: { sampling: { keepErrors: true } },
    });
    for (const id of ['plain', 'errors']) {
      const tracer = registry.get(id);
      tracer.continueFrom(UNSAMPLED, () => workThrough(tracer, 'good'));
      tracer.continueFrom(UNSAMPLED, () => workThrough(tracer, 'bad', 'deep'));
    }
    await flush();
    expect(exported('plain')).toEqual([]);
    expect(exported('errors')).toEqual(all('bad'));
  });

  it('hold back no span of a trace that is recorded anyway', async () => {
    const { flush, names, tracer, traces } = await tenant({
      sampling: { ratio: 1, keepErrors: true },
      limits: { maxQueueSize: 10 },
    });
    const root = tracer.startSpan('root');
    child(tracer, root, 'child').end();
    await flush();
    expect(names()).toEqual(['child']);
    expect(root.spanContext().traceFlags & SAMPLED_FLAG).toBe(1);
    root.end();
    await flush();
    expect(traces()).toMatchObject({ created: 2, exported: 2, dropped: {} });
  });

  it('show span processors every span, with its flag off', async () => {
    const seen: string[] = [];
    const simple = new InMemorySpanExporter();
    const batched = new InMemorySpanExporter();
    const { flush, names, tracer } = await tenant({
      sampling: { ratio: 0, keepErrors: true },
      spanProcessors: [
        {
          onStart: (span) => void seen.push(`start ${span.name} ${span.spanContext().traceFlags & SAMPLED_FLAG}`),
          onEnd: (span: ReadableSpan) => {
            seen.push(`end ${span.name} ${span.spanContext().traceFlags & SAMPLED_FLAG}`);
            // What a processor leaves is what counts.
            if (span.attributes['http.status'] === 500) (span as { status: unknown }).status = ERROR;
          },
          forceFlush: async () => {},
          shutdown: async () => {},
        },
        new SimpleSpanProcessor({ exporter: simple }),
        new BatchSpanProcessor({ exporter: batched }),
      ],
    });
    tracer.startSpan('good').end();
    tracer.startSpan('bad', { attributes: { 'http.status': 500 } }).end();
    await flush();
    expect(seen).toEqual(['start good 0', 'end good 0', 'start bad 0', 'end bad 0']);
    expect([...simple.getFinishedSpans(), ...batched.getFinishedSpans()]).toEqual([]);
    expect(names()).toEqual(['bad']);
  });

  it('do not apply to an OpenTelemetry sampler', async () => {
    const sampler = { shouldSample: () => ({ decision: SamplingDecision.NOT_RECORD }), toString: () => 'none' };
    const world = await tenants({ acme: { sampling: sampler } }, { sampling: { keepErrors: true } });
    workThrough(world.registry.get('acme'), 'bad', 'root');
    await world.flush();
    expect(world.exported('acme')).toEqual([]);
  });
});

describe('spans that end after their local root', () => {
  it('follow what was decided, also those that start later', async () => {
    const { flush, names, tracer, traces } = await tenant({ sampling: { ratio: 0, keepErrors: true } });
    for (const name of ['good', 'bad']) {
      const root = tracer.startSpan(name);
      const late = child(tracer, root, `${name} late`);
      if (name === 'bad') root.setStatus(ERROR);
      root.end();
      child(tracer, root, `${name} later`).setStatus(ERROR).end();
      late.setStatus(ERROR).end();
      child(tracer, late, `${name} below`).end();
    }
    await flush();
    expect(names()).toEqual(['bad', 'bad below', 'bad late', 'bad later']);
    expect(traces()).toMatchObject({ created: 8, exported: 4, dropped: { sampled: 4 } });
  });

  it('of a trace that an error decided early are exported without waiting', async () => {
    const { flush, names, tracer, traces } = await tenant({ sampling: { ratio: 0, keepErrors: true } });
    const root = tracer.startSpan('root');
    child(tracer, root, 'before').end();
    expect(traces()).toMatchObject({ created: 1, queued: 1 });
    child(tracer, root, 'error').setStatus(ERROR).end();
    child(tracer, root, 'after').end();
    await flush();
    expect(names()).toEqual(['after', 'before', 'error']);
    root.end();
    await flush();
    expect(names()).toEqual(['after', 'before', 'error', 'root']);
    expect(traces()).toMatchObject({ created: 4, exported: 4, dropped: {} });
  });
});

describe('a trace that is not decided', () => {
  it('stays so at a flush, which counts nothing of it as pending', async () => {
    const { flush, names, registry, tracer, traces } = await tenant({ sampling: { ratio: 0, keepErrors: true } });
    const root = tracer.startSpan('root');
    child(tracer, root, 'child').end();
    expect(await flush()).toMatchObject({ ok: true, pending: 0, delivered: 0 });
    expect(traces()).toMatchObject({ created: 1, queued: 1, dropped: {} });
    expect(registry.stats().bytes).toBeGreaterThan(400);
    root.setStatus(ERROR).end();
    expect(await flush()).toMatchObject({ ok: true, pending: 0, delivered: 2 });
    expect(names()).toEqual(['child', 'root']);
    expect(registry.stats().bytes).toBe(0);
  });

  it('gives way, the one that waited longest first, when too many spans wait', async () => {
    const { flush, names, tracer, traces } = await tenant({
      sampling: { ratio: 0, keepErrors: true },
      limits: { maxQueueSize: 4 },
    });
    const roots = ['a', 'b', 'c'].map((name) => tracer.startSpan(name));
    for (const round of [1, 2]) {
      for (const [index, root] of roots.entries()) child(tracer, root, `${'abc'[index]} ${round}`).end();
    }
    // The fifth that waited pushed out the two of a.
    expect(traces()).toMatchObject({ created: 6, queued: 4, dropped: { sampled: 2 } });
    for (const root of roots) root.setStatus(ERROR).end();
    await flush();
    expect(names()).toEqual(['b', 'b 1', 'b 2', 'c', 'c 1', 'c 2']);
    expect(traces()).toEqual({ created: 9, exported: 6, queued: 0, spooled: 0, dropped: { sampled: 3 } });
  });

  it('whose root never ends holds no more than the bound, and starts to cost nothing', async () => {
    const { clock, registry, tracer, traces } = await tenant({
      sampling: { ratio: 0, keepErrors: true },
      limits: { maxQueueBytes: 20_000 },
    });
    const root = tracer.startSpan('for ever');
    for (let index = 0; index < 1_000; index += 1) {
      clock.advance(1_000);
      child(tracer, root, 'step').end();
      expect(registry.stats().bytes).toBeLessThanOrEqual(20_000);
    }
    expect(traces()).toMatchObject({ created: 1_000, queued: 0, dropped: { sampled: 1_000 } });
    expect(child(tracer, root, 'late').isRecording()).toBe(false);
  });

  it('is kept at the bound when it has lasted long enough', async () => {
    const { clock, flush, names, tracer, traces } = await tenant({
      sampling: { ratio: 0, keepSlowerThanMillis: 100 },
      limits: { maxQueueSize: 2 },
    });
    const root = tracer.startSpan('root');
    clock.advance(100);
    for (const name of ['a', 'b', 'c']) child(tracer, root, name).end();
    await flush();
    expect(names()).toEqual(['a', 'b', 'c']);
    expect(traces()).toMatchObject({ created: 3, exported: 3, dropped: {} });
  });

  it('takes only itself along with a span that is larger than all that may wait', async () => {
    const { flush, names, tracer, traces } = await tenant({
      sampling: { ratio: 0, keepErrors: true },
      limits: { maxQueueBytes: 5_000 },
    });
    const [first, second] = [tracer.startSpan('first'), tracer.startSpan('second')];
    child(tracer, first, 'small').end();
    child(tracer, second, 'large', { text: 'x'.repeat(6_000) }).end();
    for (const root of [second, first]) root.setStatus(ERROR).end();
    await flush();
    expect(names()).toEqual(['first', 'small']);
    expect(traces()).toMatchObject({ created: 4, dropped: { sampled: 2 } });
  });

  it('makes room for other tenants when the memory of all is used up', async () => {
    const sampling = { ratio: 0, keepErrors: true };
    const { exported, flush, registry } = await tenants(
      { large: { sampling }, small: { sampling } },
      { maxTotalBytes: 100_000 },
    );
    const [large, small] = [registry.get('large'), registry.get('small')];
    const roots = Array.from({ length: 40 }, () => large.startSpan('root'));
    for (const root of roots) child(large, root, 'child', { text: 'x'.repeat(2_000) }).end();
    const root = small.startSpan('root');
    child(small, root, 'child', { text: 'x'.repeat(2_000) }).end();
    expect(registry.stats().bytes).toBeLessThanOrEqual(100_000);
    expect(small.stats().traces).toMatchObject({ queued: 1, dropped: {} });
    root.setStatus(ERROR).end();
    for (const other of roots) other.setStatus(ERROR).end();
    await flush();
    expect(exported('small')).toEqual(['child', 'root']);
    const { created, dropped, exported: count } = large.stats().traces;
    expect(created).toBe(80);
    expect(count).toBe(exported('large').length);
    expect(count).toBe(80 - (dropped.sampled ?? 0));
    // The newest traces are whole.
    expect(exported('large').filter((name) => name === 'child').length).toBe(count / 2);
    expectBalance(registry.stats().traces);
    expect(registry.stats().bytes).toBe(0);
  });

  it('is decided at shutdown by what is known: kept when it lasted long enough', async () => {
    const { clock, names, registry, tracer, traces } = await tenant({
      sampling: { ratio: 0, keepErrors: true, keepSlowerThanMillis: 100 },
    });
    const slow = tracer.startSpan('slow');
    child(tracer, slow, 'slow child').end();
    clock.advance(100);
    const fast = tracer.startSpan('fast');
    child(tracer, fast, 'fast child').end();
    const report = await resolveWith(clock, registry.shutdown());
    expect(report).toMatchObject({ ok: true, delivered: 1, pending: 0, dropped: { sampled: 1 } });
    expect(names()).toEqual(['slow child']);
    for (const span of [slow, fast]) span.setStatus(ERROR).end();
    expect(traces()).toMatchObject({
      created: 4,
      exported: 1,
      queued: 0,
      dropped: { sampled: 1, shutdown_deadline: 2 },
    });
  });

  it('is decided by its root while an evicted tenant drains, or when the grace is over', async () => {
    const { clock, flush, names, registry, tracer, traces } = await tenant({
      sampling: { ratio: 0, keepErrors: true },
    });
    const [ends, stays] = [tracer.startSpan('ends'), tracer.startSpan('stays')];
    for (const root of [ends, stays]) child(tracer, root, 'child').end();
    registry.delete('acme');
    ends.setStatus(ERROR).end();
    await clock.advanceAsync(1_000);
    expect(traces()).toMatchObject({ created: 3, queued: 1 });
    await clock.advanceAsync(60_000);
    expect(tracer.state).toBe('dormant');
    expect(traces()).toMatchObject({ created: 3, exported: 2, queued: 0, dropped: { sampled: 1 } });
    expect(registry.stats().bytes).toBe(0);
    // The late root follows what was decided.
    stays.setStatus(ERROR).end();
    await flush();
    expect(names()).toEqual(['child', 'ends']);
    expect(traces()).toMatchObject({ created: 4, exported: 2, queued: 0, dropped: { sampled: 2 } });
  });
});

describe('a change of the rules', () => {
  it('to no tenant at all decides open traces by what is known, and delivers what is kept', async () => {
    const answers: (boolean | undefined)[] = [true];
    const world = await tenants({ acme: {} }, {}, (_, own) => (answers.shift() ? { ...own, sampling } : undefined));
    const sampling = { ratio: 0, keepSlowerThanMillis: 100 };
    const { clock, exported, registry } = world;
    const tracer = registry.get('acme');
    const slow = tracer.startSpan('slow');
    child(tracer, slow, 'slow child').end();
    clock.advance(100);
    const fast = tracer.startSpan('fast');
    child(tracer, fast, 'fast child').end();
    expect(await registry.reconfigure('acme')).toBe('unknown');
    expect(tracer.stats().traces).toMatchObject({ created: 2, queued: 1, dropped: { sampled: 1 } });
    for (const root of [fast, slow]) root.end();
    await clock.advanceAsync(1_000);
    await resolveWith(clock, registry.shutdown());
    expect(exported('acme')).toEqual(['slow child']);
    expect(tracer.stats().traces).toMatchObject({ created: 4, exported: 1, queued: 0 });
    expectBalance(tracer.stats().traces);
  });

  it('is in force for new traces at once, and not for those that are open', async () => {
    const answers: TracerOptions['sampling'][] = [
      { ratio: 0, keepErrors: true },
      { ratio: 0 },
      { ratio: 0, keepErrors: true },
      { shouldSample: () => ({ decision: SamplingDecision.RECORD_AND_SAMPLED }), toString: () => 'all' },
    ];
    const world = await tenants({ acme: {} }, {}, (_, own) => ({ ...own, sampling: answers.shift() }));
    const { flush, exported, registry } = world;
    const tracer = registry.get('acme');
    const first = tracer.startSpan('first');
    child(tracer, first, 'first before').end();
    expect(await registry.reconfigure('acme')).toBe('changed');
    const second = tracer.startSpan('second');
    expect(await registry.reconfigure('acme')).toBe('changed');
    expect(await registry.reconfigure('acme')).toBe('changed');
    child(tracer, first, 'first after').end();
    first.setStatus(ERROR).end();
    second.setStatus(ERROR).end();
    tracer.startSpan('third').end();
    await flush();
    expect(exported('acme')).toEqual(['first', 'first after', 'first before', 'third']);
    const good = tracer.startSpan('fourth');
    expect(good.spanContext().traceFlags & SAMPLED_FLAG).toBe(1);
    good.end();
    expectBalance(tracer.stats().traces);
  });
});

describe('spansPerSecond', () => {
  it('keeps whole traces, and about so many spans a second in the long run', async () => {
    const { clock, flush, names, registry, tracer, traces } = await tenant({
      sampling: { spansPerSecond: 10 },
      // Nothing is under way while time flies.
      batch: { delayMillis: 3_600_000, maxSize: 2_000 },
    });
    for (let step = 0; step < 1_000; step += 1) {
      workThrough(tracer, `${step}`);
      clock.advance(100);
    }
    await flush();
    const kept = names();
    expect(kept.length % 3).toBe(0);
    expect(new Set(kept.map((name) => Number.parseInt(name, 10))).size).toBe(kept.length / 3);
    // 100 seconds, and what a full bucket lets through at once.
    expect(kept.length).toBeGreaterThanOrEqual(995);
    expect(kept.length).toBeLessThanOrEqual(1_015);
    expect(traces()).toEqual({
      created: 3_000,
      exported: kept.length,
      queued: 0,
      spooled: 0,
      dropped: { sampled: 3_000 - kept.length },
    });
    expect(registry.health().ok).toBe(true);
  });

  it('turns away nothing that a remote parent wants recorded, which counts', async () => {
    const { flush, names, tracer } = await tenant({ sampling: { spansPerSecond: 2 } });
    const remote = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' };
    for (const name of ['a', 'b', 'c']) tracer.continueFrom(remote, () => tracer.startSpan(name).end());
    tracer.startSpan('own').end();
    await flush();
    expect(names()).toEqual(['a', 'b', 'c']);
  });

  it('counts what tail rules keep beyond it', async () => {
    const { clock, flush, names, tracer } = await tenant({ sampling: { spansPerSecond: 3, keepErrors: true } });
    workThrough(tracer, 'first');
    workThrough(tracer, 'second');
    workThrough(tracer, 'error', 'deep');
    clock.advance(1_000);
    workThrough(tracer, 'owed');
    clock.advance(1_000);
    workThrough(tracer, 'later');
    await flush();
    expect(names()).toEqual([...all('error'), ...all('first'), ...all('later')]);
  });

  it('is not filled up again by a change of other options', async () => {
    let changes = 0;
    const configure = (_: string, own: TracerOptions): TracerOptions => {
      changes += 1;
      return { ...own, attributes: { changes }, sampling: { spansPerSecond: changes > 2 ? 2 : 1 } };
    };
    const { exported, flush, registry } = await tenants({ acme: {} }, {}, configure);
    const tracer = registry.get('acme');
    for (const name of ['a', 'b', 'c']) {
      tracer.startSpan(name).end();
      expect(await registry.reconfigure('acme')).toBe('changed');
    }
    await flush();
    expect(exported('acme')).toEqual(['a', 'c']);
  });
});

describe('traces that began before the configuration came', () => {
  async function pending(own: TracerOptions) {
    const answer = deferred<ConfigureAnswer>();
    let complete: TracerOptions = {};
    const world = await tenants({ acme: own }, {}, (_, options) => {
      complete = options;
      return answer.promise;
    });
    const tracer = world.registry.get('acme');
    expect(tracer.state).toBe('pending');
    const configure = async (): Promise<void> => {
      answer.resolve(complete);
      await settle();
      expect(tracer.state).toBe('active');
    };
    return { ...world, tracer, configure, names: () => world.exported('acme'), traces: () => tracer.stats().traces };
  }

  it('meet its tail rules, whether they have ended or not', async () => {
    const { clock, configure, flush, names, tracer, traces } = await pending({
      sampling: { ratio: 0, keepErrors: true, keepSlowerThanMillis: 100 },
    });
    workThrough(tracer, 'good');
    workThrough(tracer, 'bad', 'deep');
    workThrough(tracer, 'slow', undefined, () => clock.advance(100));
    const open = ['open good', 'open bad'].map((name) => tracer.startSpan(name));
    for (const root of open) child(tracer, root, 'child').end();
    expect(traces()).toMatchObject({ created: 11, queued: 11 });
    await configure();
    expect(traces()).toMatchObject({ created: 11, queued: 8, dropped: { sampled: 3 } });
    for (const root of open) child(tracer, root, 'child after').end();
    open[1]?.setStatus(ERROR);
    for (const root of open) root.end();
    await flush();
    expect(names()).toEqual([...all('bad'), 'child', 'child after', 'open bad', ...all('slow')]);
    expect(traces()).toEqual({ created: 15, exported: 9, queued: 0, spooled: 0, dropped: { sampled: 6 } });
  });

  it('meet its rate, whole', async () => {
    const { configure, flush, names, tracer } = await pending({ sampling: { spansPerSecond: 2 } });
    workThrough(tracer, 'first');
    workThrough(tracer, 'second');
    await configure();
    await flush();
    expect(names()).toEqual(all('first'));
  });

  it('take one token of it for each span', async () => {
    const { configure, flush, names, tracer } = await pending({ sampling: { spansPerSecond: 3 } });
    for (const name of ['a', 'b', 'c', 'd']) tracer.startSpan(name).end();
    await configure();
    await flush();
    expect(names()).toEqual(['a', 'b', 'c']);
  });

  it('are not kept for an error that came after their local root', async () => {
    const { configure, flush, names, tracer } = await pending({ sampling: { ratio: 0, keepErrors: true } });
    const root = tracer.startSpan('root');
    const late = child(tracer, root, 'late');
    root.end();
    late.setStatus(ERROR).end();
    await configure();
    await flush();
    expect(names()).toEqual([]);
  });

  it('are judged by the tail rules when a remote parent does not want them', async () => {
    const { configure, flush, names, spans, tracer } = await pending({ sampling: { keepErrors: true } });
    tracer.continueFrom(UNSAMPLED, () => workThrough(tracer, 'good'));
    tracer.continueFrom(UNSAMPLED, () => {
      const root = tracer.startSpan('bad');
      expect(root.spanContext().traceFlags).toBe(0);
      root.setStatus(ERROR).end();
    });
    await configure();
    await flush();
    expect(names()).toEqual(['bad']);
    expect(spans('acme')[0]?.flags).toBe(0x301);
  });

  it('that its sampler wants recorded only are shown to processors and not exported', async () => {
    const ended: string[] = [];
    const { configure, flush, names, tracer, traces } = await pending({
      spanProcessors: [
        {
          onStart: () => {},
          onEnd: ({ name }: ReadableSpan) => void ended.push(name),
          forceFlush: async () => {},
          shutdown: async () => {},
        },
      ],
      sampling: { shouldSample: () => ({ decision: SamplingDecision.RECORD }), toString: () => 'record' },
    });
    workThrough(tracer, 'work');
    await configure();
    await flush();
    expect(ended.sort()).toEqual(all('work'));
    expect(names()).toEqual([]);
    expect(traces()).toMatchObject({ created: 3, queued: 0, dropped: { sampled: 3 } });
  });

  it('are shown to its sampler, root by root, and follow its answer', async () => {
    const asked: unknown[][] = [];
    const processed = new InMemorySpanExporter();
    const { configure, flush, names, tracer, traces } = await pending({
      spanProcessors: [new SimpleSpanProcessor({ exporter: processed })],
      sampling: {
        shouldSample: (context, traceId, name, _kind, attributes) => {
          const remote = traceApi.getSpanContext(context)?.traceId === traceId;
          asked.push([name, attributes, remote]);
          const wanted = attributes['tier'] === 'gold';
          const attributesToo = { 'sampler.rule': 'tier' };
          return wanted
            ? { decision: SamplingDecision.RECORD_AND_SAMPLED, attributes: attributesToo }
            : { decision: SamplingDecision.NOT_RECORD };
        },
        toString: () => 'by tier',
      },
    });
    for (const tier of ['gold', 'free']) {
      const root = tracer.startSpan(tier, { attributes: { tier } });
      child(tracer, root, `${tier} child`).end();
      root.end();
    }
    const open = tracer.continueFrom(UNSAMPLED, () => tracer.startSpan('open', { attributes: { tier: 'gold' } }));
    expect(asked).toEqual([]);
    await configure();
    child(tracer, open, 'open child').end();
    open.end();
    await flush();
    expect(asked).toEqual([
      ['gold', { tier: 'gold' }, false],
      ['free', { tier: 'free' }, false],
      ['open', { tier: 'gold' }, true],
    ]);
    expect(names()).toEqual(['gold', 'gold child', 'open', 'open child']);
    expect(processed.getFinishedSpans().map(({ attributes, name }) => [name, attributes['sampler.rule']])).toEqual([
      ['gold child', undefined],
      ['gold', 'tier'],
    ]);
    expect(traces()).toMatchObject({ created: 6, exported: 4, dropped: { sampled: 2 } });
  });
});

interface Step {
  readonly kind: 'root' | 'remote' | 'child' | 'end' | 'wait';
  readonly pick: number;
  readonly fails: boolean;
}

interface Known {
  readonly span: Span;
  readonly name: string;
  readonly trace: { endsAt?: number; readonly startsAt: number; failed: boolean; kept: boolean };
  exported: boolean | 'with its trace';
}

const RATIO = 0.3;
const SLOW_MILLIS = 40;

/** Whatever happens, in any order: what the rules say of each local trace, and what then left the process. */
async function runTrees(world: World, tenantId: string, steps: readonly Step[], configureAt: number): Promise<void> {
  const { clock, configure, registry } = world;
  const tracer = registry.get(tenantId);
  const known: Known[] = [];
  const open: Known[] = [];
  const end = (entry: Known | undefined, fails: boolean): void => {
    if (entry === undefined) return;
    open.splice(open.indexOf(entry), 1);
    const { span, trace } = entry;
    const isRoot = known.find((other) => other.trace === trace) === entry;
    if (fails) span.setStatus(ERROR);
    if (fails && trace.endsAt === undefined && span.isRecording()) trace.failed = true;
    if (isRoot) {
      trace.endsAt = clock.now();
      trace.kept ||= trace.failed || trace.endsAt - trace.startsAt >= SLOW_MILLIS;
    }
    span.end();
  };
  const start = (span: Span, trace: Known['trace']): void => {
    const entry: Known = { span, name: `${known.length}`, trace, exported: 'with its trace' };
    known.push(entry);
    open.push(entry);
  };
  for (const [index, { kind, pick, fails }] of steps.entries()) {
    if (index === configureAt) await configure(tenantId);
    if (kind === 'wait') clock.advance(pick % (SLOW_MILLIS + 10));
    else if (kind === 'end') end(open[pick % open.length], fails);
    else if (kind === 'child' && known.length > 0) {
      const parent = known[pick % known.length] as Known;
      start(child(tracer, parent.span, `${known.length}`), parent.trace);
    } else {
      const isRemote = kind === 'remote';
      const name = `${known.length}`;
      const span = isRemote ? tracer.continueFrom(UNSAMPLED, () => tracer.startSpan(name)) : tracer.startSpan(name);
      const kept = !isRemote && isInRatio(span.spanContext().traceId, RATIO);
      start(span, { startsAt: clock.now(), failed: false, kept });
    }
  }
  if (configureAt >= steps.length) await configure(tenantId);
  for (const entry of [...open].reverse()) end(entry, false);
  await resolveWith(clock, registry.flush());
  const expected = known.filter(({ trace }) => trace.kept).map(({ name }) => name);
  expect(world.names(tenantId).sort()).toEqual(expected.sort());
  const { traces } = tracer.stats();
  expect(traces).toMatchObject({ created: known.length, exported: expected.length, queued: 0 });
  expectBalance(traces);
}

interface World {
  readonly clock: FakeClock;
  readonly registry: TracerRegistry;
  configure(tenantId: string): Promise<void>;
  names(tenantId: string): string[];
}

it('exports every local trace whole or not at all, as its rules say, in whatever order its spans end', async () => {
  const clock = new FakeClock();
  const receiver = await receiverWith();
  const answers = new Map<string, () => void>();
  const registry = registryOf({
    clock,
    configure: (tenantId) =>
      new Promise((resolve) => {
        const destination = { endpoint: receiver.url, headers: { 'x-tenant': tenantId } };
        const sampling = { ratio: RATIO, keepErrors: true, keepSlowerThanMillis: SLOW_MILLIS };
        answers.set(tenantId, () => resolve({ attributes: { tenant: tenantId }, destination, sampling }));
      }),
  });
  let reported = 0;
  const world: World = {
    clock,
    registry,
    configure: async (tenantId) => {
      answers.get(tenantId)?.();
      await settle();
    },
    names: () => {
      const names = receiver.spans().slice(reported);
      reported = receiver.spans().length;
      return names.map(({ name }) => name);
    },
  };
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom('root', 'remote', 'child', 'child', 'child', 'end', 'end', 'wait'),
    pick: fc.nat({ max: 1_000 }),
    fails: fc.boolean(),
  });
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat({ max: 60 }), async (steps, configureAt) => {
      runs += 1;
      await runTrees(world, `tenant-${runs}`, steps, configureAt % 3 === 0 ? 0 : configureAt);
    }),
    { numRuns: 120 },
  );
});
