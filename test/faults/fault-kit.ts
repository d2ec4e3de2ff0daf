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
/** What a neighbour may be later than the control, beside three times its delay. Who waits for another waits longer. */
const MARGIN_MILLIS = 500;
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface FaultWorld {
  readonly registry: TracerRegistry;
  /** Of all tenants of the registry, but for a neighbour that is apart. */
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
  /** The neighbour has a receiver of its own: for faults of connections, which tenants of one origin share. */
  readonly apart?: boolean;
  /** What the destination of one tenant has beside or in place of the usual. */
  readonly destinationOf?: (tenantId: string) => Partial<DestinationOptions>;
}

/** A tenant that ends a span every few milliseconds. */
interface Steady {
  readonly tracer: Tracer;
  readonly receiver: OtlpReceiver;
  readonly createdAt: Map<string, number>;
}

interface Running extends FaultWorld {
  readonly clock: CountingClock;
  readonly neighbour: Steady;
  /** Does the same, in a registry where nobody is in trouble: what the machine costs at this moment. */
  readonly control: Steady;
  readonly timer: NodeJS.Timeout;
}

const running = new Set<Running>();
const closers: (() => Promise<void>)[] = [];
const escaped: unknown[] = [];
const note = (error: unknown): void => void escaped.push(error);

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
  const { protocol = 'http/protobuf', apart = false, destinationOf = () => ({}), ...registryOptions } = options;
  const [receiver, other, quiet] = await Promise.all([1, 2, 3].map(() => receiverOf(protocol)));
  if (!receiver || !other || !quiet) throw new Error('no receivers');
  const clock = new CountingClock();
  const destination = (tenantId: string): DestinationOptions => ({
    endpoint: apart && tenantId === NEIGHBOUR ? other.url : receiver.url,
    protocol,
    headers: { 'x-tenant': tenantId },
    ...destinationOf(tenantId),
  });
  const shared = { platform: false, logger: SILENT, batch: { delayMillis: 10 } } as const;
  const registry = new TracerRegistry({
    ...shared,
    clock,
    configure: (tenantId) => ({ destination: destination(tenantId) }),
    ...registryOptions,
  });
  const calm = new TracerRegistry({ ...shared, destination: { endpoint: quiet.url, protocol } });
  afterwards(async () => void (await calm.shutdown()));
  const neighbour = { tracer: registry.get(NEIGHBOUR), receiver: apart ? other : receiver, createdAt: new Map() };
  const control = { tracer: calm.get(NEIGHBOUR), receiver: quiet, createdAt: new Map() };
  const world: Running = {
    registry,
    receiver,
    destination,
    clock,
    neighbour,
    control,
    timer: setInterval(() => [neighbour, control].forEach(endSteadySpan), NEIGHBOUR_PAUSE_MILLIS),
    arrived: (tenantId) => receiver.spans().filter(({ attributes }) => attributes['owner'] === tenantId),
    requests: (tenantId) => receiver.requests.filter((request) => request.tenantId === tenantId),
  };
  running.add(world);
  // Connected, and compiled, before there is any trouble.
  for (const { receiver: at } of [neighbour, control]) await at.waitForSpans(2);
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
  await drained(world.registry.get(tenantId));
}

async function drained(tracer: Tracer): Promise<void> {
  const givesUpAt = performance.now() + 40_000;
  while (tracer.stats().traces.queued > 0) {
    if (performance.now() > givesUpAt) throw new Error(`${tracer.stats().traces.queued} spans are kept`);
    await tracer.flush();
  }
}

async function verify({ registry, receiver, clock, neighbour, control, timer }: Running): Promise<void> {
  clearInterval(timer);
  await Promise.all([drained(neighbour.tracer), drained(control.tracer)]);
  const { traces } = neighbour.tracer.stats();
  expect(traces, 'the neighbour').toMatchObject({ exported: traces.created, queued: 0, dropped: {} });
  const limit = longDelay(control) * 3 + MARGIN_MILLIS;
  expect(longDelay(neighbour), 'the delay of the neighbour').toBeLessThan(limit);
  const ids = neighbour.receiver.spans().filter(({ name }) => name === 'steady');
  expect(new Set(ids.map(({ spanId }) => spanId)).size, 'spans of the neighbour').toBe(traces.created);
  expect(ids.length, 'arrivals of spans of the neighbour').toBe(traces.created);
  for (const [tenantId, tracer] of registry.entries()) expect(missing(tracer.stats().traces), tenantId).toBe(0);
  const report = await registry.shutdown({ timeoutMillis: 0 });
  expect(missing(registry.stats().traces), 'the registry').toBe(0);
  expect([report.pending, registry.stats().traces.queued]).toEqual([0, 0]);
  await receiver.waitForConnections(0);
  expect([clock.pending, registry.stats().sockets, registry.stats().bytes], 'timers, sockets, bytes').toEqual([
    0, 0, 0,
  ]);
}

async function receiverOf(protocol: Protocol): Promise<OtlpReceiver> {
  const receiver = await startReceiver({ protocol: protocol === 'grpc' ? 'grpc' : 'http' });
  afterwards(() => receiver.close());
  return receiver;
}

function endSteadySpan({ tracer, createdAt }: Steady): void {
  const span = tracer.startSpan('steady');
  createdAt.set(span.spanContext().spanId, Date.now());
  span.end();
}

/** From the end of a span to its arrival: nine of ten are faster. */
function longDelay({ receiver, createdAt }: Steady): number {
  const delays: number[] = [];
  for (const { receivedAt, spans } of receiver.requests) {
    for (const { spanId } of spans) {
      const at = createdAt.get(spanId);
      if (at !== undefined) delays.push(receivedAt - at);
    }
  }
  return delays.sort((a, b) => a - b)[Math.floor(delays.length * 0.9)] ?? 0;
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
