import { type Attributes, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, expectTypeOf, it } from 'vitest';
import { createTracer, type Tracer, TracerRegistry } from '../../src/index.ts';
import { settle } from '../support/fake-clock.ts';

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function traced(): { tracer: Tracer; spans: () => Promise<ReadableSpan[]> } {
  const exporter = new InMemorySpanExporter();
  const tracer = createTracer({ exporter, logger: SILENT });
  cleanups.push(() => tracer.shutdown());
  const spans = async (): Promise<ReadableSpan[]> => {
    await tracer.flush();
    return exporter.getFinishedSpans();
  };
  return { tracer, spans };
}

async function names(spans: () => Promise<ReadableSpan[]>): Promise<string[]> {
  return (await spans()).map(({ name }) => name);
}

describe('a wrapped function', () => {
  it('is a span for each call, under its own name, a given one, or anonymous', async () => {
    const { tracer, spans } = traced();
    const { trace } = tracer;
    function add(a: number, b: number): number {
      return a + b;
    }
    expect(trace(add)(1, 2)).toBe(3);
    expect(trace('sum', add)(3, 4)).toBe(7);
    expect(trace({ name: 'total' }, add)(5, 6)).toBe(11);
    expect(trace({}, add)(1, 1)).toBe(2);
    expect(trace(() => 'nameless')()).toBe('nameless');
    expect(await names(spans)).toEqual(['add', 'sum', 'total', 'add', 'anonymous']);
  });

  it('keeps this, name, length and type', () => {
    const { tracer } = traced();
    function scale(this: { factor: number }, by: number, _and = 1): number {
      return this.factor * by;
    }
    const wrapped = tracer.trace(scale);
    expect(wrapped.call({ factor: 3 }, 2)).toBe(6);
    expect([wrapped.name, wrapped.length]).toEqual(['scale', 1]);
    expectTypeOf(wrapped).toEqualTypeOf(scale);
  });

  it('has the kind, the attributes and the links that it was given', async () => {
    const { tracer, spans } = traced();
    const context = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 };
    const options = { kind: SpanKind.PRODUCER, attributes: { queue: 'orders' }, links: [{ context }] };
    tracer.trace(options, function send() {})();
    expect(await spans()).toMatchObject([
      { name: 'send', kind: SpanKind.PRODUCER, attributes: { queue: 'orders' }, links: [{ context }] },
    ]);
  });

  it('computes attributes from the arguments of the call', async () => {
    const { tracer, spans } = traced();
    const charge = tracer.trace(
      { name: 'charge', attributes: (amount: number, currency: string) => ({ amount, currency }) },
      (amount: number, _currency: string) => amount,
    );
    expect(charge(5, 'EUR')).toBe(5);
    expect((await spans())[0]?.attributes).toEqual({ amount: 5, currency: 'EUR' });
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no attributes');
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('no attributes');
      },
    ],
  ])('runs, and is a span, although its attribute function %s; that is counted', async (_, attributes) => {
    const { tracer, spans } = traced();
    expect(tracer.trace({ name: 'work', attributes: attributes as () => Attributes }, () => 'done')()).toBe('done');
    expect(await spans()).toMatchObject([{ name: 'work', attributes: {} }]);
    await settle();
    expect(tracer.health().errors).toEqual({ host: 1 });
  });

  it('is a child of the span around it, or with root a trace of its own', async () => {
    const { tracer, spans } = traced();
    const child = tracer.trace('child', () => undefined);
    const root = tracer.trace({ name: 'root', root: true }, () => undefined);
    tracer.withSpan('outer', () => {
      child();
      root();
    });
    const [inner, own, outer] = await spans();
    expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
    expect(own?.parentSpanContext).toBeUndefined();
    expect(own?.spanContext().traceId).not.toBe(outer?.spanContext().traceId);
  });

  it.each([true, 1] as const)('ends with its callback (callback: %s)', async (callback) => {
    const { tracer, spans } = traced();
    let answer: ((error: Error | null, value?: string) => void) | undefined;
    const read = tracer.trace({ name: 'read', callback }, (_path: string, done: typeof answer) => {
      answer = done;
    });
    const got: unknown[] = [];
    read('/x', (error, value) => got.push(error, value));
    expect(await spans()).toEqual([]);
    answer?.(null, 'content');
    expect(got).toEqual([null, 'content']);
    read('/y', (error) => got.push(error));
    const failure = new Error('gone');
    answer?.(failure);
    expect(got[2]).toBe(failure);
    const [good, bad] = await spans();
    expect(good?.status.code).toBe(SpanStatusCode.UNSET);
    expect(bad?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'gone' });
  });

  it('takes options as they were when it was wrapped', async () => {
    const { tracer, spans } = traced();
    const options = { name: 'before', kind: SpanKind.CLIENT };
    const wrapped = tracer.trace(options, () => undefined);
    options.name = 'after';
    options.kind = SpanKind.SERVER;
    wrapped();
    expect(await spans()).toMatchObject([{ name: 'before', kind: SpanKind.CLIENT }]);
  });

  it.each([
    {
      name: 5,
      callback: {
        toString: () => {
          throw new Error('no');
        },
      },
    },
    { callback: Symbol('callback') },
    {
      get kind() {
        throw new Error('unreadable');
      },
    },
    Symbol('options'),
    5,
  ])('ignores options that are none', async (options) => {
    const { tracer, spans } = traced();
    expect(
      tracer.trace(options as never, function work(value: number) {
        return value;
      })(7),
    ).toBe(7);
    expect(await names(spans)).toEqual(['work']);
  });
});

describe('a decorated method', () => {
  it('is a span for each call: bare, called, named and with options, static, private and symbol-named', async () => {
    const { tracer, spans } = traced();
    const { trace } = tracer;
    const secret = Symbol('secret');
    class Orders {
      readonly prefix = 'order';
      @trace place(id: string): string {
        return `${this.prefix} ${id}`;
      }
      @trace() cancel(): string {
        return this.#audit();
      }
      @trace('orders.find') static find(): string {
        return 'found';
      }
      @trace({ name: 'orders.pay', kind: SpanKind.CLIENT }) async pay(): Promise<string> {
        return this.prefix;
      }
      @trace #audit(): string {
        return `${this.prefix} audited`;
      }
      @trace [secret](): string {
        return 'by symbol';
      }
    }
    const orders = new Orders();
    expect([orders.place('1'), orders.cancel(), Orders.find(), await orders.pay(), orders[secret]()]).toEqual([
      'order 1',
      'order audited',
      'found',
      'order',
      'by symbol',
    ]);
    expect(await names(spans)).toEqual(['place', '#audit', 'cancel', 'orders.find', 'orders.pay', '[secret]']);
    expectTypeOf(orders.place).toEqualTypeOf<(id: string) => string>();
  });

  it('may be decorated the legacy way, bare and called', async () => {
    const { tracer, spans } = traced();
    class Legacy {
      readonly name = 'you';
      greet(): string {
        return `hello ${this.name}`;
      }
      bye(): string {
        return `bye ${this.name}`;
      }
    }
    // What TypeScript emits with experimentalDecorators.
    const decorate = (key: 'greet' | 'bye', decorator: (...args: never[]) => unknown): void => {
      const descriptor = Object.getOwnPropertyDescriptor(Legacy.prototype, key) as PropertyDescriptor;
      const replaced = Reflect.apply(decorator, undefined, [Legacy.prototype, key, descriptor]) as PropertyDescriptor;
      Object.defineProperty(Legacy.prototype, key, replaced);
    };
    decorate('greet', tracer.trace as never);
    decorate('bye', tracer.trace({ name: 'farewell' }) as never);
    const legacy = new Legacy();
    expect([legacy.greet(), legacy.bye()]).toEqual(['hello you', 'bye you']);
    expect(await names(spans)).toEqual(['greet', 'farewell']);
  });

  it('is left as it is when the decorator is put on something else', () => {
    const { tracer } = traced();
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('no');
        },
        has: () => {
          throw new Error('no');
        },
      },
    );
    const decorator = tracer.trace() as unknown as (...args: unknown[]) => unknown;
    const bare = tracer.trace as unknown as (...args: unknown[]) => unknown;
    expect(decorator(hostile, 'key', hostile)).toBeUndefined();
    expect(decorator(class {}, { kind: 'class', name: 'X', addInitializer: () => {} })).toBeUndefined();
    expect(() => bare(hostile, hostile, hostile)).not.toThrow();
    expect(() => bare({}, hostile)).not.toThrow();
  });
});

describe("a registry's trace", () => {
  it('finds the tenant at each call, also when it changes between calls and inside one', async () => {
    const exporters = new Map<string, InMemorySpanExporter>();
    const registry = new TracerRegistry({
      configure: (tenantId) => {
        const exporter = new InMemorySpanExporter();
        exporters.set(tenantId, exporter);
        return { exporter };
      },
      logger: SILENT,
      platform: false,
    });
    cleanups.push(() => registry.shutdown());
    const { trace } = registry;
    const step = trace('step', (then?: () => unknown) => then?.());
    class Job {
      @trace() run(): unknown {
        return step();
      }
      @trace static sweep(): void {}
    }
    const job = new Job();
    expect(step(() => 'outside')).toBe('outside');
    registry.run('a', () => job.run());
    registry.run('b', () => job.run());
    registry.run('a', () => step(() => registry.run('b', () => step(() => registry.run('a', () => Job.sweep())))));
    await registry.flush();
    const of = (tenantId: string) => exporters.get(tenantId)?.getFinishedSpans() ?? [];
    expect(of('a').map(({ name }) => name)).toEqual(['step', 'run', 'sweep', 'step']);
    expect(of('b').map(({ name }) => name)).toEqual(['step', 'run', 'step']);
    const [, , sweep, outer] = of('a');
    expect(sweep?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
    expect(of('b')[2]?.parentSpanContext).toBeUndefined();
  });
});

describe('the types of trace', () => {
  it('keep the function and refuse what is none', () => {
    const { tracer } = traced();
    const { trace } = tracer;
    const overloaded = trace(function parse(value: unknown): unknown {
      return value;
    } as { (value: string): number; (value: number): string });
    expectTypeOf(overloaded('1')).toEqualTypeOf<number>();
    expectTypeOf(overloaded(1)).toEqualTypeOf<string>();
    const generic = trace('first', <T>(list: readonly T[]): T | undefined => list[0]);
    expectTypeOf(generic([1])).toEqualTypeOf<number | undefined>();
    expectTypeOf(trace('async', async (id: number) => ({ id }))).toEqualTypeOf<
      (id: number) => Promise<{ id: number }>
    >();
    // @ts-expect-error a name needs a function or nothing
    trace('name', 5);
    // @ts-expect-error there is no such option
    trace({ colour: 'red' }, () => 1);
    // @ts-expect-error a callback is named by its index
    trace({ callback: 'last' }, () => 1);
    class Wrong {
      // @ts-expect-error a field is no method
      @trace field = 1;
    }
    expect(new Wrong().field).toBe(1);
  });
});
