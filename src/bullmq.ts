import type { TracerRegistry } from './core/registry.ts';
import type { TracerBase } from './core/tracer-base.ts';
import { MessageConsumer } from './integration/consuming.ts';
import type { MessageFacts } from './integration/message-facts.ts';
import type { MessagingOptions } from './integration/messaging-options.ts';
import { publishing } from './integration/publishing.ts';
import { interceptProperty } from './processing/intercept-property.ts';

export type { MessagingOptions } from './integration/messaging-options.ts';

/** What isotrace uses of a BullMQ `Job`. */
export interface BullJob {
  /** As BullMQ has it. */
  readonly id?: string | undefined;
  readonly name: string;
  readonly queueName: string;
  readonly attemptsMade: number;
  readonly data: unknown;
  readonly opts: { readonly telemetry?: { readonly metadata?: string | undefined } | undefined };
}

/** What isotrace uses of a BullMQ `Queue`. */
export interface BullQueue {
  readonly name: string;
  /** As BullMQ has it. */
  add(...args: never[]): Promise<unknown>;
  /** As BullMQ has it. */
  addBulk(...args: never[]): Promise<unknown>;
}

/** What isotrace uses of a BullMQ `FlowProducer`. */
export interface BullFlowProducer {
  /** As BullMQ has it. */
  add(...args: never[]): Promise<unknown>;
  /** As BullMQ has it. */
  addBulk(...args: never[]): Promise<unknown>;
}

/** The two ends of BullMQ's queues. */
export interface BullTracing<Job extends BullJob> {
  /**
   * From now on, the jobs that are added carry the trace of the tenant that adds them, in `opts.telemetry.metadata`. Jobs
   * of schedulers carry none: each starts a trace. Answers the same queue.
   */
  queue<Q extends BullQueue>(queue: Q): Q;
  /** The same for the jobs of flows, children included. Answers the same producer. */
  flowProducer<F extends BullFlowProducer>(producer: F): F;
  /** Wraps the processor of a worker: each attempt at a job runs as its tenant, inside one CONSUMER span. */
  processor<J extends Job, Rest extends readonly unknown[], T>(
    processor: (job: J, ...rest: Rest) => Promise<T>,
  ): (job: J, ...rest: Rest) => Promise<T>;
}

interface JobOptions {
  readonly telemetry?: { readonly metadata?: string | undefined; readonly omitContext?: boolean | undefined };
}
interface NewJob {
  readonly name: string;
  readonly queueName?: string;
  readonly opts?: JobOptions | undefined;
  readonly children?: readonly NewJob[] | undefined;
}

const SYSTEM = 'bullmq';
/** Far more than any flow has; beyond that jobs are added without a trace. */
const MAX_JOBS = 10_000;
/** What a processor throws to say what is to become of its job. */
const NO_ERRORS: ReadonlySet<unknown> = new Set(['DelayedError', 'WaitingError', 'WaitingChildrenError']);
const RATE_LIMITED = 'bullmq:rateLimitExceeded';

/**
 * For BullMQ: jobs carry the trace of their tenant from where they are added to where they are processed. `tenant` gets
 * the job. Leave BullMQ's own option `telemetry` unset.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function bullmq<Job extends BullJob = BullJob>(
  registry: TracerRegistry<TracerBase>,
  options: MessagingOptions<Job>,
): BullTracing<Job> {
  const consumer = new MessageConsumer<Job>('bullmq', registry, options);
  return {
    queue: (queue) => {
      const { add, addBulk } = queue as unknown as Record<'add' | 'addBulk', (...args: unknown[]) => Promise<unknown>>;
      interceptProperty(queue, 'add', function (this: unknown, name: string, data: unknown, opts?: JobOptions) {
        const carried = new Carried([{ name, opts }]);
        const facts = { system: SYSTEM, destination: queue.name, operation: 'add', attributes: nameOf(name) };
        return publishing(registry, { ...facts, carriers: carried.carriers, finalAttributes: idOf }, () =>
          Reflect.apply(add, this, [name, data, carried.jobs[0]?.opts]),
        );
      });
      interceptProperty(queue, 'addBulk', function (this: unknown, jobs: readonly NewJob[]) {
        const carried = new Carried(jobs);
        return publishing(registry, bulk('addBulk', queue.name, carried), () =>
          Reflect.apply(addBulk, this, [carried.jobs]),
        );
      });
      return queue;
    },
    flowProducer: (producer) => {
      const { add, addBulk } = producer as unknown as Record<
        'add' | 'addBulk',
        (...args: unknown[]) => Promise<unknown>
      >;
      interceptProperty(producer, 'add', function (this: unknown, flow: NewJob, ...rest: unknown[]) {
        const carried = new Carried([flow]);
        return publishing(registry, bulk('addFlow', flow?.queueName, carried), () =>
          Reflect.apply(add, this, [carried.jobs[0], ...rest]),
        );
      });
      interceptProperty(producer, 'addBulk', function (this: unknown, flows: readonly NewJob[], ...rest: unknown[]) {
        const carried = new Carried(flows);
        return publishing(registry, bulk('addBulkFlows', carried.queueName, carried), () =>
          Reflect.apply(addBulk, this, [carried.jobs, ...rest]),
        );
      });
      return producer;
    },
    processor:
      (processor) =>
      async (job, ...rest) =>
        consumer.handle(
          {
            message: job,
            carrier: () => readMetadata(job.opts.telemetry?.metadata),
            facts: () => factsOf(job),
            isError,
          },
          () => processor(job, ...rest),
        ),
  };
}

/** Jobs that are to be added, each with options whose telemetry is written when it is serialised: after the injection. */
class Carried {
  readonly jobs: readonly NewJob[];
  readonly carriers: object[] = [];
  /** Of all jobs, children included. */
  count = 0;
  /** The queue, if it is the same for all. */
  readonly queueName: string | undefined;

  /** What are no jobs goes on as it is: BullMQ refuses it itself. */
  constructor(jobs: readonly NewJob[]) {
    this.jobs = Array.isArray(jobs) ? jobs.map((job: NewJob) => this.#carry(job)) : jobs;
    const names = new Set(Array.isArray(jobs) ? jobs.map((job: NewJob | undefined) => job?.queueName) : []);
    this.queueName = names.size === 1 ? [...names][0] : undefined;
  }

  #carry(job: NewJob): NewJob {
    if (typeof job !== 'object' || job === null || this.carriers.length >= MAX_JOBS) return job;
    this.count += 1;
    const { opts, children } = job;
    const { telemetry } = opts ?? {};
    const isCarried = telemetry?.omitContext === true || telemetry?.metadata !== undefined;
    const carrier: Record<string, string> = {};
    if (!isCarried) this.carriers.push(carrier);
    return {
      ...job,
      ...(!isCarried && { opts: withMetadata(opts, carrier) }),
      ...(Array.isArray(children) && { children: children.map((child: NewJob) => this.#carry(child)) }),
    };
  }
}

/** BullMQ reads options once a job is added, which is when the carrier has been filled. */
function withMetadata(opts: JobOptions | undefined, carrier: Record<string, string>): JobOptions {
  const telemetry = {
    get metadata(): string | undefined {
      return Object.keys(carrier).length === 0 ? undefined : JSON.stringify(carrier);
    },
  };
  return { ...opts, telemetry };
}

function readMetadata(metadata: unknown): unknown {
  try {
    return typeof metadata === 'string' ? JSON.parse(metadata) : undefined;
  } catch {
    return undefined;
  }
}

function bulk(operation: string, queueName: string | undefined, { carriers, count }: Carried) {
  return { system: SYSTEM, destination: queueName, operation, batchSize: count, carriers };
}

function factsOf({ id, name, queueName, attemptsMade }: BullJob): MessageFacts {
  const attributes = { ...nameOf(name), 'bullmq.job.attempts.made': attemptsMade };
  return { system: SYSTEM, destination: queueName, messageId: id, attributes };
}

function nameOf(name: string): Record<string, string> {
  return { 'bullmq.job.name': name };
}

function idOf(job: unknown): Record<string, string> | undefined {
  const { id } = job as BullJob;
  return id === undefined ? undefined : { 'messaging.message.id': id };
}

function isError(error: unknown): boolean {
  const { name, message } = (error ?? {}) as Partial<Error>;
  return !NO_ERRORS.has(name) && message !== RATE_LIMITED;
}
