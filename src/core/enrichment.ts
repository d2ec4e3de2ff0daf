import type { SpanKind, TimeInput } from '@opentelemetry/api';
import { context as contextApi } from '@opentelemetry/api';
import { type Enrichment, enrich } from '../processing/enrichment.ts';
import {
  type AgentCallOptions,
  agentCall,
  type ChainOptions,
  chainStep,
  type ModelCallOptions,
  modelCall,
  type PresetFunction,
  type ToolCallOptions,
  toolCall,
} from '../processing/presets.ts';
import { scopeOfOwner } from '../processing/scope.ts';
import { ActiveSession, MAX_SESSION_ID_LENGTH, SESSION_KEY, sessionIn } from '../processing/session.ts';
import { type SessionPatch, sessionAttributes } from '../processing/session-attributes.ts';
import { type TraceClassOptions, wrapClass } from '../processing/trace-class.ts';
import type { TraceOptions } from '../processing/trace-function.ts';
import { timeInputToHrTime } from '../utils/span-time.ts';
import type { Mixed, MixinBase } from './mixin.ts';
import { type Operations, startGuarded } from './operations.ts';
import type { TracerBase } from './tracer-base.ts';

/** Something that happened, as a span of its own. */
export interface EventOptions extends Enrichment {
  /** Name of the span. */
  readonly name: string;
  /** When it ended. Default: now. */
  readonly time?: TimeInput | undefined;
  /** How long it took, in milliseconds. Default: 0. */
  readonly durationMillis?: number | undefined;
  /** Default: `SpanKind.INTERNAL`. */
  readonly kind?: SpanKind | undefined;
  /** The session that it belongs to, instead of the one of the running context. */
  readonly sessionId?: string | undefined;
}

/** More about a session. */
export interface EnrichSessionOptions extends SessionPatch {
  /** The session, instead of the one of the running context. */
  readonly sessionId?: string | undefined;
}

/** A decorator for classes, a standard (TC39) one and a legacy TypeScript one. */
export type ClassDecoratorFunction = <C extends abstract new (...args: never[]) => unknown>(
  target: C,
  context?: ClassDecoratorContext<C>,
) => C;

/** Wraps the methods of a class in place; without a class, it is a decorator. */
export interface TraceClassFunction {
  /** Wraps the methods of a class, or decorates it. */
  <C extends abstract new (...args: never[]) => unknown>(target: C, options?: TraceClassOptions): C;
  <C extends abstract new (...args: never[]) => unknown>(target: C, context: ClassDecoratorContext<C>): C;
  (options?: TraceClassOptions): ClassDecoratorFunction;
}

/**
 * Saying more about spans and sessions, and presets for what agents do. Nothing here touches another tenant's spans. No
 * method throws on its own account.
 */
export interface EnrichmentOperations {
  /** Adds to this tenant's active span. Answers whether there was one that records. */
  enrichSpan(patch: Enrichment): boolean;

  /**
   * Adds to a session: the one that is named, else that of the running context. What is said goes to its root spans that
   * are open and to later ones; when none is open here, it is sent as an event named `session` with the session's id.
   * Answers whether it was taken.
   */
  enrichSession(patch: EnrichSessionOptions): boolean;

  /**
   * Records something that happened as a span, a child of the active one. Answers its id; `undefined` when it is not
   * recorded.
   */
  createEvent(event: EventOptions): string | undefined;

  /** Wraps the own methods and static methods of a class, as `trace` does, under `Class.method`. */
  readonly traceClass: TraceClassFunction;

  /** `trace` for calls of models. */
  readonly traceModel: PresetFunction<ModelCallOptions>;
  /** `trace` for calls of tools. */
  readonly traceTool: PresetFunction<ToolCallOptions>;
  /** `trace` for steps that call others. */
  readonly traceChain: PresetFunction<ChainOptions>;
  /** `trace` for runs of agents. */
  readonly traceAgent: PresetFunction<AgentCallOptions>;
}

const MAX_DURATION_MILLIS = 366 * 24 * 3_600_000;

/** Adds {@link EnrichmentOperations} to a tracer class. */
export function WithEnrichment<Base extends MixinBase<TracerBase & Operations>>(
  base: Base,
): Base & Mixed<EnrichmentOperations> {
  abstract class WithEnrichmentMixin extends base implements EnrichmentOperations {
    enrichSpan(patch: Enrichment): boolean {
      const span = this.activeSpan();
      if (span === undefined || !span.isRecording() || !isObject(patch)) return false;
      enrich(span, patch, this.#failed('enrichSpan'), this.#maxLength);
      return true;
    }

    enrichSession(patch: EnrichSessionOptions): boolean {
      const { runtime } = this;
      const add = (): boolean => {
        if (!isObject(patch)) return false;
        const scope = runtime.state === 'disabled' ? undefined : scopeOfOwner(contextApi.active(), runtime);
        const session = sessionIn(runtime, scope);
        const sessionId = idOf(patch.sessionId) ?? session?.id;
        if (sessionId === undefined) return false;
        const attributes = sessionAttributes(patch, this.#failed('enrichSession'), this.#maxLength);
        const isHere = session instanceof ActiveSession && session.id === sessionId;
        if (isHere && session.enrich(attributes)) return true;
        return this.createEvent({ name: 'session', eventType: 'session', attributes, sessionId }) !== undefined;
      };
      return runtime.guard.run('api', 'enrichSession', add, false);
    }

    createEvent(event: EventOptions): string | undefined {
      return this.runtime.guard.run('api', 'createEvent', () => this.#createEvent(event), undefined);
    }

    get traceClass(): TraceClassFunction {
      const wrap = (target: unknown, options: unknown): unknown => {
        const given = isObject(options) && !('addInitializer' in options) ? (options as TraceClassOptions) : {};
        return wrapClass(target, this.trace, given);
      };
      const guarded = (target: unknown, options: unknown): unknown =>
        this.runtime.guard.run('api', 'traceClass', () => wrap(target, options), target);
      const traceClass = (first?: unknown, second?: unknown): unknown =>
        typeof first === 'function' ? guarded(first, second) : (target: unknown) => guarded(target, first);
      return traceClass as TraceClassFunction;
    }

    get traceModel(): PresetFunction<ModelCallOptions> {
      return this.#preset(modelCall);
    }

    get traceTool(): PresetFunction<ToolCallOptions> {
      return this.#preset(toolCall);
    }

    get traceChain(): PresetFunction<ChainOptions> {
      return this.#preset(chainStep);
    }

    get traceAgent(): PresetFunction<AgentCallOptions> {
      return this.#preset(agentCall);
    }

    #preset<O>(optionsOf: (given: string | O) => TraceOptions): PresetFunction<O> {
      const { guard } = this.runtime;
      const { trace } = this;
      const wrap = (given: string | O, fn?: unknown): unknown => {
        const options = guard.run('host', 'preset', () => optionsOf(given), {});
        return typeof fn === 'function' ? trace(options, fn as () => unknown) : trace(options);
      };
      return wrap as PresetFunction<O>;
    }

    #createEvent(event: EventOptions): string | undefined {
      if (!isObject(event)) return undefined;
      const { name, time, durationMillis, kind, sessionId } = event;
      const end = (time === undefined ? undefined : timeInputToHrTime(time)) ?? timeOf(this.runtime.clock.now());
      const span = startGuarded(
        this.runtime,
        typeof name === 'string' && name !== '' ? name : 'event',
        { startTime: before(end, durationMillis), ...(kind !== undefined && { kind }) },
        contextApi.active(),
        false,
      );
      const id = idOf(sessionId);
      if (id !== undefined) span.setAttribute(SESSION_KEY, id);
      if (span.isRecording()) enrich(span, event, this.#failed('createEvent'), this.#maxLength);
      const isRecording = span.isRecording();
      span.end(end);
      return isRecording ? span.spanContext().spanId : undefined;
    }

    get #maxLength(): number {
      return this.runtime.spanLimits.attributeValueLengthLimit;
    }

    #failed(operation: string): (error: unknown) => void {
      return (error) => this.runtime.guard.report('host', operation, error);
    }
  }
  return WithEnrichmentMixin as never;
}

function timeOf(epochMillis: number): [number, number] {
  return timeInputToHrTime(new Date(epochMillis)) as [number, number];
}

function before([seconds, nanos]: [number, number], durationMillis: unknown): [number, number] {
  const isDuration = typeof durationMillis === 'number' && durationMillis > 0;
  const millis = isDuration ? Math.min(durationMillis, MAX_DURATION_MILLIS) : 0;
  const total = BigInt(seconds) * 1_000_000_000n + BigInt(nanos) - BigInt(Math.round(millis * 1_000_000));
  const start = total < 0n ? 0n : total;
  return [Number(start / 1_000_000_000n), Number(start % 1_000_000_000n)];
}

function idOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_SESSION_ID_LENGTH) : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
