import {
  type Attributes,
  type Context,
  type HrTime,
  type Link,
  type Span,
  type SpanContext,
  type SpanKind,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  TraceFlags,
} from '@opentelemetry/api';
import type { SpanSampler } from '../processing/sampling.ts';
import { ownerOfSpan, type ScopeOwner, SPAN_OWNER, SPAN_TWIN } from '../processing/scope.ts';
import { RecordingSpan } from '../processing/span.ts';
import type { SpanStarter } from '../processing/start-span.ts';
import type { Routing } from './routing.ts';

/** What is read of a span of the host's own SDK; both lines of OpenTelemetry's have it. */
export interface HostSpan {
  readonly name: string;
  readonly kind: SpanKind;
  spanContext(): SpanContext;
  readonly parentSpanContext?: SpanContext | undefined;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly status: SpanStatus;
  readonly attributes: Attributes;
  readonly links: readonly Link[];
  readonly events: readonly { readonly name: string; readonly time: HrTime; readonly attributes?: Attributes }[];
  readonly droppedEventsCount: number;
  readonly droppedLinksCount: number;
  readonly instrumentationScope: { readonly name: string; readonly version?: string | undefined };
}

/**
 * Starts a span of the tenant of `context` that stands for one of the host's: with its ids, unless its parent is of
 * another tenant or of none. Then it is a root with a trace id of its own, and its descendants follow, because they
 * find it, and not the host's span, in their contexts.
 */
export function mirrorStart(routing: Routing, source: HostSpan, context: Context): void {
  const { lateBindings, router } = routing;
  const starter = router.starterIn(context);
  if (starter === null) return;
  const served = starter === undefined ? router.servedSpan(source.instrumentationScope) : undefined;
  if (served !== undefined) {
    own(source, served[SPAN_OWNER], served[SPAN_TWIN]);
    return;
  }
  const { attributes, instrumentationScope, kind, links, name, startTime } = source;
  const scope = router.scope(instrumentationScope.name, instrumentationScope.version);
  const options: SpanOptions = { kind, attributes, links: [...links], startTime };
  const twin =
    starter === undefined
      ? lateBindings.start(scope, name, options, context, true, (request) => new TwinStarter(request, source))
      : starter.start(name, options, context, true, scope, new TwinStarter(starter, source));
  if (ownerOfSpan(twin) !== undefined) tie(source, twin);
}

/** Ends what stands for a span of the host's, with all that the span has become. */
export function mirrorEnd(source: HostSpan): void {
  const twin = (source as Partial<Tied>)[SPAN_TWIN];
  // One that was there before the host's is not the host's to end.
  if (!(twin instanceof RecordingSpan) || !(LINKS_AT_START in source)) return;
  const { attributes, droppedEventsCount, droppedLinksCount, endTime, events, links, name, status } = source;
  twin.updateName(name);
  twin.setAttributes(attributes);
  for (const event of events) twin.addEvent(event.name, event.attributes ?? {}, event.time);
  twin.addLinks(links.slice((source as Partial<Tied>)[LINKS_AT_START]));
  twin.droppedEventsCount += droppedEventsCount;
  twin.droppedLinksCount += droppedLinksCount;
  if (status.code !== SpanStatusCode.UNSET) twin.setStatus(status);
  twin.end(endTime);
}

/** How many links a span of the host's had when it started. */
const LINKS_AT_START: unique symbol = Symbol('isotrace.links');

interface Tied {
  readonly [SPAN_TWIN]: Span;
  readonly [LINKS_AT_START]: number;
}

/** Lets scopes know the host's span as the tenant's. */
function tie(source: HostSpan, twin: Span): void {
  Object.defineProperty(source, SPAN_TWIN, { value: twin });
  Object.defineProperty(source, LINKS_AT_START, { value: source.links.length });
  Object.defineProperty(source, SPAN_OWNER, { get: () => ownerOfSpan(twin) });
}

/** Lets scopes know the host's span as one that the tenant has had before. */
function own(source: HostSpan, owner: ScopeOwner, span: Span): void {
  Object.defineProperty(source, SPAN_TWIN, { value: span });
  Object.defineProperty(source, SPAN_OWNER, { value: owner });
}

/** A tenant's engine, but for the ids and the sampling of one span that somebody else has made. */
export class TwinStarter implements SpanStarter {
  readonly hostIds: SpanStarter['hostIds'];
  readonly #target: SpanStarter;
  readonly turnedAway: boolean;

  constructor(target: SpanStarter, source: Pick<HostSpan, 'spanContext' | 'parentSpanContext'>) {
    const { spanId, traceFlags, traceId } = source.spanContext();
    const { parentSpanContext: parent } = source;
    const isLocal = parent !== undefined && parent.isRemote !== true;
    const generateTraceId = (): string => (isLocal ? target.ids.generateTraceId() : traceId);
    this.#target = target;
    this.turnedAway = (traceFlags & TraceFlags.SAMPLED) === 0;
    this.hostIds = {
      generator: { generateTraceId, generateSpanId: () => spanId },
      hook: target.guard.hook('idGenerator', 'host span'),
    };
  }

  get owner() {
    return this.#target.owner;
  }

  get clock() {
    return this.#target.clock;
  }

  get guard() {
    return this.#target.guard;
  }

  get spanLimits() {
    return this.#target.spanLimits;
  }

  get hooks() {
    return this.#target.hooks;
  }

  get rootSessions() {
    return this.#target.rootSessions;
  }

  get ids() {
    return this.#target.ids;
  }

  /** What the host turned away, the tenant does not get either. */
  get sampler(): SpanSampler {
    return (parent, traceId, request) => {
      const verdict = this.#target.sampler(parent, traceId, request);
      return this.turnedAway ? { record: false, sampled: false } : verdict;
    };
  }

  resource() {
    return this.#target.resource();
  }

  spanStarted(span: RecordingSpan): void {
    this.#target.spanStarted(span);
  }

  spanUnsampled(): void {
    this.#target.spanUnsampled();
  }

  spanEnding(span: RecordingSpan): void {
    this.#target.spanEnding(span);
  }

  spanEnded(span: RecordingSpan): void {
    this.#target.spanEnded(span);
  }
}
