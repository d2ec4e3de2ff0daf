import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTracer, type RegistryOptions, type Tracer, type TracerOptions } from '../../src/index.ts';
import { ENVIRONMENT_VARIABLES } from '../../src/infra/environment-variables.ts';
import { PROFILES, type ProfileName } from '../../src/processing/profiles.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';
import { receiver, registryOf, resolveWith, resources, SILENT, until } from './registry-kit.ts';

const NAMES = Object.keys(PROFILES) as ProfileName[];
const LAMBDA = 'AWS_LAMBDA_FUNCTION_NAME';
const KIB = 1_024;

beforeEach(() => {
  for (const name of [...Object.keys(ENVIRONMENT_VARIABLES), LAMBDA, 'AWS_REGION']) vi.stubEnv(name, undefined);
});

afterEach(() => {
  vi.unstubAllEnvs();
});

/** A registry on a fake clock whose tenants all send to one receiver. */
async function world(options: RegistryOptions<Tracer>, hangs = false) {
  const target = await receiver(hangs ? { fault: { mode: 'hang' } } : {});
  const clock = new FakeClock();
  const registry = registryOf({ clock, destination: { endpoint: target.url }, ...options });
  return { clock, registry, target };
}

function end(tracer: Tracer, count: number, bytes = 0): void {
  const note = 'x'.repeat(Math.min(bytes, 8_000));
  for (let index = 0; index < count; index += 1) tracer.startSpan('work', { attributes: { note } }).end();
}

describe.each(NAMES)('the profile %s', (profile) => {
  const values = PROFILES[profile];

  it('says how long a batch may wait', async () => {
    const { clock, registry, target } = await world({ profile });
    end(registry.get('acme'), 1);
    // A batch is sent up to a tenth of the delay early.
    await clock.advanceAsync(values.delayMillis * 0.9 - 1);
    await settle(50);
    expect(target.requests).toHaveLength(0);
    await clock.advanceAsync(values.delayMillis * 0.1 + 1);
    await target.waitForRequests(1);
  });

  it('says how many spans start a request, and how many are in it', async () => {
    const { registry, target } = await world({ profile });
    end(registry.get('acme'), values.maxSize - 1);
    await settle(50);
    expect(target.requests).toHaveLength(0);
    end(registry.get('acme'), 1);
    await target.waitForSpans(values.maxSize);
    expect(target.requests).toHaveLength(1);
  });

  it('says how many bytes start a request, and how many are in it', async () => {
    const { registry, target } = await world({ profile, batch: { maxSize: 2_048 } });
    const spans = Math.ceil(values.maxBytes / 8_000) + 1;
    end(registry.get('acme'), spans, 8_000);
    const [first] = await target.waitForRequests(1);
    expect(first?.body.length).toBeGreaterThan(values.maxBytes - 9 * KIB);
    expect(first?.body.length).toBeLessThan(values.maxBytes + KIB);
  });

  it('says how many spans wait', async () => {
    // Without bytes in the way; two batches are under way.
    const { registry } = await world({ profile, limits: { maxQueueBytes: 64 * KIB * KIB } }, true);
    const tracer = registry.get('acme');
    end(tracer, values.maxQueueSize + 2 * values.maxSize + 7);
    expect(tracer.stats().traces.dropped).toEqual({ queue_full: 7 });
  });

  it('says how many bytes wait', async () => {
    const { registry } = await world({ profile }, true);
    const tracer = registry.get('acme');
    end(tracer, Math.ceil((values.maxQueueBytes + 3 * values.maxBytes) / 8_000), 8_000);
    expect(tracer.stats().traces.dropped.queue_full).toBeGreaterThan(0);
    const { bytes } = tracer.stats();
    expect(bytes).toBeGreaterThan(values.maxQueueBytes);
    expect(bytes).toBeLessThanOrEqual(values.maxQueueBytes + 2 * values.maxBytes);
  });

  it('says how long an attempt may take', async () => {
    const { clock, registry, target } = await world({ profile, batch: { maxSize: 1 } }, true);
    end(registry.get('acme'), 1);
    await target.waitForRequests(1);
    const failures = () => registry.get('acme').health().destinations[0]?.failures;
    await clock.advanceAsync(values.timeoutMillis - 1);
    expect(failures()).toBe(0);
    await clock.advanceAsync(1);
    await until(() => failures() === 1, 'the attempt fails');
  });

  it('says how many requests at a time go to an origin, and how many connections there are when they hang', async () => {
    const target = await receiver({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const destination = { endpoint: target.url, timeoutMillis: 600_000 };
    const registry = registryOf({ clock, profile, batch: { maxSize: 1 }, destination });
    const slots = values.requestsPerOrigin;
    for (let index = 0; index < 8 * slots; index += 1) end(registry.get(`tenant-${index}`), 1);
    await target.waitForRequests(slots);
    await settle(100);
    expect(target.requests).toHaveLength(slots);
    expect(registry.stats().requests).toBe(slots);
    for (let second = 0; second < 5; second += 1) {
      await clock.advanceAsync(1_000);
      await settle(100);
    }
    // Overdue requests give their slots back: three quarters of the room beside the slots are for new tenants.
    const hanging = slots + Math.ceil(0.75 * 2.5 * slots);
    await target.waitForRequests(hanging);
    await settle(100);
    expect(target.connections.open).toBe(hanging);
    expect(registry.stats().sockets).toBe(hanging);
  });

  it.each(['flush', 'shutdown'] as const)('says how long %s takes at most', async (operation) => {
    const { clock, registry, target } = await world(
      { profile, configure: () => ({ destination: { endpoint: target.url, timeoutMillis: 600_000 } }) },
      true,
    );
    for (const subject of [registry.get('acme'), registry]) {
      end(registry.get('acme'), 1);
      const startedAt = clock.monotonic();
      const report = await resolveWith(clock, subject[operation]());
      const took = clock.monotonic() - startedAt;
      // `resolveWith` moves on in steps of 100 ms.
      if (operation === 'shutdown' && subject === registry) expect(took).toBeLessThanOrEqual(values.flushTimeoutMillis);
      else expect([took >= values.flushTimeoutMillis, took <= values.flushTimeoutMillis + 300]).toEqual([true, true]);
      if (subject !== registry) expect(report).toMatchObject({ ok: false });
    }
  });

  it('is named by health', async () => {
    const { registry } = await world({ profile });
    expect(registry.get('acme').health()).toMatchObject({ profile });
    expect(registry.health()).toMatchObject({ profile });
  });
});

describe('a profile', () => {
  const given: TracerOptions = {
    batch: { delayMillis: 1_111, maxSize: 11, maxBytes: 11_111 },
    limits: { maxQueueSize: 1_112, maxQueueBytes: 111_112 },
    destination: { endpoint: 'http://127.0.0.1:9', timeoutMillis: 1_113 },
  };

  /** What is in force, as it can be seen from outside: after so many spans this many were dropped, and so on. */
  async function inForce(registry: ReturnType<typeof registryOf>, clock: FakeClock) {
    const tracer = registry.get('acme');
    end(tracer, 3_000);
    const { dropped } = tracer.stats().traces;
    await clock.advanceAsync(1);
    return dropped.queue_full;
  }

  it.each(NAMES)('%s gives way to what is given, by the registry and by the tenant', async (profile) => {
    const clock = new FakeClock();
    // Two batches of 11 are under way.
    const expected = 3_000 - 1_112 - 22;
    const byRegistry = registryOf({ clock, ...given, configure: () => ({ profile }) });
    expect(await inForce(byRegistry, clock)).toBe(expected);
    expect(byRegistry.get('acme').health().profile).toBe(profile);
    const byTenant = registryOf({ clock, profile, configure: () => given });
    expect(await inForce(byTenant, clock)).toBe(expected);
  });

  it('of a tenant is over that of the registry, and brings back what only that one said', async () => {
    const { clock, registry, target } = await world({
      profile: 'throughput',
      configure: (id) => (id === 'fast' ? { profile: 'low-latency' } : {}),
    });
    expect(registry.get('fast').health().profile).toBe('low-latency');
    expect(registry.get('other').health().profile).toBe('throughput');
    expect(registry.health().profile).toBe('throughput');
    for (const id of ['fast', 'other']) end(registry.get(id), 1);
    await clock.advanceAsync(PROFILES['low-latency'].delayMillis);
    await target.waitForSpans(1);
    await settle(50);
    expect(target.spans()).toHaveLength(1);
  });

  it('changes the timeout of inherited destinations, but not one that was given', async () => {
    const target = await receiver({ fault: { mode: 'hang' } });
    const clock = new FakeClock();
    const registry = registryOf({
      clock,
      batch: { maxSize: 1 },
      destination: [{ endpoint: `${target.url}/open` }, { endpoint: `${target.url}/given`, timeoutMillis: 4_000 }],
      configure: () => ({ profile: 'serverless' }),
    });
    end(registry.get('acme'), 1);
    await target.waitForRequests(2);
    const failures = () =>
      registry
        .get('acme')
        .health()
        .destinations.map((destination) => destination.failures);
    await clock.advanceAsync(3_000);
    await until(() => failures()[0] === 1, 'the first attempt fails');
    expect(failures()).toEqual([1, 0]);
  });

  it('gives way to the variables of the platform tracer', async () => {
    vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', '1000');
    vi.stubEnv('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '9');
    const { clock, registry, target } = await world({ profile: 'serverless', platform: {} });
    expect(registry.platform.health().profile).toBe('serverless');
    end(registry.platform, 1);
    await clock.advanceAsync(890);
    await settle(50);
    expect(target.requests).toHaveLength(0);
    end(registry.platform, 8);
    await target.waitForSpans(9);
  });

  it('is noticed by reconfigure', async () => {
    let profile: ProfileName = 'default';
    const { registry } = await world({ configure: () => ({ profile }) });
    registry.get('acme');
    expect(await registry.reconfigure('acme')).toBe('unchanged');
    profile = 'low-latency';
    expect(await registry.reconfigure('acme')).toBe('changed');
    expect(registry.get('acme').health().profile).toBe('low-latency');
  });

  it('is serverless by itself where functions run, and only there', async () => {
    const { registry: elsewhere } = await world({ platform: {} });
    expect(elsewhere.health().profile).toBe('default');
    vi.stubEnv(LAMBDA, 'checkout');
    vi.stubEnv('AWS_REGION', 'eu-west-1');
    const { clock, registry, target } = await world({
      platform: {},
      attributes: { 'cloud.region': 'mine' },
      configure: (id) => (id === 'auto' ? { profile: 'auto' } : id === 'own' ? { profile: 'default' } : {}),
    });
    expect(registry.health()).toMatchObject({ profile: 'serverless', hostPlatform: 'aws_lambda' });
    expect(registry.get('any').health()).toMatchObject({ profile: 'serverless', hostPlatform: 'aws_lambda' });
    expect(registry.get('auto').health().profile).toBe('serverless');
    expect(registry.get('own').health().profile).toBe('default');
    expect(registry.platform.health().profile).toBe('serverless');
    end(registry.get('any'), 1);
    await clock.advanceAsync(PROFILES.serverless.delayMillis);
    await target.waitForSpans(1);
    expect(resources(target)[0]).toMatchObject({
      'cloud.platform': 'aws_lambda',
      'faas.name': 'checkout',
      'cloud.region': 'mine',
    });
  });

  it('also holds for a tracer without a registry', async () => {
    vi.stubEnv(LAMBDA, 'checkout');
    const clock = new FakeClock();
    const tracer = createTracer({ clock, logger: SILENT, destination: { endpoint: 'http://127.0.0.1:9' } });
    expect(tracer.health()).toMatchObject({ profile: 'serverless', hostPlatform: 'aws_lambda' });
    await resolveWith(clock, tracer.shutdown());
  });
});
