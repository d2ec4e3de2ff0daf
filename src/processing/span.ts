import { types } from 'node:util';
import type { Attributes, HrTime, Link, SpanContext, SpanStatus } from '@opentelemetry/api';
import { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan, TimedEvent } from '@opentelemetry/sdk-trace';
import { cutString } from '../utils/cut-string.ts';
import { hrTimeDuration, isTimeInput } from '../utils/span-time.ts';
import { AttributeMap, NO_ATTRIBUTES } from './attribute-map.ts';
import type { EndedEvent, EndedLink, EndedSpan } from './ended-span.ts';
import { exceptionAttributes } from './exception.ts';
import type { LocalTrace } from './local-trace.ts';
import { type OwnedSpan, type ScopeOwner, SPAN_OWNER } from './scope.ts';
import type { SpanHost, SpanScope, SpanStart } from './span-host.ts';
import { type HeldContext, plainContext } from './span-identity.ts';
import { nextStatus } from './span-status.ts';
import { SpanTimes } from './span-times.ts';
import { readEvents, readLinkContext, readLinks, viewEvent, viewLink } from './span-view.ts';

/** Names and status messages are cut here (UTF-16 units); the specification gives them no limit of their own. */
const MAX_TEXT_LENGTH = 8_192;
/** Shared by the many spans without any. */
const NONE: readonly never[] = Object.freeze([]);

/**
 * A recording span of one tenant: OpenTelemetry's `Span` for the host, its `ReadableSpan` for processors and
 * exporters, and the `EndedSpan` that the encoder reads. It follows the SDK's rules for limits, statuses, late
 * calls and times; unlike the SDK's span, no method throws, whatever it is given, and it ends on dispose.
 *
 * As with the SDK's span, a processor may change `name`, `status` and what `attributes`, `events` and `links` hold
 * until it is through with `onEnd`: what is exported is what it left.
 */
export class RecordingSpan extends SpanTimes implements OwnedSpan, ReadableSpan, EndedSpan, Disposable {
  readonly kind: SpanKind;
  /** As it is exported. */
  context: HeldContext;
  readonly scope: SpanScope;
  name: string;
  droppedEventsCount = 0;
  droppedLinksCount = 0;
  readonly #host: SpanHost<RecordingSpan>;
  #parentContext: HeldContext | undefined;
  #status: SpanStatus | undefined;
  #attributes: AttributeMap | undefined;
  #events: EndedEvent[] | undefined;
  #links: EndedLink[] | undefined;
  /** What was handed out to be read; once there is one it is what counts. */
  #attributesView: Attributes | undefined;
  #eventsView: TimedEvent[] | undefined;
  #linksView: Link[] | undefined;
  #progress: 'recording' | 'ending' | 'ended' = 'recording';

  constructor(host: SpanHost<RecordingSpan>, start: SpanStart) {
    super(host.clock, start.startTime);
    this.#host = host;
    this.name = cutString(start.name, MAX_TEXT_LENGTH);
    this.kind = typeof start.kind === 'number' && start.kind in SpanKind ? start.kind : SpanKind.INTERNAL;
    this.context = start.context;
    this.#parentContext = start.parentContext;
    this.scope = start.scope;
    if (start.links !== undefined) this.addLinks(start.links);
    if (start.attributes !== undefined) this.setAttributes(start.attributes as Attributes);
  }

  get [SPAN_OWNER](): ScopeOwner {
    return this.#host.owner;
  }

  /** The trace that decides whether it is exported, when its start did not. */
  get localTrace(): LocalTrace<RecordingSpan> | undefined {
    return undefined;
  }

  /** Whether `context`, which is exported, is another than what the host sees. */
  get exportsAnotherContext(): boolean {
    return false;
  }

  spanContext(): SpanContext {
    return plainContext(this.context);
  }

  /** Corrects the sampling decision, when the one who decides became known after the start. */
  setSampled(isSampled: boolean): void {
    const { context } = this;
    context.traceFlags = isSampled ? context.traceFlags | TraceFlags.SAMPLED : context.traceFlags & ~TraceFlags.SAMPLED;
  }

  /** Runs `change` while the span takes changes, also after its end, when its tenant's processors are told late. */
  amend(change: () => unknown): void {
    const progress = this.#progress;
    if (progress === 'ended') this.#progress = 'ending';
    try {
      const result = change();
      // Only a host that finds this method could bring one.
      if (types.isPromise(result)) result.catch(() => undefined);
    } catch (error) {
      this.#host.guard.report('api', 'amend', error);
    }
    if (progress === 'ended') this.#progress = 'ended';
  }

  get ended(): boolean {
    return this.#progress === 'ended';
  }

  isRecording(): boolean {
    return !this.ended;
  }

  setAttribute(key: string, value: unknown): this {
    if (this.ended) return this;
    const { attributeCountLimit, attributeValueLengthLimit } = this.#host.spanLimits;
    try {
      this.#attributes ??= new AttributeMap();
      const evicted = this.#attributes.set(key, value, attributeCountLimit, attributeValueLengthLimit);
      if (this.#attributesView !== undefined) {
        if (evicted !== undefined) delete this.#attributesView[evicted];
        this.#attributes.copyTo(this.#attributesView, [key]);
      }
    } catch (error) {
      this.#host.guard.report('api', 'setAttribute', error);
    }
    return this;
  }

  setAttributes(attributes: Attributes): this {
    if (this.ended) return this;
    if (this.#attributesView === undefined) {
      this.#attributes ??= new AttributeMap();
      this.#setAll(this.#attributes, attributes, this.#host.spanLimits.attributeCountLimit);
    } else {
      const copy = this.#copy(attributes);
      for (const key of copy.keys) this.setAttribute(key, copy.get(key));
    }
    return this;
  }

  addEvent(name: string, attributesOrTime?: unknown, time?: unknown): this {
    if (this.ended) return this;
    try {
      this.#addEvent(name, attributesOrTime, time);
    } catch (error) {
      this.#host.guard.report('api', 'addEvent', error);
    }
    return this;
  }

  addLink(link: Link): this {
    if (this.ended) return this;
    try {
      this.#addLink(link);
    } catch (error) {
      this.#host.guard.report('api', 'addLink', error);
    }
    return this;
  }

  addLinks(links: readonly Link[]): this {
    if (this.ended) return this;
    try {
      if (!Array.isArray(links)) return this;
      // The latest are kept, so that the others need not be looked at, however many there are.
      const first = Math.max(links.length - this.#host.spanLimits.linkCountLimit, 0);
      this.droppedLinksCount += first;
      for (let index = first; index < links.length; index += 1) this.addLink(links[index] as Link);
    } catch (error) {
      this.#host.guard.report('api', 'addLinks', error);
    }
    return this;
  }

  setStatus(status: SpanStatus): this {
    if (this.ended) return this;
    try {
      const next = nextStatus(this.status, status, MAX_TEXT_LENGTH);
      if (next !== this.status) this.status = next;
    } catch (error) {
      this.#host.guard.report('api', 'setStatus', error);
    }
    return this;
  }

  updateName(name: string): this {
    if (!this.ended && typeof name === 'string') this.name = cutString(name, MAX_TEXT_LENGTH);
    return this;
  }

  recordException(exception: unknown, time?: unknown): void {
    if (this.ended) return;
    try {
      const attributes = exceptionAttributes(exception);
      if (attributes !== undefined) this.#addEvent('exception', attributes, time);
    } catch (error) {
      this.#host.guard.report('api', 'recordException', error);
    }
  }

  end(endTime?: unknown): void {
    // A processor that ends the span in `onEnding` is already being told.
    if (this.#progress !== 'recording') return;
    this.#progress = 'ending';
    try {
      this.setEnd(endTime);
      this.#host.spanEnding(this);
    } catch (error) {
      this.#host.guard.report('api', 'end', error);
    }
    this.#progress = 'ended';
    try {
      this.#host.spanEnded(this);
    } catch (error) {
      this.#host.guard.report('api', 'end', error);
    }
  }

  [Symbol.dispose](): void {
    this.end();
  }

  /** `undefined` for a root span; declared as OpenTelemetry's `ReadableSpan` declares it. */
  get parentSpanContext(): SpanContext {
    return (this.#parentContext && plainContext(this.#parentContext)) as SpanContext;
  }

  set parentSpanContext(context: SpanContext) {
    this.#parentContext = context;
  }

  get status(): SpanStatus {
    this.#status ??= { code: SpanStatusCode.UNSET };
    return this.#status;
  }

  set status(status: SpanStatus) {
    this.#status = status;
  }

  get attributes(): Attributes {
    this.#attributesView ??= (this.#attributes ?? NO_ATTRIBUTES).copyTo({});
    return this.#attributesView;
  }

  set attributes(attributes: Attributes) {
    this.#attributesView = attributes;
  }

  get events(): TimedEvent[] {
    this.#eventsView ??= (this.#events ?? []).map(viewEvent);
    return this.#eventsView;
  }

  get links(): Link[] {
    this.#linksView ??= (this.#links ?? []).map(viewLink);
    return this.#linksView;
  }

  get attributeList(): AttributeMap {
    if (this.#attributesView !== undefined) return this.#copy(this.#attributesView);
    return this.#attributes ?? NO_ATTRIBUTES;
  }

  get eventList(): readonly EndedEvent[] {
    if (this.#eventsView === undefined) return this.#events ?? NONE;
    return readEvents(this.#eventsView, (attributes) => this.#copy(attributes));
  }

  get linkList(): readonly EndedLink[] {
    if (this.#linksView === undefined) return this.#links ?? NONE;
    return readLinks(this.#linksView, (attributes) => this.#copy(attributes));
  }

  get droppedAttributesCount(): number {
    return this.#attributes?.droppedCount ?? 0;
  }

  get duration(): HrTime {
    return this.ended ? hrTimeDuration(this.startTime, this.endTime) : [-1, -1];
  }

  get parentContext(): HeldContext | undefined {
    return this.#parentContext;
  }

  get instrumentationScope(): SpanScope {
    return this.scope;
  }

  get resource(): Resource {
    return this.#host.resource();
  }

  #addEvent(name: unknown, attributesOrTime: unknown, time: unknown): void {
    const { eventCountLimit, attributePerEventCountLimit } = this.#host.spanLimits;
    if (typeof name !== 'string') return;
    if (eventCountLimit === 0) {
      this.droppedEventsCount += 1;
      return;
    }
    const timeFirst = isTimeInput(attributesOrTime);
    const attributes = new AttributeMap();
    if (!timeFirst) this.#setAll(attributes, attributesOrTime, attributePerEventCountLimit);
    const when = timeFirst && !isTimeInput(time) ? attributesOrTime : time;
    const event: EndedEvent = {
      name: cutString(name, MAX_TEXT_LENGTH),
      time: this.timeOf(when),
      attributes,
      droppedAttributesCount: attributes.droppedCount,
    };
    this.#events ??= [];
    if (this.#events.length >= eventCountLimit) {
      this.#events.shift();
      this.#eventsView?.shift();
      this.droppedEventsCount += 1;
    }
    this.#events.push(event);
    this.#eventsView?.push(viewEvent(event));
  }

  #addLink(link: Link): void {
    const { linkCountLimit, attributePerLinkCountLimit } = this.#host.spanLimits;
    const context = readLinkContext(link.context);
    if (context === undefined || linkCountLimit === 0) {
      this.droppedLinksCount += 1;
      return;
    }
    const attributes = new AttributeMap();
    this.#setAll(attributes, link.attributes, attributePerLinkCountLimit);
    const copy: EndedLink = { context, attributes, droppedAttributesCount: attributes.droppedCount };
    this.#links ??= [];
    if (this.#links.length >= linkCountLimit) {
      this.#links.shift();
      this.#linksView?.shift();
      this.droppedLinksCount += 1;
    }
    this.#links.push(copy);
    this.#linksView?.push(viewLink(copy));
  }

  #setAll(target: AttributeMap, attributes: unknown, maxCount: number): void {
    target.setAll(attributes, maxCount, this.#host.spanLimits.attributeValueLengthLimit, (error) => {
      this.#host.guard.report('api', 'attributes', error);
    });
  }

  #copy(attributes: unknown): AttributeMap {
    const copy = new AttributeMap();
    this.#setAll(copy, attributes, Number.POSITIVE_INFINITY);
    return copy;
  }
}
