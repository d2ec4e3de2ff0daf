import { randomBytes, randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { propagation, type Span, trace } from '@opentelemetry/api';
import { type RegistryOptions, Tracer, TracerRegistry, WithAgents } from '../../src/index.ts';
import { pinoStream } from '../../src/pino.ts';
import type { DecodedSpan } from '../support/otlp-decoder.ts';
import { logsOf } from '../support/otlp-log-decoder.ts';
import { type OtlpReceiver, startReceiver } from '../support/otlp-receiver.ts';
import { receivedPoints } from '../support/received-metrics.ts';
import { SILENT } from '../support/tenant-receivers.ts';
import { type Leak, WireSearch } from './wire-search.ts';

/** A tenant whose every piece of telemetry carries its secret; its id is a secret that nothing may carry. */
export interface CanaryTenant {
  readonly id: string;
  readonly secret: string;
  readonly receiver: OtlpReceiver;
}

/** A tracer with all that isotrace has. */
export class CanaryTracer extends WithAgents(Tracer) {}

/** A record that was logged, and what must arrive of it. */
interface ExpectedLog {
  readonly tenant: CanaryTenant;
  readonly key: number;
  readonly own: ExpectedSpan | RemoteSpan | undefined;
  readonly session: string | undefined;
}

interface RemoteSpan {
  readonly traceId: string;
  readonly spanId: string;
}

/** A span that was started, and what must arrive of it. */
export interface ExpectedSpan {
  readonly key: number;
  readonly tenant: CanaryTenant;
  readonly name: string;
  readonly parent: ExpectedSpan | RemoteSpan | undefined;
  readonly link: RemoteSpan | undefined;
  readonly session: string | undefined;
  readonly attributes: Record<string, string | number>;
  /** Its own ids, once it was started. */
  ids: RemoteSpan | undefined;
}

/** What a context must hold, by a model that knows nothing of contexts. */
export interface Frame {
  readonly tenant: CanaryTenant | undefined;
  /** What the next span of a tenant becomes a child of. */
  readonly own: ReadonlyMap<CanaryTenant, ExpectedSpan | RemoteSpan>;
  readonly baggage: ReadonlyMap<CanaryTenant, string>;
  readonly session: ReadonlyMap<CanaryTenant, string>;
  readonly suppressed: ReadonlySet<CanaryTenant>;
  /** What the next root of the current tenant is linked to. */
  readonly link: RemoteSpan | undefined;
}

export const OUTSIDE: Frame = {
  tenant: undefined,
  own: new Map(),
  baggage: new Map(),
  session: new Map(),
  suppressed: new Set(),
  link: undefined,
};

/** A frame inside a tenant, with a change to what it had. */
export function enter(frame: Frame, tenant: CanaryTenant, change: Partial<Frame> = {}): Frame {
  return { ...frame, link: frame.tenant === tenant ? frame.link : undefined, ...change, tenant };
}

export function enterSpan(frame: Frame, span: ExpectedSpan | undefined, tenant: CanaryTenant): Frame {
  if (span === undefined) return enter(frame, tenant);
  return enter(frame, tenant, { own: new Map(frame.own).set(tenant, span), link: undefined });
}

/** Tenants with their receivers, and an account of all that they did. */
export class CanaryWorld implements AsyncDisposable {
  readonly registry: TracerRegistry<CanaryTracer>;
  readonly tenants: readonly CanaryTenant[];
  /** A wrapped function that all tenants share. */
  readonly wrapped: (body: () => Promise<void>) => Promise<void>;
  /** An emitter that all tenants share. */
  readonly emitter = new EventEmitter();
  readonly spans: ExpectedSpan[] = [];
  readonly logs: ExpectedLog[] = [];
  readonly measurements = new Map<CanaryTenant, number>();
  /** What measuring code uses for all tenants, as hosts do. */
  readonly #attributes = { canary: '' };
  readonly #line: { write(line: string): void };
  readonly #ids = new Map<string, string>();
  readonly #carriers: { readonly tenantId: string; readonly text: string }[] = [];

  static async start(tenantCount: number, options: RegistryOptions<CanaryTracer> = {}): Promise<CanaryWorld> {
    const tenants = await Promise.all(
      Array.from({ length: tenantCount }, async (): Promise<CanaryTenant> => {
        return { id: `tenant-${randomUUID()}`, secret: randomUUID(), receiver: await startReceiver() };
      }),
    );
    return new CanaryWorld(tenants, options);
  }

  private constructor(tenants: readonly CanaryTenant[], options: RegistryOptions<CanaryTracer>) {
    this.tenants = tenants;
    const byId = new Map(tenants.map((tenant) => [tenant.id, tenant]));
    this.registry = new TracerRegistry<CanaryTracer>({
      tracer: CanaryTracer,
      agents: true,
      platform: false,
      logger: SILENT,
      batch: { delayMillis: 100 },
      limits: { maxQueueSize: 100_000, maxQueueBytes: 2 ** 27 },
      propagation: { baggage: ['canary'] },
      metrics: { temporality: 'delta', exemplars: true, intervalMillis: 1_000 },
      ...options,
      configure: async (id) => {
        const tenant = byId.get(id);
        if (tenant === undefined) return undefined;
        await new Promise(setImmediate);
        const { receiver, secret } = tenant;
        const isOdd = tenants.indexOf(tenant) % 2 === 1;
        const headers = { 'x-canary': secret, authorization: `Bearer ${secret}` };
        return {
          service: { name: `service ${secret}` },
          attributes: { 'canary.resource': secret },
          destination: {
            endpoint: `${receiver.url}/${secret}`,
            headers: isOdd ? () => Promise.resolve(headers) : headers,
            compression: isOdd ? 'gzip' : 'none',
          },
        };
      },
    });
    this.wrapped = this.registry.trace('wrapped', (body: () => Promise<void>) => body());
    this.emitter.setMaxListeners(0);
    this.#line = pinoStream(this.registry);
  }

  tracer(tenant: CanaryTenant): CanaryTracer {
    return this.registry.get(tenant.id);
  }

  /** Logs for a tenant wherever the code runs: by its tracer, or, inside of it, as code that knows nothing of tenants. */
  log(frame: Frame, tenant: CanaryTenant): void {
    const key = this.logs.length;
    const { secret } = tenant;
    this.logs.push({ tenant, key, own: frame.own.get(tenant), session: frame.session.get(tenant) });
    if (frame.tenant === tenant && key % 2 === 0) this.#line.write(JSON.stringify({ level: 30, msg: secret, key }));
    else this.tracer(tenant).log.info(`log ${secret}`, { key, 'canary.log': { secret } });
  }

  /** Measures for a tenant wherever the code runs. */
  measure(tenant: CanaryTenant): void {
    this.measurements.set(tenant, (this.measurements.get(tenant) ?? 0) + 1);
    this.#attributes.canary = tenant.secret;
    this.tracer(tenant).metrics.counter('canary').add(1, this.#attributes);
  }

  /** How the points that arrived differ from what was measured, one line for each difference. */
  metricDifferences(): string[] {
    return this.tenants.flatMap((tenant) => {
      const points = receivedPoints(tenant.receiver, 'canary');
      const count = points.reduce((sum, { value = 0 }) => sum + value, 0);
      const due = this.measurements.get(tenant) ?? 0;
      const own = new Set(this.spans.filter((span) => span.tenant === tenant).map(({ ids }) => ids?.spanId));
      const foreign = points.flatMap(({ exemplars }) => exemplars).filter(({ spanId }) => !own.has(spanId));
      return [
        ...(count === due ? [] : [`${tenant.id} got ${count} measurements, not ${due}`]),
        ...foreign.map(({ spanId }) => `${tenant.id} got an exemplar with the foreign span ${spanId}`),
      ];
    });
  }

  /** How the records that arrived differ from what was logged, one line for each difference. */
  logDifferences(): string[] {
    return this.tenants.flatMap((tenant) => {
      const expected = new Map(this.logs.filter((log) => log.tenant === tenant).map((log) => [log.key, log]));
      const different: string[] = [];
      for (const { attributes, spanId } of logsOf(tenant.receiver)) {
        const key = attributes['key'] as number;
        const wanted = expected.get(key);
        expected.delete(key);
        const got = [spanId, attributes['session.id']];
        const due = [idsOf(wanted?.own)?.spanId ?? '', wanted?.session];
        if (wanted === undefined) different.push(`${tenant.id} got log ${key} without reason, or twice`);
        else if (JSON.stringify(got) !== JSON.stringify(due)) different.push(`log ${key}: got ${got}, not ${due}`);
      }
      for (const key of expected.keys()) different.push(`${tenant.id} did not get log ${key}`);
      return different;
    });
  }

  /** What the next span of a tenant must look like; `undefined` where the tenant suppressed tracing. */
  expectSpan(frame: Frame, tenant: CanaryTenant): ExpectedSpan | undefined {
    if (frame.suppressed.has(tenant)) return undefined;
    const key = this.spans.length;
    const parent = frame.own.get(tenant);
    const expected: ExpectedSpan = {
      key,
      tenant,
      name: `span ${tenant.secret}`,
      parent,
      link: parent === undefined && frame.tenant === tenant ? frame.link : undefined,
      session: frame.session.get(tenant),
      attributes: { 'canary.key': key, 'canary.secret': tenant.secret },
      ids: undefined,
    };
    this.spans.push(expected);
    return expected;
  }

  /** Takes the ids of a span that was started, and fills it with the secret. */
  mark(expected: ExpectedSpan | undefined, span: Span): void {
    if (expected === undefined) {
      if (span.isRecording()) throw new Error('a suppressed span records');
      return;
    }
    const { traceId, spanId } = span.spanContext();
    const { name, secret, id } = { ...expected, ...expected.tenant };
    this.#own(id, { traceId, spanId });
    expected.ids = { traceId, spanId };
    span.updateName(name).setAttributes(expected.attributes);
    span.addEvent(`event ${secret}`, { 'canary.event': secret });
    if (expected.key % 5 === 0) span.addLink({ context: span.spanContext(), attributes: { 'canary.link': secret } });
    if (expected.key % 7 === 0) span.setStatus({ code: 2, message: `status ${secret}` });
  }

  /** A span of a tenant in another process, whose ids are as secret as those of its spans here. */
  remoteSpan(tenant: CanaryTenant): RemoteSpan {
    const remote = { traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex') };
    this.#own(tenant.id, remote);
    return remote;
  }

  /** Compares the running context with what it must be. */
  check(frame: Frame): void {
    const { tenant } = frame;
    expectSame('tenant', this.registry.current()?.tenantId, tenant?.id);
    if (tenant === undefined) return;
    const active = frame.own.get(tenant);
    expectSame('active span', trace.getActiveSpan()?.spanContext().spanId, idsOf(active)?.spanId);
    expectSame('active baggage', propagation.getActiveBaggage()?.getEntry('canary')?.value, frame.baggage.get(tenant));
    for (const other of new Set([tenant, ...frame.own.keys(), ...frame.baggage.keys(), ...frame.session.keys()])) {
      const tracer = this.tracer(other);
      const own = frame.own.get(other);
      expectSame('baggage', tracer.getBaggage('canary'), frame.baggage.get(other));
      expectSame('session', tracer.sessionId(), frame.session.get(other));
      const ownSpan = own !== undefined && 'key' in own ? own.ids?.spanId : undefined;
      expectSame('own span', tracer.activeSpan()?.spanContext().spanId, ownSpan);
    }
  }

  /** Checks what a tenant wrote into an outgoing carrier, and keeps it for the search at the end. */
  checkCarrier(frame: Frame, tenant: CanaryTenant, carrier: Readonly<Record<string, string>>): void {
    const own = idsOf(frame.own.get(tenant));
    expectSame('traceparent', carrier['traceparent']?.slice(3, -3), own && `${own.traceId}-${own.spanId}`);
    expectSame('baggage header', carrier['baggage'], frame.baggage.get(tenant)?.replace(/^/, 'canary='));
    this.#carriers.push({ tenantId: tenant.id, text: JSON.stringify(carrier) });
  }

  /** Looks for the secrets, ids of tenants and ids of spans. A tenant's own id belongs to nobody on the wire. */
  search(): WireSearch {
    const texts = new Map(this.tenants.map(({ id, secret }) => [secret, id]));
    for (const { id } of this.tenants) texts.set(id, `the id ${id}`);
    return new WireSearch(texts, this.#ids);
  }

  /** Sends what waits, and answers what was dropped. */
  async deliver(): Promise<object> {
    await this.registry.flush({ timeoutMillis: 30_000 });
    return this.registry.stats().traces.dropped;
  }

  leaks(): Leak[] {
    const search = this.search();
    const sent = this.#carriers.flatMap(({ tenantId, text }) =>
      search.find(Buffer.from(text)).filter(({ owner }) => owner !== tenantId),
    );
    return [...this.tenants.flatMap(({ id, receiver }) => search.leaksTo(id, receiver.requests)), ...sent];
  }

  /** How what arrived differs from what was expected, one line for each difference. */
  differences(): string[] {
    return this.tenants.flatMap((tenant) => {
      const expected = new Map(this.spans.filter((span) => span.tenant === tenant).map((span) => [span.key, span]));
      const different: string[] = [];
      for (const span of tenant.receiver.spans()) {
        const key = span.attributes['canary.key'] as number;
        const wanted = expected.get(key);
        expected.delete(key);
        if (wanted === undefined) different.push(`${tenant.id} got ${span.name} (${key}) without reason, or twice`);
        else different.push(...compare(span, wanted));
      }
      for (const key of expected.keys()) different.push(`${tenant.id} did not get span ${key}`);
      return different;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry.shutdown();
    await Promise.all(this.tenants.map(({ receiver }) => receiver.close()));
  }

  #own(tenantId: string, { traceId, spanId }: RemoteSpan): void {
    this.#ids.set(traceId, tenantId).set(spanId, tenantId);
  }
}

function compare(span: DecodedSpan, expected: ExpectedSpan): string[] {
  const { key, ids, link, name, session, tenant } = expected;
  const parent = idsOf(expected.parent);
  const wanted = {
    name,
    spanId: ids?.spanId,
    traceId: parent?.traceId ?? ids?.traceId,
    parentSpanId: parent?.spanId ?? '',
    session,
    events: `event ${tenant.secret}`,
    link: link?.spanId,
  };
  const got = {
    name: span.name,
    spanId: span.spanId,
    traceId: span.traceId,
    parentSpanId: span.parentSpanId,
    session: span.attributes['session.id'],
    events: span.events[0]?.name,
    link: span.links.find(({ spanId }) => spanId !== span.spanId)?.spanId,
  };
  return JSON.stringify(got) === JSON.stringify(wanted)
    ? []
    : [`span ${key}: got ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`];
}

function idsOf(span: ExpectedSpan | RemoteSpan | undefined): RemoteSpan | undefined {
  return span !== undefined && 'key' in span ? span.ids : span;
}

function expectSame(what: string, got: unknown, expected: unknown): void {
  if (got !== expected) throw new Error(`${what}: got ${String(got)}, not ${String(expected)}`);
}
