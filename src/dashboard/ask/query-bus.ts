import {
  type CustomMessage,
  type CustomMessages,
  type CustomValue,
  fail,
  succeed,
  typeOfMessage,
} from '../../utils/bus-result.ts';
import type { Clock } from '../../utils/clock.ts';
import { type ConfigIssue, describeError } from '../../utils/errors.ts';
import { describeIssues } from '../../utils/message-fields.ts';
import { VERSION } from '../../utils/version.ts';
import { isWell, type TenantHealth } from '../server/tenant-health.ts';
import { StoreError } from '../store/store-error.ts';
import { isQuestionType, readQuestion, searchOf, stepMillisOf } from './check-question.ts';
import { type QueryBusOptions, type QueryTarget, resolveQueryBus } from './query-bus-options.ts';
import { AskError, type QuerySource, STRANGE_ANSWER } from './query-source.ts';
import type {
  AnswerValues,
  HealthAnswer,
  MetricValuesAnswer,
  QueryResult,
  Question,
  StatusAnswer,
} from './question.ts';

/** What a handler is told besides the question. */
export interface QueryContext {
  readonly tenants: 'all' | readonly string[];
  /** Asks the bus itself. */
  readonly ask: QueryBus['ask'];
}

/** Asks about the telemetry of the tenants that it was made for, and of no other. No method throws. */
export interface QueryBus<Custom extends CustomMessages = Record<never, never>> {
  /** What is wrong with how it was made. Without a source or tenants that can be asked, every answer is `refused`. */
  readonly issues: readonly ConfigIssue[];
  /** Never rejects, whatever it is given, and answers in time. */
  ask<Q extends Question>(question: Q): Promise<QueryResult<AnswerValues[Q['type']]>>;
  ask<K extends keyof Custom & string>(
    question: CustomMessage<Custom, K>,
  ): Promise<QueryResult<CustomValue<Custom, K>>>;
  /**
   * Has questions of a type of one's own answered by `handler`, until what is answered is called. What it throws or
   * rejects with is the question's failure. A type that is known already stays as it is.
   */
  register<K extends keyof Custom & string>(
    type: K,
    handler: (question: CustomMessage<Custom, K>, context: QueryContext) => ReturnType<Custom[K]>,
  ): () => void;
}

type Handler = (question: unknown, context: QueryContext) => unknown;

const MAX_UNDER_WAY = 1_000;
const DEFAULT_SPANS = 10_000;

/** A bus for questions about some tenants. Never throws; what is wrong is in its `issues`. */
export function createQueryBus<Custom extends CustomMessages = Record<never, never>>(
  target: QueryTarget,
  options: QueryBusOptions,
): QueryBus<Custom> {
  return new SourceQueryBus(target, options) as unknown as QueryBus<Custom>;
}

class SourceQueryBus {
  readonly issues: readonly ConfigIssue[];
  readonly #source: QuerySource | undefined;
  readonly #clock: Clock;
  readonly #timeoutMillis: number;
  readonly #madeAt: number;
  readonly #handlers = new Map<string, Handler>();
  #underWay = 0;

  constructor(target: QueryTarget, options: QueryBusOptions) {
    const { source, clock, timeoutMillis, issues } = resolveQueryBus(target, options);
    this.issues = issues;
    this.#source = source;
    this.#clock = clock;
    this.#timeoutMillis = timeoutMillis;
    this.#madeAt = clock.monotonic();
  }

  async ask(given: unknown): Promise<QueryResult> {
    if (this.#underWay >= MAX_UNDER_WAY) return fail('overloaded', `${MAX_UNDER_WAY} questions are under way`);
    this.#underWay += 1;
    const controller = new AbortController();
    let timer: ReturnType<Clock['schedule']> | undefined;
    const late = new Promise<QueryResult>((resolve) => {
      const tell = (): void => resolve(fail('timeout', `there was no answer within ${this.#timeoutMillis} ms`));
      // The host waits for the answer.
      timer = this.#clock.schedule(tell, this.#timeoutMillis, true);
    });
    try {
      return await Promise.race([this.#run(given, controller.signal), late]);
    } catch (error) {
      return failureOf(error, this.#source);
    } finally {
      timer?.cancel();
      controller.abort();
      this.#underWay -= 1;
    }
  }

  register(type: string, handler: Handler): () => void {
    const isFree = typeof type === 'string' && type !== '' && !isQuestionType(type) && !this.#handlers.has(type);
    if (!isFree || typeof handler !== 'function') return () => undefined;
    this.#handlers.set(type, handler);
    return () => {
      if (this.#handlers.get(type) === handler) this.#handlers.delete(type);
    };
  }

  async #run(given: unknown, signal: AbortSignal): Promise<QueryResult> {
    const type = typeOfMessage(given);
    if (type === undefined) {
      const issue = { option: 'type', accepted: 'the type of a question', received: typeof given };
      return fail('invalid', 'this is no question', [issue]);
    }
    const source = this.#source;
    if (source === undefined) return fail('refused', describeIssues(this.issues), this.issues);
    const handler = this.#handlers.get(type);
    if (handler !== undefined) {
      const ask = ((question: unknown) => this.ask(question)) as QueryBus['ask'];
      try {
        return succeed(await handler(given, { tenants: tenantsOf(source), ask }));
      } catch (error) {
        return fail('failed', describeError(error));
      }
    }
    if (!isQuestionType(type)) return fail('unknown_type', `there is no question ${JSON.stringify(type.slice(0, 40))}`);
    const read = readQuestion(type, given);
    if ('issues' in read) return fail('invalid', describeIssues(read.issues), read.issues);
    return succeed(await this.#answer(source, read.question, signal));
  }

  #answer(source: QuerySource, question: Question, signal: AbortSignal): Promise<unknown> {
    const now = this.#clock.now();
    switch (question.type) {
      case 'getLogs':
        return source.getLogs(searchOf(question, 'logs', now), signal);
      case 'getTrace':
        return source.getTrace(question.traceId.toLowerCase(), question.limit ?? DEFAULT_SPANS, signal);
      case 'searchTraces': {
        const { order = 'newest' } = question;
        return source.listTraces({ ...searchOf(question, 'traces', now), order }, signal);
      }
      case 'getMetric':
      case 'aggregateMetrics': {
        const search = searchOf(question, 'metrics', now);
        const isTogether = question.type === 'aggregateMetrics';
        const metric = {
          name: question.name,
          stepMillis: stepMillisOf(question.stepMillis, search.range, now),
          aggregation: isTogether ? question.aggregation : undefined,
          groupBy: isTogether ? (question.groupBy ?? ['tenant']) : [],
        };
        return source.queryMetric({ ...search, ...metric }, signal).then(withNumbers);
      }
      case 'getHealth':
        return healthOf(source, signal, question.limit);
      case 'getStatus':
        return this.#status(source, signal, question.limit);
    }
  }

  async #status(source: QuerySource, signal: AbortSignal, limit = 100): Promise<StatusAnswer> {
    const [store, { tenants }] = await Promise.all([source.stats(signal), source.health(limit, signal)]);
    return {
      version: VERSION,
      source: source.kind,
      tenants: tenantsOf(source),
      uptimeMillis: this.#clock.monotonic() - this.#madeAt,
      store,
      tracers: tenants.map(({ tenant, state, started, open, signals }) => ({ tenant, state, started, open, signals })),
    };
  }
}

async function healthOf(source: QuerySource, signal: AbortSignal, limit = 100): Promise<HealthAnswer> {
  try {
    const [{ notices }, { tenants, more }] = await Promise.all([source.stats(signal), source.health(limit, signal)]);
    return { ok: tenants.every((tenant) => isWell(tenant as TenantHealth)), problem: '', notices, tenants, more };
  } catch (error) {
    const failure = failureOf(error, source);
    return { ok: false, problem: failure.ok ? '' : failure.message, notices: [], tenants: [], more: 0 };
  }
}

/** Values that JSON does not have came as texts. */
function withNumbers(answer: MetricValuesAnswer): MetricValuesAnswer {
  const series = answer.series.map(({ points, exemplars, ...rest }) => ({
    ...rest,
    points: points.map(([timeMillis, value]) => [timeMillis, Number(value)] as const),
    exemplars: exemplars.map((exemplar) => ({ ...exemplar, value: Number(exemplar.value) })),
  }));
  return { ...answer, series };
}

function tenantsOf({ scope }: QuerySource): 'all' | readonly string[] {
  return scope === 'all' ? 'all' : [...scope];
}

/** What other errors say may hold what is in the question. */
function failureOf(error: unknown, source: QuerySource | undefined): QueryResult<never> {
  if (error instanceof AskError) return fail(error.reason, error.message);
  const what = source?.kind === 'dashboard' ? STRANGE_ANSWER : 'the store failed';
  return fail('failed', error instanceof StoreError ? error.message : what);
}
