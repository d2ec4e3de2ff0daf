import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Attributes, context, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { ConsoleSpanExporter, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Alert, AlertPage, Dashboard, SloStatus } from '../../src/dashboard.ts';
import { type CreateTracerOptions, createTracer, Tracer, TracerRegistry, WithAgents } from '../../src/index.ts';
import { prometheusHandler } from '../../src/prometheus.ts';
import { getJson, openDashboard } from '../dashboard/server/dashboard-kit.ts';
import { receiverWith } from '../delivery/delivery-kit.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type OtlpReceiver, refusedUrl } from '../support/otlp-receiver.ts';

const LOGGER = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** The interfaces of its specification, as docs/migrating/codomyrmex.md maps them. */
function interfacesOf(tracer: Tracer) {
  return {
    startSpan: (name: string, attributes: Attributes = {}, parent?: Span) =>
      tracer.startSpan(name, { attributes }, parent && trace.setSpan(context.active(), parent)),
    traced: (name: string, attributes: Attributes = {}) => tracer.trace({ name, attributes }),
    linkSpan: (span: Span, target: Span) => span.addLink({ context: target.spanContext() }),
    getCurrentSpan: () => tracer.activeSpan(),
    recordException: (span: Span, error: Error) => {
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    },
  };
}

function tracerOf(options: CreateTracerOptions): Tracer {
  const tracer = createTracer({ logger: LOGGER, service: { name: 'codomyrmex' }, ...options });
  onTestFinished(async () => {
    await tracer.shutdown({ timeoutMillis: 0 });
  });
  return tracer;
}

async function tracedBy(options: CreateTracerOptions = {}): Promise<{ receiver: OtlpReceiver; tracer: Tracer }> {
  const receiver = await receiverWith();
  return { receiver, tracer: tracerOf({ destination: { endpoint: receiver.url }, ...options }) };
}

async function shownOn(options: CreateTracerOptions = {}): Promise<{ dashboard: Dashboard; tracer: Tracer }> {
  const dashboard = await openDashboard();
  return { dashboard, tracer: tracerOf({ destination: { endpoint: dashboard.url }, ...options }) };
}

describe("codomyrmex's TraceContext", () => {
  it('starts, nests and links spans that leave the process (C1)', async () => {
    const { receiver, tracer } = await tracedBy();
    const { getCurrentSpan, linkSpan, recordException, startSpan } = interfacesOf(tracer);
    const task = startSpan('task', { kind: 'batch' });
    const step = startSpan('step', {}, task);
    linkSpan(step, task);
    recordException(step, new TypeError('wrong'));
    step.end();
    task.end();
    expect(getCurrentSpan()).toBeUndefined();
    await tracer.flush();
    const [sentStep, sentTask] = receiver.spans();
    expect(sentTask).toMatchObject({ name: 'task', parentSpanId: '', attributes: { kind: 'batch' } });
    expect(sentStep).toMatchObject({
      name: 'step',
      parentSpanId: sentTask?.spanId,
      status: { code: 2, message: 'wrong' },
    });
    // A link, not an event that tells of one.
    expect(sentStep?.links).toMatchObject([{ traceId: sentTask?.traceId, spanId: sentTask?.spanId }]);
    expect(sentStep?.events.map(({ name }) => name)).toEqual(['exception']);
  });

  it('decorates methods of any kind, and records an error once (C1, C2)', async () => {
    const { receiver, tracer } = await tracedBy();
    const { getCurrentSpan, traced } = interfacesOf(tracer);
    const failure = new RangeError('too far');
    class Agent {
      readonly name = 'planner';

      @traced('plan', { 'agent.name': 'planner' })
      async plan(): Promise<string> {
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        getCurrentSpan()?.setAttribute('late', true);
        return this.name;
      }

      @traced('act')
      act(): never {
        throw failure;
      }

      @traced('observe')
      *observe(): Generator<number> {
        yield 1;
        getCurrentSpan()?.setAttribute('second', true);
        yield 2;
      }
    }
    const agent = new Agent();
    expect(await agent.plan()).toBe('planner');
    expect(() => agent.act()).toThrow(failure);
    expect([...agent.observe()]).toEqual([1, 2]);
    await tracer.flush();
    const [plan, act, observe] = receiver.spans();
    expect(plan?.attributes).toEqual({ 'agent.name': 'planner', late: true });
    expect(act?.events).toHaveLength(1);
    expect(act?.status.code).toBe(2);
    expect(observe?.attributes).toEqual({ second: true });
  });

  it('crosses processes by W3C headers, and writes nothing anywhere by itself (C2)', async () => {
    const written = vi.spyOn(process.stdout, 'write');
    onTestFinished(() => {
      written.mockRestore();
    });
    const { receiver, tracer } = await tracedBy();
    const headers = tracer.withSpan('caller', () => tracer.inject<Record<string, string>>({}));
    expect(Object.keys(headers)).toEqual(['traceparent']);
    tracer.continueFrom(headers, () => tracer.startSpan('callee').end());
    await tracer.flush();
    const [caller, callee] = receiver.spans();
    expect(callee).toMatchObject({ name: 'callee', traceId: caller?.traceId, parentSpanId: caller?.spanId });
    expect(written).not.toHaveBeenCalled();
  });

  it('delivers a batch by itself, without another span to push it, and keeps no span it has sent (C3, C4)', async () => {
    const { receiver, tracer } = await tracedBy({ batch: { delayMillis: 20 } });
    tracer.startSpan('only').end();
    await receiver.waitForSpans(1);
    await tracer.flush();
    expect(tracer.stats()).toMatchObject({ open: 0, bytes: 0, traces: { created: 1, exported: 1 } });
  });
});

describe("codomyrmex's exporters", () => {
  it('print, write lines of JSON, and fail each by itself (C5)', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'isotrace-codomyrmex-'));
    const file = path.join(directory, 'spans.jsonl');
    onTestFinished(() => {
      rmSync(directory, { recursive: true });
    });
    const fileExporter: SpanExporter = {
      export: (spans: ReadableSpan[], done) => {
        const lines = spans.map(({ attributes, name }) => `${JSON.stringify({ name, attributes })}\n`);
        appendFile(file, lines.join('')).then(
          () => done({ code: 0 }),
          (error: Error) => done({ code: 1, error }),
        );
      },
      shutdown: async () => {},
    };
    const receiver = await receiverWith();
    const destination = [{ endpoint: await refusedUrl() }, { endpoint: receiver.url }];
    const tracer = tracerOf({ destination, exporter: fileExporter, signals: { metrics: false } });
    tracer.startSpan('written', { attributes: { n: 1 } }).end();
    await tracer.flush({ timeoutMillis: 5_000 });
    expect(receiver.spans().map(({ name }) => name)).toEqual(['written']);
    expect(readFileSync(file, 'utf8')).toBe('{"name":"written","attributes":{"n":1}}\n');

    const printed = vi.spyOn(console, 'dir').mockImplementation(() => {});
    onTestFinished(() => {
      printed.mockRestore();
    });
    const console_ = tracerOf({ exporter: new ConsoleSpanExporter(), signals: { metrics: false } });
    console_.startSpan('printed').end();
    await console_.flush();
    expect(printed.mock.calls[0]?.[0]).toMatchObject({ name: 'printed' });
  });
});

describe("codomyrmex's Metrics", () => {
  it('count, gauge, observe and time, and keep what they know between calls (C6, C14)', async () => {
    const { dashboard, tracer } = await shownOn();
    tracer.metrics.counter('tasks').add(2);
    tracer.metrics.counter('tasks').add(1, {});
    tracer.metrics.gauge('depth').record(42);
    tracer.metrics.gauge('depth').record(42);
    tracer.metrics.histogram('size', { buckets: [10, 100] }).record(50);
    tracer.metrics.timer('phase').time(() => 1, { phase: 'plan' });
    tracer.recordMetric('load', 0.5, { host: 'a' });
    await tracer.flush();
    const latest = async (name: string): Promise<Record<string, unknown> | undefined> => {
      type Page = { points: Record<string, unknown>[] };
      const { value } = await getJson<Page>(dashboard, `/api/v1/metrics/points?query=name:${name}`);
      return value.points[0];
    };
    expect(await latest('tasks')).toMatchObject({ value: 3 });
    expect(await latest('depth')).toMatchObject({ value: 42 });
    expect(await latest('load')).toMatchObject({ value: 0.5, attributes: { host: 'a' } });
    expect(await latest('size')).toMatchObject({ value: 50, histogram: { count: 1 } });
    expect(await latest('phase')).toMatchObject({ histogram: { count: 1 }, attributes: { phase: 'plan' } });
  });

  it('are a page for Prometheus, with types, help, buckets and escapes (C6)', async () => {
    const registry = new TracerRegistry({ logger: LOGGER });
    onTestFinished(async () => {
      await registry.shutdown({ timeoutMillis: 0 });
    });
    const { metrics } = registry.platform;
    metrics.counter('tasks', { description: 'Tasks\nof "all"' }).add(2, { kind: 'a"b\\c' });
    metrics.histogram('size', { buckets: [10, 100] }).record(50);
    const page = await (await prometheusHandler(registry)(new Request('http://localhost/metrics'))).text();
    expect(page).toContain('# TYPE tasks_total counter');
    expect(page).toContain('# HELP tasks_total Tasks\\nof "all"');
    expect(page).toMatch(/tasks_total\{.*kind="a\\"b\\\\c".*\} 2\n/);
    expect(page).toMatch(/size_bucket\{.*le="10".*\} 0\n/);
    expect(page).toMatch(/size_bucket\{.*le="\+Inf".*\} 1\n/);
  });
});

describe("codomyrmex's Dashboard", () => {
  it('serves, registers views, and shows at once what came in (C7)', async () => {
    const { dashboard, tracer } = await shownOn();
    dashboard.registerView('load', 'line');
    dashboard.registerView('load', 'heatmap');
    const live = await fetch(`${dashboard.url}/api/v1/live`);
    const reader = (live.body as ReadableStream<Uint8Array>).getReader();
    onTestFinished(() => reader.cancel());
    let told = '';
    const untilTold = async (text: string): Promise<void> => {
      while (!told.includes(text)) {
        const { done, value } = await reader.read();
        if (done) throw new Error('the stream ended');
        told += Buffer.from(value).toString();
      }
    };
    await untilTold('event: update');
    const { traceId } = tracer.withSpan('task', (span) => span.spanContext());
    tracer.recordMetric('load', 0.5);
    await tracer.flush();
    await dashboard.update();
    await untilTold(traceId);
    expect((await getJson(dashboard, '/api/v1/views')).value).toMatchObject({
      views: [{ metric: 'load', chart: 'heatmap' }],
    });
    expect(await (await fetch(dashboard.url)).text()).toContain('<!doctype html>');
  });

  it('alerts once, and says when it is over (C8); keeps a budget of errors over a window (C9)', async () => {
    const clock = new FakeClock();
    const told: string[] = [];
    const dashboard = await openDashboard({
      clock,
      alertIntervalMillis: 10_000,
      alertHandlers: [({ rule, state }: Alert) => void told.push(`${rule} ${state}`)],
    });
    dashboard.registerAlert({ name: 'failing', when: { figure: 'errorRate', above: 0.5 }, windowMillis: 60_000 });
    dashboard.registerSlo({ name: 'works', indicator: 'availability', target: 0.5, windowMillis: 3_600_000 });
    const tracer = tracerOf({ clock, destination: { endpoint: dashboard.url }, signals: { metrics: false } });
    const serve = async (good: number, bad: number): Promise<void> => {
      for (let index = 0; index < good + bad; index += 1) {
        const span = tracer.startSpan('work', { kind: 1 });
        if (index >= good) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      }
      await tracer.flush();
    };
    const look = async (): Promise<void> => {
      await clock.advanceAsync(10_000);
      // What a rule asks of the store takes some turns; an answer of the dashboard comes after them.
      for (let turn = 0; turn < 2; turn += 1) await getJson<AlertPage>(dashboard, '/api/v1/alerts');
    };
    await serve(1, 3);
    await look();
    await look();
    expect(told).toEqual(['failing firing']);
    await serve(100, 0);
    await look();
    expect(told).toEqual(['failing firing', 'failing resolved']);
    const slo = async (): Promise<SloStatus | undefined> =>
      (await getJson<{ slos: SloStatus[] }>(dashboard, '/api/v1/slos')).value.slos[0];
    expect(await slo()).toMatchObject({ total: 104, good: 101, met: true, policy: 'normal' });
    await serve(0, 60);
    expect(await slo()).toMatchObject({ total: 164, good: 101, met: true, policy: 'reduce-risk' });
    // The window moves on, and the budget with it.
    await clock.advanceAsync(3_700_000);
    await serve(1, 0);
    expect(await slo()).toMatchObject({ total: 1, good: 1, policy: 'normal' });
  });

  it('finds what belongs together: spans, log records and measurements of one trace (C10)', async () => {
    const { dashboard, tracer } = await shownOn({ metrics: { exemplars: true } });
    tracer.log.info('outside');
    const { traceId } = tracer.withSpan('task', (span) => {
      tracer.log.info('inside');
      tracer.metrics.counter('steps').add(1);
      return span.spanContext();
    });
    await tracer.flush();
    const spans = await getJson<{ spans: unknown[] }>(dashboard, `/api/v1/traces/${traceId}`);
    expect(spans.value.spans).toHaveLength(1);
    const logs = await getJson<{ logs: { body: string }[] }>(dashboard, `/api/v1/logs?query=trace:${traceId}`);
    expect(logs.value.logs.map(({ body }) => body)).toEqual(['inside']);
    const points = await getJson(dashboard, '/api/v1/metrics/points?query=name:steps');
    expect(JSON.stringify(points.value)).toContain(traceId);
  });
});

describe("codomyrmex's agents", () => {
  class AgentTracer extends WithAgents(Tracer) {}

  it('have a span and a duration for each phase (C11), tokens by model and calls by caller (C12)', async () => {
    const dashboard = await openDashboard();
    const registry = new TracerRegistry({
      logger: LOGGER,
      platform: false,
      tracer: AgentTracer,
      destination: { endpoint: dashboard.url },
      agents: { prices: { 'gpt-x': { input: 2, output: 10 } } },
    });
    onTestFinished(async () => {
      await registry.shutdown({ timeoutMillis: 0 });
    });
    const acme = registry.get('acme');
    const phases = acme.metrics.timer('agent.phase.duration');
    await acme.withAgent('planner', async () => {
      for (const phase of ['plan', 'act']) {
        await acme.withSpan(phase, () =>
          phases.time(
            () =>
              acme
                .withTool('search', async () => {
                  acme.recordUsage({ model: 'gpt-x', inputTokens: 1_000_000, outputTokens: 100_000 });
                  if (phase === 'act') throw new Error('no result');
                })
                .catch(() => undefined),
            { phase },
          ),
        );
      }
    });
    await registry.flush();
    expect(acme.usage()).toMatchObject({ calls: 2, inputTokens: 2_000_000, cost: 6 });
    type Row = { traceId: string; spanId: string; parentSpanId: string; name: string; status: string };
    const found = await getJson<{ traces: { traceId: string }[] }>(dashboard, '/api/v1/traces');
    const { spans } = (await getJson<{ spans: Row[] }>(dashboard, `/api/v1/traces/${found.value.traces[0]?.traceId}`))
      .value;
    const nameOf = (id: string): string | undefined => spans.find(({ spanId }) => spanId === id)?.name;
    const edges = spans.map(({ name, parentSpanId }) => `${nameOf(parentSpanId) ?? ''} > ${name}`).sort();
    expect(edges).toEqual([
      ' > invoke_agent planner',
      'act > execute_tool search',
      'invoke_agent planner > act',
      'invoke_agent planner > plan',
      'plan > execute_tool search',
    ]);
    const red = await getJson(dashboard, '/api/v1/red?by=operation&spans=all&query=name:execute_tool*');
    expect(JSON.stringify(red.value)).toMatch(/"count":2,"errors":1/);
    const points = await getJson<{ points: { attributes: object }[] }>(
      dashboard,
      '/api/v1/metrics/points?query=name:agent.phase.duration',
    );
    expect(points.value.points.map(({ attributes }) => attributes)).toEqual(
      expect.arrayContaining([{ phase: 'plan' }, { phase: 'act' }]),
    );
  });

  it('are sampled by share, by rate and by errors (C13)', async () => {
    const none = await tracedBy({ sampling: { ratio: 0 } });
    const failing = await tracedBy({ sampling: { ratio: 0, keepErrors: true } });
    const few = await tracedBy({ sampling: { spansPerSecond: 2 }, clock: new FakeClock() });
    for (const { tracer } of [none, failing, few]) {
      for (let index = 0; index < 10; index += 1) {
        const span = tracer.startSpan(`${index}`);
        if (index === 7) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      }
      await tracer.flush();
    }
    expect(none.receiver.spans()).toEqual([]);
    expect(failing.receiver.spans().map(({ name }) => name)).toEqual(['7']);
    const kept = few.receiver.spans().length;
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(10);
    expect(few.tracer.stats().traces.dropped).toEqual({ sampled: 10 - kept });
  });

  it('report their state instead of printing words (C14)', async () => {
    const { receiver, tracer } = await tracedBy();
    receiver.setFault({ mode: 'status', status: 400 });
    tracer.startSpan('refused').end();
    await tracer.flush();
    expect(tracer.stats().traces).toMatchObject({ created: 1, exported: 0, dropped: { rejected: 1 } });
    expect(tracer.health()).toMatchObject({ state: 'active', issues: [] });
  });
});
