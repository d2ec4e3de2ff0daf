import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { enrichSession, enrichSpan, HoneyHiveTracer, traceChain, traceModel, traceTool } from '../../src/honeyhive.ts';
import { receiverWith } from '../delivery/delivery-kit.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';
import { apiCalls, COMMON, LOGGER, SESSION, spanNamed, tracerWith } from './honeyhive-kit.ts';

describe("HoneyHive's tracer", () => {
  it("exports a traced function with exactly the attributes of HoneyHive's own SDK, at its endpoint", async () => {
    const { receiver, tracer } = await tracerWith();
    const traced = tracer.traceTool(
      function search(query: string, options: { limit: number; tags: string[] }, flag = true): { hits: object[] } {
        return { hits: [{ id: query, rank: options.limit, ok: flag }] };
      },
      { config: { index: 'v2' }, metadata: { team: { name: 'core' } } },
    );
    expect(traced('shoes', { limit: 3, tags: ['a', 'b'] }, false)).toEqual({
      hits: [{ id: 'shoes', rank: 3, ok: false }],
    });
    await tracer.flush();
    expect(spanNamed(receiver, 'search').attributes).toEqual({
      ...COMMON,
      honeyhive_event_type: 'tool',
      'honeyhive_inputs._params_.query': 'shoes',
      'honeyhive_inputs._params_.options.limit': 3,
      'honeyhive_inputs._params_.options.tags.0': 'a',
      'honeyhive_inputs._params_.options.tags.1': 'b',
      'honeyhive_inputs._params_.flag': false,
      'honeyhive_config.index': 'v2',
      'honeyhive_metadata.team.name': 'core',
      'honeyhive_outputs.result.hits.0.id': 'shoes',
      'honeyhive_outputs.result.hits.0.rank': 3,
      'honeyhive_outputs.result.hits.0.ok': false,
    });
    const [request] = receiver.requests;
    expect(request).toMatchObject({
      path: '/opentelemetry/v1/traces',
      headers: {
        authorization: 'Bearer hh-key',
        'x-source': 'staging',
        'hh-sdk-language': 'typescript',
        'hh-sdk-package': 'isotrace',
      },
    });
  });

  it('exports what enrichSpan says under the names of its documents', async () => {
    const { receiver, tracer } = await tracerWith();
    expect(tracer.enrichSpan({ metadata: { early: true } })).toBe(false);
    const chat = tracer.traceModel(
      async (_prompt: string) => {
        await Promise.resolve();
        expect(
          tracer.enrichSpan({
            metadata: { user_id: '123', feature: 'chat' },
            metrics: { score: 0.95, latency_ms: 150 },
            feedback: { rating: 5, helpful: true },
            config: { model: 'gpt-x' },
            inputs: { messages: [{ role: 'user' }] },
            outputs: { text: null },
            userProperties: { plan: 'premium' },
            error: 'slow',
            eventName: 'chat completion',
          }),
        ).toBe(true);
      },
      { eventName: 'chat' },
    );
    await chat('hi');
    await tracer.flush();
    expect(spanNamed(receiver, 'chat').attributes).toEqual({
      ...COMMON,
      honeyhive_event_type: 'model',
      'honeyhive_inputs._params_._prompt': 'hi',
      'honeyhive_outputs.result': 'null',
      'honeyhive_metadata.user_id': '123',
      'honeyhive_metadata.feature': 'chat',
      'honeyhive_metrics.score': 0.95,
      'honeyhive_metrics.latency_ms': 150,
      'honeyhive_feedback.rating': 5,
      'honeyhive_feedback.helpful': true,
      'honeyhive_config.model': 'gpt-x',
      'honeyhive_inputs.messages.0.role': 'user',
      'honeyhive_outputs.text': 'null',
      'honeyhive_user_properties.plan': 'premium',
      honeyhive_error: 'slow',
      honeyhive_event_name: 'chat completion',
    });
  });

  it('records failures once, and lets the very error through', async () => {
    const { receiver, tracer } = await tracerWith();
    const failure = new RangeError('too far');
    const calls: string[] = [];
    const traced = tracer.traceChain(async function step() {
      calls.push('called');
      throw failure;
    });
    await expect(traced()).rejects.toBe(failure);
    await tracer.flush();
    expect(calls).toEqual(['called']);
    const span = spanNamed(receiver, 'step');
    expect(receiver.spans()).toHaveLength(1);
    expect(span.attributes).toEqual({
      ...COMMON,
      honeyhive_event_type: 'chain',
      honeyhive_error: 'RangeError: too far',
    });
    expect(span.events.map(({ name }) => name)).toEqual(['exception']);
    expect(span.status.code).toBe(2);
  });

  it('keeps this, nests, and takes generators and arguments that never end', async () => {
    const { receiver, tracer } = await tracerWith();
    const cyclic: Record<string, unknown> = { name: 'c' };
    cyclic['self'] = cyclic;
    const counter = {
      from: 2,
      count: tracer.traceFunction({ eventName: 'count' })(function* count(this: { from: number }, _options: object) {
        yield this.from;
        tracer.withSpan('inside', { metadata: { a: 1 } }, () => undefined);
        yield this.from + 1;
      }),
    };
    expect([...counter.count(cyclic)]).toEqual([2, 3]);
    await tracer.flush();
    const count = spanNamed(receiver, 'count');
    expect(count.attributes).toMatchObject({
      'honeyhive_inputs._params_._options.name': 'c',
      'honeyhive_outputs.result.0': 2,
      'honeyhive_outputs.result.1': 3,
    });
    expect(count.attributes).not.toHaveProperty('honeyhive_event_type');
    expect(spanNamed(receiver, 'inside')).toMatchObject({
      parentSpanId: count.spanId,
      attributes: { 'honeyhive_metadata.a': 1 },
    });
  });

  it('calls nobody when it is made, and tells of a new session on its spans', async () => {
    const { receiver, tracer } = await tracerWith({ sessionId: undefined, sessionName: 'visit' });
    expect(tracer.sessionId).toMatch(/^[\da-f-]{36}$/);
    tracer.startSpan('work').end();
    await tracer.flush();
    expect(receiver.requests.map(({ path }) => path)).toEqual(['/opentelemetry/v1/traces']);
    expect(spanNamed(receiver, 'work').attributes).toEqual({
      ...COMMON,
      'honeyhive.session_id': tracer.sessionId,
      'traceloop.association.properties.session_id': tracer.sessionId,
      'honeyhive.session_auto_create': true,
      'honeyhive.session_name': 'visit',
    });
  });

  it("begins sessions and adds to them by HoneyHive's API", async () => {
    const { receiver, tracer } = await tracerWith({
      sessionId: undefined,
      sessionName: 'visit',
      inputs: { page: '/' },
      metadata: { v: 1 },
    });
    const { sessionId } = tracer;
    expect(
      await tracer.enrichSession({
        userProperties: { user_id: 'u-1' },
        feedback: { rating: 5 },
        metrics: { turns: 2 },
        config: { a: 1 },
        outputs: { answer: 'x' },
        metadata: { b: 2 },
        inputs: { question: 'y' },
      }),
    ).toBe(true);
    expect(await tracer.startSession()).toBe(sessionId);
    expect(await tracer.enrichSession({ sessionId: SESSION, metrics: { stars: 4 } })).toBe(true);
    const start = { project: 'shop', session_name: 'visit', source: 'staging', session_id: sessionId };
    const key = 'Bearer hh-key';
    expect(apiCalls(receiver)).toEqual([
      { call: 'POST /session/start', key, body: { session: { ...start, inputs: { page: '/' }, metadata: { v: 1 } } } },
      {
        call: 'PUT /events',
        key,
        body: {
          event_id: sessionId,
          metadata: { b: 2, inputs: { question: 'y' } },
          feedback: { rating: 5 },
          metrics: { turns: 2 },
          config: { a: 1 },
          outputs: { answer: 'x' },
          user_properties: { user_id: 'u-1' },
        },
      },
      { call: 'PUT /events', key, body: { event_id: SESSION, metrics: { stars: 4 } } },
    ]);
    receiver.setFault({ mode: 'status', status: 500 });
    expect(await tracer.enrichSession({ metrics: { lost: 1 } })).toBe(false);
    expect(tracer.tracer.health().errors.delivery).toBe(1);
    expect(receiver.spans()).toEqual([]);
  });

  it('runs functions in sessions of their own, which nest', async () => {
    const { receiver, tracer } = await tracerWith();
    const created = await tracer.createSession({ sessionName: 'request', userProperties: { id: 7 } });
    const seen = tracer.withSession(created, () => {
      tracer.startSpan('first').end();
      const inner = tracer.withSession({ sessionName: 'inner', skipApiCall: true }, () => {
        tracer.traceTool(() => 1, { eventName: 'second' })();
        return tracer.sessionId;
      });
      tracer.startSpan('third').end();
      return inner;
    });
    tracer.startSpan('outside').end();
    await tracer.flush();
    const sessions = ['first', 'second', 'third', 'outside'].map(
      (name) => spanNamed(receiver, name).attributes['honeyhive.session_id'],
    );
    expect(sessions).toEqual([created, seen, created, SESSION]);
    expect(new Set(sessions).size).toBe(3);
    expect(spanNamed(receiver, 'second').attributes).toMatchObject({
      'honeyhive.session_auto_create': true,
      'honeyhive.session_name': 'inner',
    });
    expect(apiCalls(receiver)).toMatchObject([
      { body: { session: { session_id: created, session_name: 'request', user_properties: { id: 7 } } } },
    ]);
    tracer.withSession({ sessionId: 's-2' }, () => undefined);
    await tracer.flush();
    expect(apiCalls(receiver)).toMatchObject([{}, { body: { session: { session_id: 's-2' } } }]);
    tracer.sessionId = 's-3';
    tracer.sessionId = '';
    expect(tracer.sessionId).toBe('s-3');
  });

  it('keeps several tracers of one process apart, inside one another and by functions that name none', async () => {
    const [a, b] = [await tracerWith({ project: 'a' }), await tracerWith({ project: 'b', sessionId: undefined })];
    const tool = traceTool(function named(name: string) {
      enrichSpan({ metadata: { name } });
      return name;
    });
    const model = traceModel((name: string) => tool(name), { eventName: 'model' });
    expect(tool('nobody')).toBe('nobody');
    expect(enrichSpan({ metadata: { x: 1 } })).toBe(false);
    expect(HoneyHiveTracer.enrichSpan({ metadata: { x: 1 } })).toBe(false);
    a.tracer.trace((name) => {
      model(`${name} 1`);
      b.tracer.trace(() => {
        tool('of b');
        expect(a.tracer.enrichSpan({ metadata: { foreign: true } })).toBe(false);
      });
      model(`${name} 2`);
    }, 'of a');
    const outer = b.tracer.traceChain(
      () =>
        a.tracer.traceChain(() => b.tracer.traceChain(() => 1, { eventName: 'b inner' })(), {
          eventName: 'a middle',
        })(),
      { eventName: 'b outer' },
    );
    expect(outer()).toBe(1);
    // Also inside of what a tracer wrapped itself.
    expect(b.tracer.traceTool(() => a.tracer.traceTool(() => tool('deep'))())()).toBe('deep');
    expect(await b.tracer.trace(() => enrichSession({ sessionId: SESSION, metrics: { x: 1 } }))).toBe(true);
    expect(await enrichSession({ sessionId: SESSION })).toBe(false);
    await HoneyHiveTracer.flush();
    const names = ({ receiver }: { receiver: OtlpReceiver }): unknown[] =>
      receiver.spans().map(({ attributes, name }) => attributes['honeyhive_metadata.name'] ?? name);
    expect(names(a)).toEqual(['of a 1', 'model', 'of a 2', 'model', 'a middle', 'deep', 'tool event']);
    expect(names(b)).toEqual(['of b', 'b inner', 'b outer', 'tool event']);
    for (const [{ receiver }, project] of [[a, 'a'] as const, [b, 'b'] as const]) {
      expect(new Set(receiver.spans().map(({ attributes }) => attributes['honeyhive.project']))).toEqual(
        new Set([project]),
      );
    }
    expect(spanNamed(a.receiver, 'a middle').parentSpanId).toBe('');
    expect(spanNamed(b.receiver, 'b inner').parentSpanId).toBe(spanNamed(b.receiver, 'b outer').spanId);
    expect(apiCalls(a.receiver)).toEqual([]);
    expect(apiCalls(b.receiver)).toHaveLength(1);
    expect(traceChain(() => 2)()).toBe(2);
  });

  it('marks spans of an evaluation, and types spans of instrumentations', async () => {
    const { receiver, tracer } = await tracerWith({
      runId: 'r',
      datasetId: 'd',
      datapointId: 'p',
      disableHttpTracing: true,
    });
    tracer
      .getTracer()
      .startSpan('chat', { attributes: { 'gen_ai.operation.name': 'chat' } })
      .end();
    tracer.logModel({ outputs: { text: 'hi' } });
    await tracer.flush();
    const evaluation = {
      'traceloop.association.properties.run_id': 'r',
      'traceloop.association.properties.dataset_id': 'd',
      'traceloop.association.properties.datapoint_id': 'p',
      'honeyhive_metadata.run_id': 'r',
      'honeyhive_metadata.dataset_id': 'd',
      'honeyhive_metadata.datapoint_id': 'p',
      'traceloop.association.properties.disable_http_tracing': 'true',
    };
    expect(spanNamed(receiver, 'chat').attributes).toEqual({
      ...COMMON,
      ...evaluation,
      'gen_ai.operation.name': 'chat',
      honeyhive_event_type: 'model',
    });
    expect(spanNamed(receiver, 'model event').attributes).toEqual({
      ...COMMON,
      ...evaluation,
      honeyhive_event_type: 'model',
      'honeyhive_outputs.text': 'hi',
    });
  });

  it('reads its variables, and tells what is wrong with them', async () => {
    const receiver = await receiverWith();
    vi.stubEnv('HH_API_KEY', 'from-env');
    vi.stubEnv('HH_PROJECT', 'env-project');
    vi.stubEnv('HH_SOURCE', 'env-source');
    vi.stubEnv('HH_API_URL', `${receiver.url}/`);
    vi.stubEnv('HH_SESSION_NAME', 'env-session');
    vi.stubEnv('HH_DISABLE_BATCH', 'true');
    vi.stubEnv('HH_DISABLE_HTTP_TRACING', '1');
    vi.stubEnv('HH_MAX_ATTRIBUTES', '20');
    vi.stubEnv('HH_OTLP_PROTOCOL', 'http/json');
    vi.stubEnv('HH_MAX_EVENTS', 'many');
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const tracer = new HoneyHiveTracer({ options: { logger: LOGGER } });
    onTestFinished(async () => {
      await tracer.shutdown({ timeoutMillis: 0 });
    });
    expect(tracer.issues.map(({ option }) => option)).toEqual(['HH_MAX_EVENTS']);
    const attributes = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`k${index}`, index]));
    tracer.startSpan('first', { attributes }).end();
    // Without a batch each span goes by itself, at once.
    await receiver.waitForSpans(1);
    const span = spanNamed(receiver, 'first');
    expect(Object.keys(span.attributes)).toHaveLength(20);
    expect(span.attributes).toMatchObject({
      'honeyhive.session_id': tracer.sessionId,
      'honeyhive.project': 'env-project',
    });
    expect(receiver.requests[0]?.headers).toMatchObject({
      authorization: 'Bearer from-env',
      'x-source': 'env-source',
      'content-type': 'application/json',
    });
    expect([tracer.project, tracer.source, tracer.serverUrl, tracer.sessionName]).toEqual([
      'env-project',
      'env-source',
      receiver.url,
      'env-session',
    ]);
  });

  it('keeps by what HoneyHive files a span, however many attributes it has, and room for the result', async () => {
    const { receiver, tracer } = await tracerWith();
    const many = (letter: string): Record<string, number> =>
      Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`${letter}${index}`, index]));
    tracer.traceTool((...args: object[]) => ({ rows: args.length }), { eventName: 'wide' })(
      ...['a', 'b', 'c', 'd', 'e'].map(many),
    );
    tracer.startSpan('full', { attributes: { ...many('k'), ...many('l'), ...many('m') } }).end();
    await tracer.flush();
    const wide = spanNamed(receiver, 'wide').attributes;
    expect(wide).toMatchObject({ ...COMMON, honeyhive_event_type: 'tool', 'honeyhive_outputs.result.rows': 5 });
    expect(Object.keys(wide).filter((key) => key.startsWith('honeyhive_inputs.'))).toHaveLength(512);
    const { 'traceloop.association.properties.disable_http_tracing': _not, ...filed } = COMMON;
    const full = spanNamed(receiver, 'full').attributes;
    expect(full).toMatchObject(filed);
    expect(Object.keys(full)).toHaveLength(1_024);
  });

  it('sends long prompts and answers whole', async () => {
    const { receiver, tracer } = await tracerWith();
    const prompt = 'p'.repeat(700_000);
    tracer.traceModel((text: string) => text.toUpperCase(), { eventName: 'long' })(prompt);
    await tracer.flush();
    const { attributes } = spanNamed(receiver, 'long');
    expect(attributes['honeyhive_inputs._params_.text']).toBe(prompt);
    expect(attributes['honeyhive_outputs.result']).toBe(prompt.toUpperCase());
  });

  it('says of spans of instrumentations what HoneyHive says', async () => {
    const { receiver, tracer } = await tracerWith();
    const kinds = { LLM: 'model', CHAIN: 'chain', AGENT: 'chain', TOOL: 'tool', RETRIEVER: 'tool', EMBEDDING: 'tool' };
    const operations = { chat: 'model', generate_content: 'model', invoke_agent: 'chain', execute_tool: 'tool' };
    for (const kind of Object.keys(kinds)) {
      tracer.startSpan(kind, { attributes: { 'openinference.span.kind': kind } }).end();
    }
    for (const operation of Object.keys(operations)) {
      tracer.startSpan(operation, { attributes: { 'gen_ai.operation.name': operation } }).end();
    }
    tracer.startSpan('own', { attributes: { honeyhive_event_type: 'chain', 'gen_ai.operation.name': 'chat' } }).end();
    await tracer.flush();
    const types = receiver.spans().map(({ attributes, name }) => [name, attributes['honeyhive_event_type']]);
    expect(Object.fromEntries(types)).toEqual({ ...kinds, ...operations, own: 'chain' });
  });

  it('delivers for tracers that nobody holds any more', async () => {
    const receiver = await receiverWith();
    const forgotten = (index: number): void => {
      const options = { logger: LOGGER, batch: { delayMillis: 3_600_000 } };
      const tracer = new HoneyHiveTracer({ apiKey: `k-${index}`, serverUrl: receiver.url, options });
      tracer.startSpan(`${index}`).end();
    };
    for (let index = 0; index < 20; index += 1) forgotten(index);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    globalThis.gc?.();
    await HoneyHiveTracer.flush();
    expect(receiver.spans()).toHaveLength(20);
    expect(new Set(receiver.requests.map(({ headers }) => headers.authorization)).size).toBe(20);
  });

  it('sends nothing without a key, in test mode, or when tracing is switched off', async () => {
    const receiver = await receiverWith();
    const ended: string[] = [];
    const exporter = {
      export: (spans: { name: string }[], done: (result: { code: number }) => void) => {
        ended.push(...spans.map(({ name }) => name));
        done({ code: 0 });
      },
      shutdown: async () => {},
    };
    vi.stubEnv('HH_API_KEY', '');
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const common = { serverUrl: receiver.url, options: { logger: LOGGER, exporter } };
    const keyless = new HoneyHiveTracer({ ...common, sessionId: 'no uuid' });
    const testing = new HoneyHiveTracer({ ...common, apiKey: 'k', testMode: true });
    const off = new HoneyHiveTracer({ ...common, apiKey: 'k', disableTracing: true });
    for (const [name, tracer] of Object.entries({ keyless, testing, off })) {
      expect(tracer.traceTool(() => 3, { eventName: name })()).toBe(3);
      expect(await tracer.enrichSession({ metrics: { a: 1 } })).toBe(false);
      expect(await tracer.createSession()).toMatch(/^[\da-f-]{36}$/);
      await tracer.shutdown();
    }
    expect(keyless.issues.map(({ option }) => option)).toEqual(['sessionId', 'apiKey']);
    expect(testing.issues).toEqual([]);
    expect(ended).toEqual(['testing']);
    expect(receiver.requests).toEqual([]);
  });
});
