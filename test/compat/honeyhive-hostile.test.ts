import { describe, expect, it } from 'vitest';
import {
  enrichSession,
  enrichSpan,
  HoneyHiveTracer,
  traceChain,
  traceFunction,
  traceModel,
  traceTool,
} from '../../src/honeyhive.ts';
import { hostileValues, USER_ERROR } from '../support/hostile-values.ts';
import { LOGGER, spanNamed, tracerWith } from './honeyhive-kit.ts';

type Hostile = (tracer: HoneyHiveTracer, value: never) => unknown;

const add = (a: unknown): unknown => a;

const CALLS: readonly (readonly [string, Hostile])[] = [
  ['new', (_, value) => void new HoneyHiveTracer(value).shutdown({ timeoutMillis: 0 })],
  ['an option', (_, value) => void new HoneyHiveTracer({ options: value }).shutdown({ timeoutMillis: 0 })],
  [
    'options',
    (_, value) => {
      const options = { logger: LOGGER, spanProcessors: value, batch: value, limits: value, destination: value };
      void new HoneyHiveTracer({ apiKey: value, inputs: value, source: value, options }).shutdown({ timeoutMillis: 0 });
    },
  ],
  ['trace', (tracer, value) => tracer.trace(value, value)],
  ['withSpan', (tracer, value) => tracer.withSpan(value, value, () => 1)],
  ['withSpan without a function', (tracer, value) => tracer.withSpan('x', {}, value)],
  ['withSession', (tracer, value) => tracer.withSession(value, () => 1)],
  ['withSession without a function', (tracer, value) => tracer.withSession('x', value)],
  ['fields of a session', (tracer, value) => tracer.withSession({ inputs: value, sessionName: value }, () => 1)],
  ['startSpan', (tracer, value) => tracer.startSpan(value, value, value).end()],
  ['enrichSpan', (tracer, value) => tracer.withSpan('x', {}, () => tracer.enrichSpan(value))],
  ['fields of a span', (tracer, value) => tracer.withSpan('x', { metadata: value, error: value }, () => 1)],
  ['free enrichSpan', (tracer, value) => tracer.trace(() => enrichSpan(value))],
  ['logModel', (tracer, value) => tracer.logModel(value)],
  ['fields of logModel', (tracer, value) => tracer.logModel({ eventName: value, outputs: value })],
  ['traceFunction', (tracer, value) => tracer.traceFunction(value)(add)(1)],
  ['traceTool', (tracer, value) => tracer.traceTool(add, value)(1)],
  ['traceModel of a value', (tracer, value) => void tracer.traceModel(value)],
  ['arguments', (tracer, value) => void tracer.traceChain(add)(value)],
  ['options of a function', (tracer, value) => tracer.traceTool(add, { config: value, eventName: value })(1)],
  ['free traceFunction', (tracer, value) => void tracer.trace(() => traceFunction(value)(add)(value))],
  ['free presets', (tracer, value) => tracer.trace(() => [traceTool(value), traceModel(value), traceChain(value)])],
  ['createSession', (tracer, value) => tracer.createSession(value)],
  ['fields of createSession', (tracer, value) => tracer.createSession({ sessionId: value, metadata: value })],
  ['enrichSession', (tracer, value) => tracer.enrichSession(value)],
  [
    'fields of enrichSession',
    (tracer, value) => tracer.enrichSession({ metadata: value, inputs: value, sessionId: value }),
  ],
  ['free enrichSession', (tracer, value) => tracer.trace(() => enrichSession(value))],
  [
    'sessionId',
    (tracer, value) => {
      tracer.sessionId = value;
    },
  ],
  ['flush', (tracer, value) => tracer.flush(value)],
];

describe("HoneyHive's tracer", () => {
  it.each(CALLS)('never throws on its own account: %s', async (_name, call) => {
    // Offline, so that what is huge is not sent again and again.
    const { receiver, tracer } = await tracerWith({ testMode: true });
    for (const { name, value } of hostileValues()) {
      try {
        await call(tracer, value as never);
      } catch (error) {
        // Calling it is the host's own mistake.
        const isOwn = error === USER_ERROR || (name === 'revoked function' && error instanceof TypeError);
        if (!isOwn) expect.fail(`${name}: ${String(error)}`);
      }
    }
    await tracer.shutdown({ timeoutMillis: 1_000 });
    expect(receiver.requests).toEqual([]);
  });

  it('leaves out what cannot be read, sends the rest, and says so', async () => {
    const { receiver, tracer } = await tracerWith();
    const params = {
      get metadata(): never {
        throw new Error('no metadata');
      },
      metrics: { score: 1 },
    };
    tracer.withSpan('work', {}, () => expect(tracer.enrichSpan(params)).toBe(true));
    await tracer.flush();
    expect(spanNamed(receiver, 'work').attributes).toMatchObject({ 'honeyhive_metrics.score': 1 });
    expect(tracer.tracer.health().recentErrors).toMatchObject([
      { component: 'host', operation: 'enrichSpan', message: 'Error: no metadata' },
    ]);
  });
});
