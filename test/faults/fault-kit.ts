import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { DestinationOptions, RegistryOptions, Tracer } from '../../src/index.ts';
import { TracerRegistry } from '../../src/index.ts';
import { type Clock, systemClock, type Timer } from '../../src/utils/clock.ts';
import { eventually, missing } from '../delivery/delivery-kit.ts';
import type { DecodedSpan } from '../support/otlp-decoder.ts';
import { type OtlpReceiver, type ReceivedRequest, startReceiver } from '../support/otlp-receiver.ts';
import type { FaultPlan, ReceiverFault } from '../support/receiver-faults.ts';

export const PROTOCOLS = ['http/protobuf', 'http/json', 'grpc'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** The healthy tenant, which works all the time while another one meets faults. */
const NEIGHBOUR = 'neighbour';
const NEIGHBOUR_PAUSE_MILLIS = 20;
const BASELINE_SPANS = 10;
/** A neighbour that waited for the tenant in trouble would be late by a whole deadline. */
export const TIMEOUT_MILLIS = 2_000;
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface FaultWorld {
  readonly registry: TracerRegistry;
  /** Of all tenants of the registry. */
  readonly receiver: OtlpReceiver;
  /** What arrived from a tenant, each span as often as it did. */
  arrived(tenantId: string): readonly DecodedSpan[];
  /** The requests of a tenant. */
  requests(tenantId: string): readonly ReceivedRequest[];
  /** The option that leads a tenant to the receiver. */
  destination(tenantId: string): DestinationOptions;
}

export interface FaultWorldOptions extends RegistryOptions<Tracer> {
  readonly protocol?: Protocol;
  /** What the destination of one tenant has beside or in place of the usual. */
  readonly destinationOf?: (tenantId: string) => Partial<DestinationOptions>;
}

interface Running extends FaultWorld {
  readonly protocol: Protocol;
  readonly clock: CountingClock;
  readonly createdAt: Map<string, number>;
  readonly steady: NodeJS.Timeout;
}

const running = new Set<Running>();
const closers: (() => Promise<void>)[] = [];
const escaped: unknown[] = [];
const note = (error: unknown): void => void escaped.push(error);
/** By protocol: how long the neighbour's spans take when nobody is in trouble. */
const baselines = new Map<Protocol, number>();

/**
 * Holds for each test of a file: nothing escapes into the process; the account of each tenant balances; the neighbour
 * delivers everything, once, and is no slower for the trouble of others; and nothing is left open in the end.
 */
export function useInvariants(): void {
  let before: readonly string[] = [];
  beforeAll(() => {
    process.on('unhandledRejection', note).on('uncaughtExceptionMonitor', note);
  });
  afterAll(() => {
    process.off('unhandledRejection', note).off('uncaughtExceptionMonitor', note);
  });
  beforeAll(() => {
    before = resources();
  });
  afterEach(async () => {
    const worlds = [...running];
    running.clear();
    for (const world of worlds) await verify(world);
    for (const close of closers.splice(0)) await close();
    await new Promise(setImmediate);
    expect(escaped.splice(0)).toEqual([]);
    await eventually(
      () => resources().length <= before.length,
      () => `handles are left: ${resources().join(' ')}, before: ${before.join(' ')}`,
    );
  });
}

/** Closes something that a test opened, before it is looked for handles that are left. */
export function afterwards(close: () => Promise<void>): void {
  closers.push(close);
}

/** One registry, one receiver, and a neighbour at work. Ended, with all checks, after the test. */
export async function faultWorld(options: FaultWorldOptions = {}): Promise<FaultWorld> {
  const { protocol = 'http/protobuf', destinationOf = () => ({}), ...registryOptions } = options;
  const receiver = await startReceiver({ protocol: protocol === 'grpc' ? 'grpc' : 'http' });
  afterwards(() => receiver.close());
  const clock = new CountingClock();
  const destination = (tenantId: string): DestinationOptions => ({
    endpoint: receiver.url,
    protocol,
    headers: { 'x-tenant': tenantId },
    timeoutMillis: TIMEOUT_MILLIS,
    ...destinationOf(tenantId),
  });
  const registry = new TracerRegistry({
    platform: false,
    logger: SILENT,
    clock,
    batch: { delayMillis: 10 },
    configure: (tenantId) => ({ destination: destination(tenantId) }),
    ...registryOptions,
  });
  const createdAt = new Map<string, number>();
  const neighbour = registry.get(NEIGHBOUR);
  const steady = setInterval(() => {
    const span = neighbour.startSpan('steady');
    createdAt.set(span.spanContext().spanId, Date.now());
    span.end();
  }, NEIGHBOUR_PAUSE_MILLIS);
  const of = (tenantId: string): ReceivedRequest[] =>
    receiver.requests.filter((request) => request.tenantId === tenantId);
  const world: Running = {
    protocol,
    registry,
    receiver,
    destination,
    clock,
    createdAt,
    steady,
    arrived: (tenantId) => receiver.spans().filter(({ attributes }) => attributes['owner'] === tenantId),
    requests: of,
  };
  if (!baselines.has(protocol)) {
    await receiver.waitForSpans(BASELINE_SPANS);
    baselines.set(protocol, medianDelay(world));
    createdAt.clear();
  }
  running.add(world);
  return world;
}

/** Ends spans that say whose they are. */
export function work(world: FaultWorld, tenantId: string, count: number): void {
  const tracer = world.registry.get(tenantId);
  for (let index = 0; index < count; index += 1) {
    tracer.startSpan(`${index}`, { attributes: { owner: tenantId } }).end();
  }
}

/** A tenant's requests meet the fault from now on. */
export function trouble(world: FaultWorld, tenantId: string, fault: ReceiverFault | FaultPlan): void {
  world.receiver.setFaultOf(tenantId, fault);
}

/** Flushes, which cuts our own pauses short, until nothing of the tenant waits. */
export async function drain(world: FaultWorld, tenantId: string): Promise<void> {
  const tracer = world.registry.get(tenantId);
  const givesUpAt = performance.now() + 25_000;
  while (tracer.stats().traces.queued > 0) {
    if (performance.now() > givesUpAt) throw new Error(`${tenantId} keeps ${tracer.stats().traces.queued} spans`);
    await tracer.flush();
  }
}

async function verify(world: Running): Promise<void> {
  const { registry, receiver, clock, createdAt } = world;
  clearInterval(world.steady);
  const neighbour = registry.get(NEIGHBOUR);
  await drain(world, NEIGHBOUR);
  const { traces } = neighbour.stats();
  expect(traces, 'the neighbour').toMatchObject({ exported: traces.created, queued: 0, dropped: {} });
  const baseline = baselines.get(world.protocol) ?? 0;
  // Generous: this runs beside all other tests on few cores, and whoever waits for another waits for seconds.
  expect(medianDelay(world), 'the median delay of the neighbour').toBeLessThan(baseline * 3 + TIMEOUT_MILLIS / 4);
  const ids = receiver.spans().filter(({ name }) => name === 'steady');
  expect(new Set(ids.map(({ spanId }) => spanId)).size, 'spans of the neighbour').toBe(ids.length);
  expect(ids.length).toBe(traces.created);
  for (const [tenantId, tracer] of registry.entries()) expect(missing(tracer.stats().traces), tenantId).toBe(0);
  const report = await registry.shutdown({ timeoutMillis: 0 });
  expect(missing(registry.stats().traces), 'the registry').toBe(0);
  expect(registry.stats().traces.queued).toBe(0);
  expect(report.pending).toBe(0);
  await receiver.waitForConnections(0);
  expect([clock.pending, registry.stats().sockets, registry.stats().bytes], 'timers, sockets, bytes').toEqual([
    0, 0, 0,
  ]);
  await receiver.close();
  createdAt.clear();
}

/** From the end of a span to its arrival, of those that were made since the last look. */
function medianDelay({ receiver, createdAt }: Running): number {
  const delays: number[] = [];
  for (const { receivedAt, spans } of receiver.requests) {
    for (const { spanId } of spans) {
      const at = createdAt.get(spanId);
      if (at !== undefined) delays.push(receivedAt - at);
    }
  }
  return delays.sort((a, b) => a - b)[Math.floor(delays.length / 2)] ?? 0;
}

/** What keeps the process alive, but for what the test runner does by itself. */
function resources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => !/^(Timeout|Immediate|PipeWrap|FSReq|TickObject)/.test(name));
}

/** The real clock, which knows how many of its timers run. */
class CountingClock implements Clock {
  pending = 0;

  now(): number {
    return systemClock.now();
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  toEpoch(monotonicMillis: number): number {
    return systemClock.toEpoch(monotonicMillis);
  }

  random(): number {
    return systemClock.random();
  }

  schedule(callback: () => void, delayMillis: number, keepAlive?: boolean): Timer {
    let runs = true;
    const end = (): void => {
      if (runs) this.pending -= 1;
      runs = false;
    };
    this.pending += 1;
    const timer = systemClock.schedule(
      () => {
        end();
        callback();
      },
      delayMillis,
      keepAlive,
    );
    return {
      cancel: () => {
        end();
        timer.cancel();
      },
    };
  }
}
