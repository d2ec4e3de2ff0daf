import { describe, expect, it } from 'vitest';
import { enrichSession, HoneyHiveTracer } from '../../src/honeyhive.ts';
import { FakeClock } from '../../src/testing.ts';
import { eventually, receiverWith } from '../delivery/delivery-kit.ts';
import { refusedUrl } from '../support/otlp-receiver.ts';
import { apiCalls, LOGGER, SESSION, spanNamed, tracerWith } from './honeyhive-kit.ts';

const NEW = { sessionId: undefined, sessionName: 'visit' };

describe("sessions of HoneyHive's tracer", () => {
  it('are begun once, again only when that failed, and never when they exist', async () => {
    const { receiver, tracer } = await tracerWith(NEW);
    receiver.setFault({ mode: 'status', status: 503 });
    expect(await tracer.startSession()).toBe(tracer.sessionId);
    receiver.setFault({ mode: 'ok' });
    await Promise.all([tracer.startSession(), tracer.startSession(), tracer.enrichSession({ metrics: { a: 1 } })]);
    await tracer.startSession();
    expect(apiCalls(receiver).map(({ call }) => call)).toEqual([
      'POST /session/start',
      'POST /session/start',
      'PUT /events',
    ]);
    tracer.sessionId = SESSION;
    expect(await tracer.startSession()).toBe(SESSION);
    const { receiver: other, tracer: joined } = await tracerWith();
    expect(await joined.startSession()).toBe(SESSION);
    expect([apiCalls(receiver).length, apiCalls(other).length]).toEqual([3, 0]);
  });

  it('say which run of an evaluation they are of', async () => {
    const evaluation = { runId: 'r-1', datasetId: 'd-1', datapointId: 'p-1' };
    const { receiver, tracer } = await tracerWith({ ...NEW, ...evaluation, metadata: { v: 2 } });
    expect(tracer).toMatchObject({ ...evaluation, isEvaluation: true, metadata: { v: 2 }, inputs: {} });
    await tracer.startSession();
    expect(apiCalls(receiver)).toMatchObject([
      { body: { session: { metadata: { v: 2, run_id: 'r-1', dataset_id: 'd-1', datapoint_id: 'p-1' } } } },
    ]);
  });

  it('are told of by their spans where the API was not, or did not take it', async () => {
    const { receiver, tracer } = await tracerWith();
    const skipped = await tracer.createSession({ sessionName: 'skipped', skipApiCall: true });
    receiver.setFault({ mode: 'status', status: 500 });
    const refused = await tracer.createSession({ sessionName: 'refused' });
    receiver.setFault({ mode: 'ok' });
    const taken = await tracer.createSession({ sessionName: 'taken' });
    for (const [name, id] of Object.entries({ skipped, refused, taken })) {
      tracer.withSession(id, () => tracer.startSpan(name).end());
    }
    await tracer.flush();
    const told = ['skipped', 'refused', 'taken'].map((name) => {
      const { attributes } = spanNamed(receiver, name);
      return [attributes['honeyhive.session_auto_create'], attributes['honeyhive.session_name']];
    });
    expect(told).toEqual([
      [true, 'skipped'],
      [true, 'refused'],
      [undefined, undefined],
    ]);
    expect(tracer.tracer.health().recentErrors).toMatchObject([
      { component: 'delivery', operation: 'POST /session/start', message: 'Error: HoneyHive answered 500' },
    ]);
  });

  it('do not mix when requests are interleaved, also of two tracers', async () => {
    const [a, b] = [await tracerWith(), await tracerWith()];
    const work = async (of: typeof a, index: number): Promise<void> => {
      const id = `${of === a ? 'a' : 'b'}-${index}`;
      await of.tracer.withSession({ sessionId: id, skipApiCall: true }, async () => {
        for (let step = 0; step < 3; step += 1) {
          await new Promise((resolve) => {
            setImmediate(resolve);
          });
          of.tracer.startSpan(id).end();
          const other = of === a ? b : a;
          other.tracer.startSpan('outside').end();
        }
        expect(of.tracer.sessionId).toBe(id);
      });
    };
    await Promise.all(Array.from({ length: 20 }, (_, index) => work(index % 2 === 0 ? a : b, index)));
    await HoneyHiveTracer.flush();
    for (const [{ receiver }, own] of [[a, 'a-'] as const, [b, 'b-'] as const]) {
      expect(receiver.spans()).toHaveLength(60);
      for (const { attributes, name } of receiver.spans()) {
        expect(attributes['honeyhive.session_id']).toBe(name === 'outside' ? SESSION : name);
        if (name !== 'outside') expect(name.startsWith(own)).toBe(true);
      }
    }
  });

  it('hide from the API what they hide on spans', async () => {
    const redact = {
      keys: ['iban'],
      custom: (key: string, value: unknown) => (key === 'honeyhive_outputs.draft' ? undefined : (value as string)),
    };
    const { receiver, tracer } = await tracerWith({ options: { logger: LOGGER, redact } });
    const said = {
      metadata: { iban: 'DE89', plan: 'premium', deep: { password: 'p4ss' } },
      outputs: { draft: 'x', text: 'the key is sk-proj-abcdefghijklmnopqrstuvwxyz0123456789' },
    };
    await tracer.enrichSession(said);
    tracer.withSpan('work', said, () => undefined);
    await tracer.createSession({ inputs: { token: 't-1', page: '/' } });
    await tracer.flush();
    const [update, start] = apiCalls(receiver) as { body: Record<string, never> }[];
    expect(update?.body).toMatchObject({
      event_id: SESSION,
      metadata: { iban: '[REDACTED]', plan: 'premium', deep: { password: '[REDACTED]' } },
    });
    expect(Object.keys(update?.body['outputs'] ?? {})).toEqual(['text']);
    expect(start?.body).toMatchObject({ session: { inputs: { token: '[REDACTED]', page: '/' } } });
    const { attributes } = spanNamed(receiver, 'work');
    expect(attributes).toMatchObject({ 'honeyhive_metadata.iban': '[REDACTED]', 'honeyhive_metadata.plan': 'premium' });
    const sent = receiver.requests.map(({ body }) => Buffer.from(body).toString('latin1')).join('\n');
    for (const secret of ['DE89', 'p4ss', 'sk-proj-abc', 't-1']) expect(sent).not.toContain(secret);
  });

  it('take objects; anything else has a place in one, or none', async () => {
    const { receiver, tracer } = await tracerWith();
    const said = { outputs: ['a'], inputs: 'q', metadata: 'text', metrics: 3 } as never;
    expect(await tracer.enrichSession(said)).toBe(true);
    expect(await tracer.enrichSession({})).toBe(false);
    expect(apiCalls(receiver).map(({ body }) => body)).toEqual([
      { event_id: SESSION, outputs: { value: ['a'] }, metadata: { inputs: { value: 'q' } } },
    ]);
  });

  it('are not told of any more once the tracer was shut down', async () => {
    const { receiver, tracer } = await tracerWith();
    await tracer.shutdown();
    expect(await tracer.enrichSession({ metrics: { a: 1 } })).toBe(false);
    expect(await tracer.createSession()).toMatch(/^[\da-f-]{36}$/);
    expect(tracer.withSession({ sessionName: 'late' }, () => 3)).toBe(3);
    await tracer.flush();
    expect(receiver.requests).toEqual([]);
  });

  it('keep no flush and no shutdown waiting for longer than it was told', async () => {
    const clock = new FakeClock();
    const { receiver, tracer } = await tracerWith({ ...NEW, options: { logger: LOGGER, clock } });
    receiver.setFault({ mode: 'hang' });
    const enriched = tracer.enrichSession({ metrics: { a: 1 } });
    await eventually(
      () => receiver.requests.length > 0,
      () => 'a call of the API',
    );
    const flushed = tracer.flush({ timeoutMillis: 200 });
    clock.advance(200);
    await flushed;
    const closed = tracer.shutdown({ timeoutMillis: 300 });
    clock.advance(300);
    await closed;
    // What was under way is given up with it.
    expect(await enriched).toBe(false);
    expect(tracer.tracer.health().recentErrors).toMatchObject([{ message: 'Error: the tracer was shut down' }]);
  });

  it('wait for a call of the API 5 seconds', async () => {
    const clock = new FakeClock();
    const { receiver, tracer } = await tracerWith({ options: { logger: LOGGER, clock } });
    receiver.setFault({ mode: 'hang' });
    const enriched = tracer.enrichSession({ metrics: { a: 1 } });
    await eventually(
      () => receiver.requests.length > 0,
      () => 'a call of the API',
    );
    clock.advance(5_000);
    expect(await enriched).toBe(false);
    expect(tracer.tracer.health().recentErrors).toMatchObject([{ message: 'Error: no answer within 5000 ms' }]);
  });

  it('are flushed to the last step', async () => {
    const { receiver, tracer } = await tracerWith(NEW);
    void tracer.enrichSession({ metrics: { a: 1 } });
    await tracer.flush();
    expect(apiCalls(receiver).map(({ call }) => call)).toEqual(['POST /session/start', 'PUT /events']);
  });

  it('show neither key nor session when the API cannot be called', async () => {
    const { tracer } = await tracerWith({ serverUrl: await refusedUrl(), source: 'büro → 7' });
    expect(await tracer.enrichSession({ metadata: { secret: 'xyz' } })).toBe(false);
    const { recentErrors } = tracer.tracer.health();
    expect(recentErrors).toHaveLength(1);
    expect(recentErrors[0]?.message).toContain('ECONNREFUSED');
    expect(JSON.stringify(recentErrors)).not.toMatch(/hh-key|xyz/);
  });

  it('take a source that no header can carry', async () => {
    const { receiver, tracer } = await tracerWith({ source: 'büro → 7' });
    expect(await tracer.enrichSession({ metrics: { a: 1 } })).toBe(true);
    tracer.startSpan('work').end();
    await tracer.flush();
    expect(spanNamed(receiver, 'work').attributes['honeyhive.source']).toBe('büro → 7');
    expect(receiver.requests.map(({ headers }) => headers['x-source'])).toEqual([undefined, undefined]);
  });

  it('are 64 calls at a time at most', async () => {
    const { receiver, tracer } = await tracerWith();
    const answers = await Promise.all(
      Array.from({ length: 70 }, () => tracer.enrichSession({ sessionId: SESSION, metrics: { a: 1 } })),
    );
    expect(answers.filter(Boolean)).toHaveLength(64);
    expect(apiCalls(receiver)).toHaveLength(64);
  });

  it('do not follow a redirect with the key', async () => {
    const elsewhere = await receiverWith();
    const { receiver, tracer } = await tracerWith();
    receiver.setFault({ mode: 'redirect', status: 307, location: `${elsewhere.url}/events` });
    expect(await tracer.trace(() => enrichSession({ sessionId: SESSION, metrics: { a: 1 } }))).toBe(false);
    expect(elsewhere.requests).toEqual([]);
  });
});
