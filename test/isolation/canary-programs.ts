import { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';
import { type Context, context as contextApi, propagation, type Span, trace } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import fc from 'fast-check';
import { traced } from '../../src/index.ts';
import {
  type CanaryTenant,
  type CanaryTracer,
  type CanaryWorld,
  type ExpectedSpan,
  enter,
  enterSpan,
  type Frame,
  OUTSIDE,
} from './canary-world.ts';

/** One piece of work: what a tenant does, often together with another one, and the work inside it. */
export interface Work {
  readonly kind: WorkKind;
  /** Tenants and variants, by numbers of which the remainder counts. */
  readonly tenant: number;
  readonly other: number;
  readonly variant: number;
  readonly inner: readonly Work[];
}

/** What one piece of work can use: where it runs, who does it, and the work inside it. */
interface Task {
  readonly run: CanaryRun;
  readonly frame: Frame;
  readonly tenant: CanaryTenant;
  readonly tracer: CanaryTracer;
  readonly other: CanaryTenant;
  readonly otherTracer: CanaryTracer;
  readonly variant: number;
  /** Does what is inside, and looks at the context before, between and after. */
  inside(frame: Frame): Promise<void>;
}

/** A wrapper at module scope: it finds the tenant, and its registry, when it is called. */
const wrappedAtModuleScope = traced({ name: 'wrapped' }, (body: () => Promise<void>) => body());

/** One execution of several tenants' work at the same time. The scheduler chooses who goes on at each step. */
export class CanaryRun {
  readonly world: CanaryWorld;
  /** How often some work waited for its turn. */
  steps = 0;
  /** What was done. */
  readonly kinds: WorkKind[] = [];
  readonly jobs: (() => void)[] = [];
  readonly captured: { readonly context: Context; readonly frame: Frame }[] = [];
  shared: Promise<void> | undefined;
  readonly #scheduler: fc.Scheduler;
  readonly #tenants: readonly number[];

  constructor(world: CanaryWorld, scheduler: fc.Scheduler, tenants: readonly number[]) {
    this.world = world;
    this.#scheduler = scheduler;
    this.#tenants = tenants;
  }

  /** Each program starts in a tenant. What is left over in the end runs outside of all. */
  async perform(works: readonly Work[]): Promise<void> {
    const all = works.map((work) => {
      const tenant = this.tenant(work.other);
      return this.world.registry.run(tenant.id, () => this.do(work, enter(OUTSIDE, tenant)));
    });
    await this.#scheduler.waitFor(Promise.all(all));
    this.runJobs();
    this.world.check(OUTSIDE);
  }

  async do(work: Work, frame: Frame): Promise<void> {
    const { world } = this;
    const [tenant, other] = [this.tenant(work.tenant), this.tenant(work.other)];
    this.kinds.push(work.kind);
    world.check(frame);
    if (work.variant % 3 === 1) world.measure(work.variant % 2 === 0 ? tenant : other);
    if (work.variant % 3 === 0) world.log(frame, work.variant % 2 === 0 ? tenant : other);
    await KINDS[work.kind]({
      run: this,
      frame,
      tenant,
      other,
      tracer: world.tracer(tenant),
      otherTracer: world.tracer(other),
      variant: work.variant,
      inside: async (inner) => {
        world.check(inner);
        await this.step();
        world.check(inner);
        for (const next of work.inner) await this.do(next, inner);
        world.check(inner);
      },
    });
    world.check(frame);
  }

  tenant(number: number): CanaryTenant {
    return this.world.tenants[this.#tenants[number % this.#tenants.length] as number] as CanaryTenant;
  }

  async step(): Promise<void> {
    this.steps += 1;
    await this.#scheduler.schedule(Promise.resolve());
  }

  /** Whether a tenant has a span of its own, which records, around the running code. */
  ownSpan(frame: Frame, tenant: CanaryTenant): boolean {
    const own = frame.own.get(tenant);
    return own !== undefined && 'key' in own;
  }

  runJobs(): void {
    for (const job of this.jobs.splice(0)) job();
  }

  /** Expects a span, and says what to do when its function is running. */
  begin(
    frame: Frame,
    tenant: CanaryTenant,
  ): { frame: Frame; mark(span?: Span): Frame; expected: ExpectedSpan | undefined } {
    const expected = this.world.expectSpan(frame, tenant);
    const inside = enterSpan(frame, expected, tenant);
    const mark = (span = trace.getActiveSpan()): Frame => {
      if (expected !== undefined && span === undefined) throw new Error('no span is active');
      if (expected !== undefined && span !== undefined) this.world.mark(expected, span);
      this.world.check(inside);
      return inside;
    };
    return { frame: inside, mark, expected };
  }

  /** A span that starts and ends at once. */
  spanNow(frame: Frame, tenant: CanaryTenant): void {
    const { mark } = this.begin(frame, tenant);
    this.world.tracer(tenant).withSpan('now', () => void mark());
    this.world.check(frame);
  }
}

export const KINDS = {
  withSpan: ({ run, frame, tenant, tracer, inside }: Task) => {
    const { mark } = run.begin(frame, tenant);
    return tracer.withSpan('withSpan', () => inside(mark()));
  },

  nestedNow: ({ run, frame, tenant, tracer, other, otherTracer }: Task) => {
    const outer = run.begin(frame, tenant);
    tracer.withSpan('outer', () => {
      const inner = run.begin(outer.mark(), other);
      otherTracer.withSpan('inner', () => run.spanNow(inner.mark(), tenant));
    });
    return Promise.resolve();
  },

  startActiveSpan: ({ run, frame, tenant, tracer, inside }: Task) => {
    const { mark } = run.begin(frame, tenant);
    return tracer.startActiveSpan('startActiveSpan', async (span) => {
      await inside(mark());
      span.end();
    });
  },

  manual: async ({ run, frame, tenant, tracer, inside }: Task) => {
    const { mark, expected } = run.begin(frame, tenant);
    if (expected === undefined) return;
    const span = tracer.startSpan('manual');
    await contextApi.with(trace.setSpan(contextApi.active(), span), () => inside(mark(span)));
    span.end();
  },

  registryRun: ({ run, frame, tenant, inside }: Task) =>
    run.world.registry.run(tenant.id, () => inside(enter(frame, tenant))),

  registryWrapper: ({ run, frame, inside }: Task) => {
    const { mark } = run.begin(frame, frame.tenant as CanaryTenant);
    return run.world.wrapped(() => inside(mark()));
  },

  moduleWrapper: ({ run, frame, inside }: Task) => {
    const { mark } = run.begin(frame, frame.tenant as CanaryTenant);
    return wrappedAtModuleScope(() => inside(mark()));
  },

  generator: async ({ run, frame, tenant, tracer, other, otherTracer, variant }: Task) => {
    const made = run.begin(frame, tenant);
    const generator = tracer.trace('generator', function* () {
      run.spanNow(made.mark(), other);
      yield 1;
      run.spanNow(made.frame, tenant);
      yield 2;
      run.world.check(made.frame);
    })();
    const { mark } = run.begin(frame, other);
    await otherTracer.withSpan('consumer', async () => {
      const consumer = mark();
      for (const value of generator) {
        run.world.check(consumer);
        await run.step();
        if (value === variant % 3) break;
      }
    });
  },

  asyncGenerator: async ({ run, frame, tenant, tracer, other, otherTracer, variant, inside }: Task) => {
    const made = run.begin(frame, tenant);
    const generator = tracer.trace('async generator', async function* () {
      made.mark();
      await run.step();
      yield 1;
      await inside(made.frame);
      yield 2;
      run.spanNow(made.frame, tenant);
    })();
    const { mark } = run.begin(frame, other);
    await otherTracer.withSpan('consumer', async () => {
      const consumer = mark();
      for await (const value of generator) {
        run.world.check(consumer);
        await run.step();
        if (value === variant % 3) break;
      }
      run.spanNow(consumer, other);
    });
  },

  nodeStream: async ({ run, frame, tenant, tracer, other, otherTracer }: Task) => {
    const made = run.begin(frame, tenant);
    const stream = tracer.trace('stream', () => {
      made.mark();
      let left = 3;
      return new Readable({
        objectMode: true,
        read() {
          run.spanNow(made.frame, tenant);
          this.push(left-- > 0 ? left : null);
        },
      });
    })();
    const { mark } = run.begin(frame, other);
    await otherTracer.withSpan('consumer', async () => {
      const consumer = mark();
      for await (const _ of stream) {
        run.world.check(consumer);
        await run.step();
      }
      run.spanNow(consumer, other);
    });
  },

  webStream: async ({ run, frame, tenant, tracer, other, otherTracer, variant }: Task) => {
    const made = run.begin(frame, tenant);
    const stream = tracer.trace('web stream', () => {
      made.mark();
      let left = 3;
      return new ReadableStream<number>(
        {
          async pull(controller) {
            run.spanNow(made.frame, tenant);
            await Promise.resolve();
            run.world.check(made.frame);
            if (left-- > 0) controller.enqueue(left);
            else controller.close();
          },
        },
        { highWaterMark: variant % 3 },
      );
    })();
    const { mark } = run.begin(frame, other);
    await otherTracer.withSpan('consumer', async () => {
      const consumer = mark();
      const reader = stream.getReader();
      while (!(await reader.read()).done) {
        run.world.check(consumer);
        await run.step();
      }
    });
  },

  emitter: async ({ run, frame, tenant, tracer, other, otherTracer }: Task) => {
    const { emitter } = run.world;
    const event = Symbol('event');
    const binder = run.begin(frame, tenant);
    tracer.withSpan('binder', () => {
      const bound = binder.mark();
      tracer.bind(emitter).once(event, () => run.spanNow(bound, tenant));
      otherTracer.bind(emitter).on(event, () => run.spanNow(enter(bound, other), other));
    });
    const { mark } = run.begin(frame, other);
    await otherTracer.withSpan('emits', async () => {
      const emits = mark();
      await run.step();
      for (let count = 0; count < 2; count += 1) {
        emitter.emit(event);
        run.world.check(emits);
      }
    });
    emitter.removeAllListeners(event);
  },

  timer: ({ run, frame, tenant, tracer, variant }: Task) => {
    const { mark } = run.begin(frame, tenant);
    return tracer.withSpan('timer', async () => {
      const inside = mark();
      const after = [setImmediate, process.nextTick, queueMicrotask, setTimeout][variant % 4] as typeof setImmediate;
      await new Promise<void>((resolve, reject) => {
        after(() => {
          try {
            resolve(run.spanNow(inside, tenant));
          } catch (error) {
            reject(error as Error);
          }
        });
      });
      run.world.check(inside);
    });
  },

  sharedPromise: async ({ run, frame, inside }: Task) => {
    const compute = (): Promise<void> => {
      const { mark } = run.begin(frame, frame.tenant as CanaryTenant);
      return wrappedAtModuleScope(async () => {
        const computing = mark();
        await run.step();
        run.world.check(computing);
      });
    };
    run.shared ??= compute();
    await run.shared;
    await inside(frame);
  },

  job: ({ run, frame, tenant, tracer }: Task) => {
    const bound = enter(frame, tenant);
    run.jobs.push(tracer.bind(() => run.spanNow(bound, tenant)));
    return Promise.resolve();
  },

  worker: async ({ run, frame, tenant, tracer }: Task) => {
    const { mark } = run.begin(frame, tenant);
    await tracer.withSpan('worker', async () => {
      const working = mark();
      await run.step();
      run.runJobs();
      run.world.check(working);
    });
  },

  keepContext: async ({ run, frame, inside }: Task) => {
    run.captured.push({ context: contextApi.active(), frame });
    await inside(frame);
  },

  resumeContext: async ({ run, inside }: Task) => {
    const kept = run.captured.shift();
    if (kept !== undefined) await contextApi.with(kept.context, () => inside(kept.frame));
  },

  withBaggage: ({ run, frame, tenant, tracer, inside }: Task) => {
    const value = `${tenant.secret}.${run.steps}`;
    const baggage = new Map(frame.baggage).set(tenant, value);
    return tracer.withBaggage({ canary: value, private: value }, () => inside(enter(frame, tenant, { baggage })));
  },

  hostBaggage: ({ frame, inside }: Task) => {
    const tenant = frame.tenant as CanaryTenant;
    const value = `${tenant.secret}.host`;
    const context = propagation.setBaggage(
      contextApi.active(),
      propagation.createBaggage({ canary: { value }, private: { value } }),
    );
    const baggage = new Map(frame.baggage).set(tenant, value);
    return contextApi.with(context, () => inside({ ...frame, baggage }));
  },

  withSession: ({ run, frame, tenant, tracer, inside }: Task) => {
    const id = `${tenant.secret}.${run.steps}`;
    const session = new Map(frame.session).set(tenant, id);
    return tracer.withSession(id, () => inside(enter(frame, tenant, { session })));
  },

  describedSession: ({ run, frame, tenant, tracer, other, otherTracer, inside }: Task) => {
    const id = `${tenant.secret}.${run.steps}`;
    const session = new Map(frame.session).set(tenant, id);
    const said = { id, name: tenant.secret, inputs: { canary: tenant.secret }, userProperties: { id: tenant.secret } };
    return tracer.withSession(said, async () => {
      const { mark } = run.begin(enter(frame, tenant, { session }), tenant);
      await tracer.withSpan('root of the session', async () => {
        const root = mark();
        await inside(root);
        tracer.enrichSession({ outputs: tenant.secret });
        // The other one is not in this session, whatever it is in.
        if (otherTracer.sessionId() !== undefined && tenant !== other && root.session.get(other) === undefined) {
          throw new Error('another session is seen');
        }
      });
    });
  },

  captured: async ({ run, frame, tenant, tracer, other, otherTracer, inside }: Task) => {
    const { mark } = run.begin(frame, tenant);
    const work = async (argument: { secret: string }) => {
      const working = mark();
      await inside(working);
      for (const each of [
        { tenant, tracer },
        { tenant: other, tracer: otherTracer },
      ]) {
        const enriched = each.tracer.enrichSpan({ metadata: { canary: each.tenant.secret } });
        if (enriched !== run.ownSpan(working, each.tenant)) {
          throw new Error('a span of another tenant was enriched, or its own was not');
        }
      }
      return { result: argument.secret };
    };
    await tracer.trace({ name: 'captured', capture: true }, work)({ secret: tenant.secret });
  },

  conversation: ({ frame, tenant, tracer, inside }: Task) =>
    tracer.withConversation(`talk ${tenant.secret}`, () => inside(enter(frame, tenant))),

  inject: async ({ run, frame, tenant, tracer, other, otherTracer }: Task) => {
    run.world.checkCarrier(frame, tenant, tracer.inject<Record<string, string>>({}));
    await run.step();
    run.world.checkCarrier(frame, other, otherTracer.inject<Record<string, string>>({}));
  },

  continueFrom: ({ run, frame, tenant, tracer, variant, inside }: Task) => {
    const remote = run.world.remoteSpan(tenant);
    const value = `${tenant.secret}.inbound`;
    const headers = {
      traceparent: `00-${remote.traceId}-${remote.spanId}-01`,
      tracestate: `canary=${tenant.secret}`,
      baggage: `canary=${value},private=${value}`,
    };
    const incoming = (['parent', 'link', 'ignore'] as const)[variant % 3] ?? 'parent';
    const own = new Map(frame.own);
    if (incoming === 'parent') own.set(tenant, remote);
    else own.delete(tenant);
    const baggage = incoming === 'ignore' ? frame.baggage : new Map(frame.baggage).set(tenant, value);
    const link = incoming === 'link' ? remote : undefined;
    return tracer.continueFrom(headers, { incoming }, () => inside(enter(frame, tenant, { own, baggage, link })));
  },

  suppress: ({ frame, inside }: Task) => {
    const suppressed = new Set(frame.suppressed).add(frame.tenant as CanaryTenant);
    return contextApi.with(suppressTracing(contextApi.active()), () => inside({ ...frame, suppressed }));
  },

  failure: async ({ run, frame, tenant, tracer, inside }: Task) => {
    const error = new Error(`failed ${tenant.secret}`);
    const { mark } = run.begin(frame, tenant);
    const work = async (): Promise<void> => {
      await inside(mark());
      throw error;
    };
    try {
      await tracer.withSpan('failure', work);
    } catch (caught) {
      if (caught !== error) throw caught;
    }
  },
} satisfies Record<string, (task: Task) => Promise<void>>;

export type WorkKind = keyof typeof KINDS;

const number = fc.nat({ max: 999 });

function work(inner: fc.Arbitrary<Work[]>): fc.Arbitrary<Work> {
  const kind = fc.constantFrom(...(Object.keys(KINDS) as WorkKind[]));
  return fc.record({ kind, tenant: number, other: number, variant: number, inner });
}

const innermost = fc.array(work(fc.constant([])), { maxLength: 1 });

/** The programs of one run, and the few tenants of the world whose work they are, so that these meet again and again. */
export interface Programs {
  readonly tenants: readonly number[];
  readonly works: readonly Work[];
}

/** Three or four programs of random work, up to three pieces one inside the other, of four of so many tenants. */
export function programsFor(tenantCount: number): fc.Arbitrary<Programs> {
  const tenants = fc.uniqueArray(fc.nat({ max: tenantCount - 1 }), { minLength: 4, maxLength: 4 });
  const works = fc.array(work(fc.array(work(innermost), { maxLength: 2 })), { minLength: 3, maxLength: 4 });
  return fc.record({ tenants, works });
}
