import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { describe, expect, it } from 'vitest';
import type { CaptureOptions, Tracer, TracerOptions } from '../../src/index.ts';
import type { DecodedSpan } from '../support/otlp-decoder.ts';
import { startTenants } from '../support/tenant-receivers.ts';

/** Runs code with a tracer that captures, and answers what arrived, by name. */
async function record(
  options: TracerOptions,
  run: (tracer: Tracer) => unknown,
): Promise<{ spans: Record<string, DecodedSpan>; tracer: Tracer }> {
  const { registry, received } = await startTenants(['a'], { registry: options });
  const tracer = registry.get('a');
  await new Promise(setImmediate);
  await run(tracer);
  return { spans: await received('a'), tracer };
}

const captured = (span: DecodedSpan | undefined): unknown[] =>
  ['isotrace.arguments', 'isotrace.result'].map((key) => {
    const text = span?.attributes[key];
    return typeof text === 'string' ? (JSON.parse(text) as unknown) : text;
  });

describe('capture', () => {
  it('is off unless a tenant or a call wants it, and what the call says comes first', async () => {
    const { spans } = await record({}, ({ trace }) => {
      trace('off', (a: number) => a)(1);
      trace({ name: 'on', capture: true }, (a: number) => a + 1)(1);
      trace({ name: 'result only', capture: { result: true } }, (a: number) => a + 1)(1);
    });
    const { spans: tenant } = await record({ capture: true }, ({ trace }) => {
      trace('on', (a: number) => a)(1);
      trace({ name: 'off', capture: false }, (a: number) => a)(1);
      trace({ name: 'no arguments', capture: { arguments: false } }, (a: number) => a)(1);
    });

    expect(captured(spans['off'])).toEqual([undefined, undefined]);
    expect(captured(spans['on'])).toEqual([[1], 2]);
    expect(captured(spans['result only'])).toEqual([undefined, 2]);
    expect(captured(tenant['on'])).toEqual([[1], 1]);
    expect(captured(tenant['off'])).toEqual([undefined, undefined]);
    expect(captured(tenant['no arguments'])).toEqual([undefined, 1]);
  });

  it('takes the arguments as they were before the call, and the result as it settled', async () => {
    const { spans } = await record({ capture: true }, async ({ trace }) => {
      const order = { id: 1, items: [] as number[] };
      await trace('async', async (given: typeof order) => {
        given.items.push(5);
        await Promise.resolve();
        return given;
      })(order);
      trace({ name: 'callback', callback: true }, (_: string, done: (error: null, value: number) => void) =>
        setImmediate(done, null, 7),
      )('x', () => undefined);
      await new Promise(setImmediate);
      await new Promise(setImmediate);
    });

    expect(captured(spans['async'])).toEqual([[{ id: 1, items: [] }], { id: 1, items: [5] }]);
    expect(captured(spans['callback'])).toEqual([['x', '[Function ]'], 7]);
  });

  it('takes no result of a call that failed', async () => {
    const { spans } = await record({ capture: true }, ({ trace }) => {
      const fail = trace('fail', (): never => {
        throw new Error('no');
      });
      expect(() => fail()).toThrow('no');
      const halfway = trace('halfway', function* () {
        yield 1;
        throw new Error('no');
      });
      expect(() => [...halfway()]).toThrow('no');
    });

    expect(captured(spans['fail'])).toEqual([[], undefined]);
    expect(captured(spans['halfway'])).toEqual([[], undefined]);
    expect(spans['fail']?.status.code).toBe(2);
  });

  it('may be chosen by functions, whose failures stay in', async () => {
    const { spans, tracer } = await record({}, ({ trace }) => {
      const capture: CaptureOptions = {
        arguments: (user: { id: number }) => ({ user: user.id }),
        result: () => undefined,
      };
      trace(
        { name: 'chosen', capture },
        (_user: { id: number; password: string }) => 'secret',
      )({ id: 1, password: 'x' });
      const bad = (): never => {
        throw new Error('chooser');
      };
      expect(trace({ name: 'bad', capture: { arguments: bad, result: bad } }, () => 5)()).toBe(5);
      const rejecting = async (): Promise<never> => bad();
      trace({ name: 'rejecting', capture: { arguments: rejecting } }, () => 5)();
    });

    expect(captured(spans['chosen'])).toEqual([{ user: 1 }, undefined]);
    expect(captured(spans['bad'])).toEqual([undefined, undefined]);
    expect(captured(spans['rejecting'])).toEqual(['[Promise]', undefined]);
    expect(tracer.health().errors).toEqual({ host: 3 });
  });

  it('is bounded in bytes and depth, also by the limit for attributes', async () => {
    const value = { text: 'x'.repeat(10_000), deep: { a: { b: 1 } } };
    const { spans } = await record({ capture: { result: true, maxBytes: 100, maxDepth: 2 } }, ({ trace }) => {
      trace('tenant', () => value)();
      trace({ name: 'call', capture: { maxBytes: 64 } }, () => value)();
      trace({ name: 'deep', capture: { maxBytes: 20_000 } }, () => ({ ...value, text: '' }))();
    });
    const { spans: short } = await record(
      { capture: { result: true, maxBytes: 10_000 }, limits: { attributeValueLengthLimit: 200 } },
      ({ trace }) => trace('limited', () => value)(),
    );
    const sizeOf = (span: DecodedSpan | undefined): number => String(span?.attributes['isotrace.result']).length;

    expect(sizeOf(spans['tenant'])).toBeLessThanOrEqual(100);
    expect(sizeOf(spans['call'])).toBeLessThanOrEqual(64);
    expect(captured(spans['deep'])[1]).toEqual({ text: '', deep: { a: '[Object]' } });
    expect(sizeOf(short['limited'])).toBeLessThanOrEqual(200);
    expect(captured(short['limited'])[1]).toMatchObject({ text: expect.stringMatching(/^x+…$/) as string });
  });

  it('is redacted by the names of keys inside', async () => {
    const { spans } = await record({ capture: true, redact: { keys: ['iban'] } }, ({ trace }) => {
      trace('pay', (card: object) => ({ iban: 'DE02', card }))({ password: 'hunter2', kept: 1 });
    });

    expect(captured(spans['pay'])).toEqual([
      [{ password: '[REDACTED]', kept: 1 }],
      { iban: '[REDACTED]', card: { password: '[REDACTED]', kept: 1 } },
    ]);
  });

  it('is redacted also when the rules come after the call', async () => {
    const { registry, received } = await startTenants(['late'], { tenant: () => ({ redact: { keys: ['iban'] } }) });
    const late = registry.get('late');
    late.trace({ name: 'early', capture: true }, (given: object) => given)({ iban: 'DE02' });

    expect(captured((await received('late'))['early'])).toEqual([[{ iban: '[REDACTED]' }], { iban: '[REDACTED]' }]);
  });
});

describe('what is yielded', () => {
  const capture: CaptureOptions = { result: true };

  it('is one result: texts are joined, bytes are text, other values are a list', async () => {
    const { spans } = await record({}, async ({ trace }) => {
      for (const _ of trace({ name: 'texts', capture }, function* () {
        yield 'Hello ';
        yield 'world';
      })());
      for await (const _ of trace({ name: 'values', capture }, async function* () {
        yield { a: 1 };
        yield 2;
      })());
      for await (const _ of trace({ name: 'node', capture }, () =>
        Readable.from([Buffer.from('a'), Buffer.from('ü')]),
      )());
      const stream = trace(
        { name: 'web', capture },
        () =>
          new ReadableStream<string>({
            start(controller) {
              controller.enqueue('w');
              controller.enqueue('eb');
              controller.close();
            },
          }),
      );
      const reader = stream().getReader();
      while (!(await reader.read()).done);
      for await (const _ of stream());
    });

    expect(captured(spans['texts'])[1]).toBe('Hello world');
    expect(captured(spans['values'])[1]).toEqual([{ a: 1 }, 2]);
    expect(captured(spans['node'])[1]).toBe('aü');
    expect(captured(spans['web'])[1]).toBe('web');
  });

  it('may be aggregated by a function, and is what there was when the consumer leaves early', async () => {
    const { spans } = await record({ capture: { result: true, aggregate: (values) => values.length } }, ({ trace }) => {
      const count = trace('count', function* () {
        for (let index = 0; ; index += 1) yield index;
      });
      for (const value of count()) if (value === 4) break;
      const none = trace('none', function* (): Generator<number> {
        yield* [];
      });
      for (const _ of none());
    });

    expect(captured(spans['count'])[1]).toBe(5);
    expect(captured(spans['none'])[1]).toBeUndefined();
  });

  it('is kept up to a bound: the first values and the last', async () => {
    const { spans } = await record(
      { capture: { result: true, aggregate: (values) => [values.length, values.at(-1)] } },
      ({ trace }) => {
        const many = trace('many', function* () {
          for (let index = 0; index < 20_000; index += 1) yield index;
        });
        for (const _ of many());
      },
    );

    expect(captured(spans['many'])[1]).toEqual([10_000, 19_999]);
  });

  it('and results can become attributes', async () => {
    const { spans } = await record({}, ({ trace }) => {
      const resultAttributes = (result: { rows: number }) => ({ 'db.rows': result.rows });
      trace({ name: 'query', resultAttributes }, () => ({ rows: 3 }))();
    });

    expect(spans['query']?.attributes).toEqual({ 'db.rows': 3 });
  });
});
