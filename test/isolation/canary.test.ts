import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CanaryRun, KINDS, programsFor, type WorkKind } from './canary-programs.ts';
import { CanaryWorld, enterSpan, OUTSIDE } from './canary-world.ts';

const TENANTS = 20;

interface Account {
  /** Runs: several programs at once, in one random order of their steps. */
  interleavings: number;
  /** How often, in all runs, a program gave way to whichever the scheduler chose. */
  steps: number;
  readonly kinds: Map<WorkKind, number>;
}

async function interleave(world: CanaryWorld, numRuns: number): Promise<Account> {
  const account: Account = { interleavings: 0, steps: 0, kinds: new Map() };
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), programsFor(TENANTS), async (scheduler, { tenants, works }) => {
      const run = new CanaryRun(world, scheduler, tenants);
      await run.perform(works);
      // Lets configurations arrive: no more tenants may wait for theirs than may be live.
      await new Promise(setImmediate);
      account.interleavings += 1;
      account.steps += run.steps;
      for (const kind of run.kinds) account.kinds.set(kind, (account.kinds.get(kind) ?? 0) + 1);
    }),
    { numRuns, interruptAfterTimeLimit: 150_000, markInterruptAsFailure: true },
  );
  return account;
}

describe('20 tenants, each with a secret in all that it records', () => {
  it('stay apart on the wire through 10,000 random interleavings of their work', async () => {
    await using world = await CanaryWorld.start(TENANTS);
    const { interleavings, steps, kinds } = await interleave(world, 10_000);

    expect(await world.deliver()).toEqual({});
    expect(interleavings).toBe(10_000);
    expect(steps).toBeGreaterThan(50_000);
    expect(world.spans.length).toBeGreaterThan(50_000);
    expect(world.logs.length).toBeGreaterThan(10_000);
    expect([...world.measurements.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(10_000);
    for (const kind of Object.keys(KINDS)) expect(kinds.get(kind as WorkKind), kind).toBeGreaterThan(300);
    expect(world.differences()).toEqual([]);
    expect(world.logDifferences()).toEqual([]);
    expect(world.metricDifferences()).toEqual([]);
    expect(world.leaks()).toEqual([]);
    for (const { receiver, secret } of world.tenants) {
      for (const { headers } of receiver.requests) expect(headers['x-canary']).toBe(secret);
    }
  }, 180_000);

  it('stay apart while most of them are evicted, revived and configured again', async () => {
    await using world = await CanaryWorld.start(TENANTS, { maxTenants: 8 });
    await interleave(world, 1_000);
    const { evicted, revived } = world.registry.stats();

    expect(await world.deliver()).toEqual({});
    expect(Math.min(evicted, revived)).toBeGreaterThan(1_000);
    expect(world.differences()).toEqual([]);
    expect(world.logDifferences()).toEqual([]);
    expect(world.metricDifferences()).toEqual([]);
    expect(world.leaks()).toEqual([]);
  }, 180_000);
});

describe('the search itself', () => {
  // The second tenant sends gzip.
  it.each([
    ['plain', 0],
    ['compressed', 1],
  ])('finds secrets and ids of another tenant in requests that are %s', async (_, receiving) => {
    await using world = await CanaryWorld.start(2);
    const [tenant, victim] = [world.tenants[receiving], world.tenants[1 - receiving]];
    if (tenant === undefined || victim === undefined) throw new Error('two tenants are needed');
    const remote = world.remoteSpan(victim);
    const padding = 'x'.repeat(4_000);
    const leak = (name: string, attributes: Record<string, string>): void =>
      world
        .tracer(tenant)
        .startSpan(name, { attributes: { padding, ...attributes } })
        .end();
    leak('nothing', { 'canary.secret': tenant.secret });
    await world.deliver();
    expect(world.leaks()).toEqual([]);

    leak(`name ${victim.secret}`, {});
    leak('attribute', { 'some.key': `x${victim.secret}y` });
    leak('tenant id', { 'tenant.id': tenant.id });
    leak('ids as text', { 'trace.id': remote.traceId });
    world
      .tracer(tenant)
      .startSpan('link', { links: [{ context: { ...remote, traceFlags: 1 } }] })
      .end();
    await world.deliver();

    expect(world.leaks()).toEqual(
      expect.arrayContaining([
        { owner: victim.id, kind: 'text', found: victim.secret },
        { owner: `the id ${tenant.id}`, kind: 'text', found: tenant.id },
        { owner: victim.id, kind: 'id as text', found: remote.traceId },
        { owner: victim.id, kind: 'id', found: remote.traceId },
        { owner: victim.id, kind: 'id', found: remote.spanId },
      ]),
    );
  });

  it('finds them in headers, paths and outgoing carriers', async () => {
    await using world = await CanaryWorld.start(2);
    const [tenant, victim] = world.tenants;
    if (tenant === undefined || victim === undefined) throw new Error('two tenants are needed');
    world.tracer(tenant).startSpan('span').end();
    await world.deliver();
    const [request] = tenant.receiver.requests;
    if (request === undefined) throw new Error('a request was expected');
    const search = world.search();
    const headers = { ...request.headers, authorization: `Bearer ${victim.secret}` };

    expect(search.leaksTo(tenant.id, [request])).toEqual([]);
    expect(search.leaksTo(tenant.id, [{ ...request, headers }])).toHaveLength(1);
    expect(search.leaksTo(tenant.id, [{ ...request, path: `/${victim.secret}` }])).toHaveLength(1);
    expect(search.leaksTo(victim.id, [request]).length).toBeGreaterThan(0);
    expect(() => world.checkCarrier(OUTSIDE, tenant, { baggage: `canary=${victim.secret}` })).toThrow('baggage header');
    expect(() => world.checkCarrier(OUTSIDE, tenant, { traceparent: `00-${'1'.repeat(32)}` })).toThrow('traceparent');
    world.checkCarrier(OUTSIDE, tenant, { tracestate: `canary=${victim.secret}` });
    expect(world.leaks()).toHaveLength(1);
  });

  it('tells of spans that did not arrive, arrived elsewhere, or have another parent', async () => {
    await using world = await CanaryWorld.start(2);
    const [tenant, other] = world.tenants;
    if (tenant === undefined || other === undefined) throw new Error('two tenants are needed');
    const start = (frame = OUTSIDE, by = tenant) => {
      const expected = world.expectSpan(frame, tenant);
      world.tracer(by).withSpan('span', (span) => world.mark(expected, span));
      return expected;
    };
    const good = start();
    await world.deliver();
    expect(world.differences()).toEqual([]);
    expect(world.logDifferences()).toEqual([]);
    expect(world.metricDifferences()).toEqual([]);

    world.expectSpan(OUTSIDE, tenant);
    start(OUTSIDE, other);
    start(enterSpan(OUTSIDE, good, tenant));
    await world.deliver();
    const told = world.differences().join('\n');

    expect(told).toContain(`${tenant.id} did not get span 1`);
    expect(told).toContain(`${tenant.id} did not get span 2`);
    expect(told).toContain(`${other.id} got span ${tenant.secret} (2) without reason`);
    expect(told).toContain('span 3: got');
  });

  it('tells of a context that is not what it must be', async () => {
    await using world = await CanaryWorld.start(2);
    const [tenant, other] = world.tenants;
    if (tenant === undefined || other === undefined) throw new Error('two tenants are needed');
    const inTenant = { ...OUTSIDE, tenant };
    const tracer = world.tracer(tenant);

    tracer.run(() => world.check(inTenant));
    expect(() => world.check(inTenant)).toThrow('tenant');
    expect(() => world.tracer(other).run(() => world.check(inTenant))).toThrow('tenant');
    expect(() => tracer.withSpan('span', () => world.check(inTenant))).toThrow('active span');
    expect(() => tracer.withBaggage({ canary: '1' }, () => world.check(inTenant))).toThrow('active baggage');
    expect(() =>
      tracer.withSession('1', () => world.check({ ...inTenant, session: new Map([[tenant, '2']]) })),
    ).toThrow('session');
  });
});
