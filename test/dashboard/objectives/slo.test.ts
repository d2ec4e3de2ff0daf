import { describe, expect, it } from 'vitest';
import { resolveSlo } from '../../../src/dashboard/objectives/resolve-objectives.ts';
import { evaluateSlo } from '../../../src/dashboard/objectives/slo.ts';
import { SegmentRing } from '../../../src/dashboard/store/ring/segment-ring.ts';
import type { SloOptions, SloStatus } from '../../../src/dashboard.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { append, logsJson, metricsJson, nanos, spanId, traceId, tracesJson } from '../otlp-requests.ts';
import { getJson, openDashboard, postOtlp } from '../server/dashboard-kit.ts';

const MINUTE = 60_000;

interface Requests {
  readonly tenant?: string;
  readonly count: number;
  /** Minutes since the clock's start. */
  readonly minute: number;
  readonly error?: boolean;
  readonly durationMillis?: number;
  readonly name?: string;
}

/** Requests of tenants over time, in a store whose clock is told. */
class Traffic {
  readonly clock = new FakeClock();
  readonly store = new SegmentRing({ clock: this.clock });
  #number = 0;

  async add({ tenant = 'acme', count, minute, error = false, durationMillis = 10, name = 'work' }: Requests) {
    const spans = Array.from({ length: count }, (_, index) => {
      this.#number += 1;
      const ids = { traceId: traceId(this.#number), spanId: spanId(this.#number) };
      return { ...ids, name, kind: 2, at: minute * MINUTE + index, durationMillis, error };
    });
    await append(this.store, 'traces', tracesJson({ service: 'api', tenant }, spans));
  }

  async ask(options: Omit<SloOptions, 'name'>, minute: number): Promise<SloStatus[]> {
    const now = this.clock.now() + minute * MINUTE;
    return await evaluateSlo(this.store, resolveSlo({ name: 'slo', ...options }), 'all', now);
  }
}

describe('an objective', () => {
  it('counts errors against the budget of availability, tenant by tenant', async () => {
    const traffic = new Traffic();
    await traffic.add({ count: 990, minute: 1 });
    await traffic.add({ count: 10, minute: 2, error: true });
    await traffic.add({ tenant: 'globex', count: 100, minute: 2 });
    const statuses = await traffic.ask({ indicator: 'availability', target: 0.98 }, 10);
    const acme = statuses.find(({ tenant }) => tenant === 'acme');
    expect(acme).toMatchObject({ total: 1_000, good: 990, value: 0.99, met: true, policy: 'increase-reviews' });
    expect(acme?.budget.allowed).toBeCloseTo(20);
    expect(acme?.budget.used).toBe(10);
    expect(acme?.budget.remaining).toBeCloseTo(0.5);
    expect(acme?.burnRate).toBeCloseTo(0.5);
    expect(statuses.find(({ tenant }) => tenant === 'globex')).toMatchObject({
      ...{ total: 100, good: 100, value: 1, met: true, burnRate: 0, policy: 'normal' },
      budget: { used: 0, remaining: 1 },
    });
  });

  it.each([
    [0, 'normal'],
    [4, 'normal'],
    [5, 'increase-reviews'],
    [8, 'reduce-risk'],
    [10, 'freeze-deployments'],
    [90, 'freeze-deployments'],
  ])('asks at %i bad requests of ten allowed for %s', async (bad, policy) => {
    const traffic = new Traffic();
    await traffic.add({ count: 100 - bad, minute: 1 });
    await traffic.add({ count: bad, minute: 1, error: true });
    const [status] = await traffic.ask({ indicator: 'error_rate', target: 0.1 }, 2);
    expect(status).toMatchObject({ policy, value: bad / 100, met: bad <= 10, budget: { used: bad } });
  });

  it('rolls: what is older than the window counts no more', async () => {
    const traffic = new Traffic();
    await traffic.add({ count: 10, minute: 0, error: true });
    await traffic.add({ count: 10, minute: 30 });
    const slo = { indicator: 'availability', target: 0.9, windowMillis: 60 * MINUTE } as const;
    expect(await traffic.ask(slo, 59)).toMatchObject([{ total: 20, good: 10, met: false }]);
    expect(await traffic.ask(slo, 61)).toMatchObject([{ total: 10, good: 10, met: true, burnRate: 0 }]);
    expect(await traffic.ask(slo, 91)).toEqual([]);
  });

  it('counts requests that are too slow', async () => {
    const traffic = new Traffic();
    await traffic.add({ count: 95, minute: 1, durationMillis: 100 });
    await traffic.add({ count: 5, minute: 1, durationMillis: 101, error: true });
    const slo = { indicator: 'latency', target: 0.9, thresholdMillis: 100 } as const;
    expect(await traffic.ask(slo, 2)).toMatchObject([{ total: 100, good: 95, met: true }]);
    expect(await traffic.ask({ ...slo, thresholdMillis: 99.5 }, 2)).toMatchObject([{ good: 0, met: false }]);
  });

  it('judges whole minutes of throughput, from the first with a request', async () => {
    const traffic = new Traffic();
    await traffic.add({ count: 5, minute: 10 });
    for (const minute of [11, 12, 14]) await traffic.add({ count: 60, minute });
    await traffic.add({ count: 59, minute: 13 });
    await traffic.add({ count: 1, minute: 16 });
    const slo = { indicator: 'throughput', target: 0.5, minimumPerSecond: 1 } as const;
    // 11 to 15, of which 13 and 15 had too little; 10 and 16 are not whole.
    expect(await traffic.ask(slo, 16.5)).toMatchObject([{ total: 5, good: 3, met: true }]);
  });

  it('looks only at what its query and its tenants say, and at entry spans unless told otherwise', async () => {
    const traffic = new Traffic();
    await traffic.add({ count: 10, minute: 1, name: 'checkout' });
    await traffic.add({ count: 30, minute: 1, name: 'health', error: true });
    await traffic.add({ tenant: 'globex', count: 10, minute: 1, name: 'checkout' });
    const slo = { indicator: 'availability', target: 0.9, query: 'name:checkout', tenants: ['acme'] } as const;
    expect(await traffic.ask(slo, 2)).toMatchObject([{ tenant: 'acme', total: 10, good: 10 }]);
  });

  it('says how much of its window the store knows', async () => {
    const traffic = new Traffic();
    await traffic.add({ count: 1, minute: 50 });
    const slo = { indicator: 'availability', target: 0.9, windowMillis: 60 * MINUTE } as const;
    const [status] = await traffic.ask(slo, 60);
    expect(status?.coveredMillis).toBe(10 * MINUTE);
    expect((await traffic.ask({ ...slo, windowMillis: 20 * MINUTE }, 60))[0]?.coveredMillis).toBe(10 * MINUTE);
    expect((await traffic.ask({ ...slo, windowMillis: 15 * MINUTE }, 65))[0]?.coveredMillis).toBe(15 * MINUTE);
  });

  it.each<[string, object]>([
    ['slo.name', { name: '' }],
    ['slo.indicator', { indicator: 'saturation' }],
    ['slo.target', { target: 1 }],
    ['slo.target', { target: 0 }],
    ['slo.target', { target: '0.9' }],
    ['slo.windowMillis', { windowMillis: 1_000 }],
    ['slo.thresholdMillis', { indicator: 'latency' }],
    ['slo.minimumPerSecond', { indicator: 'throughput' }],
    ['slo.query', { query: 'dur>fast' }],
    ['slo.spans', { spans: 'some' }],
    ['slo.tenants', { tenants: [] }],
  ])('is refused for a %s that cannot be', (option, part) => {
    const good = { name: 'x', indicator: 'availability', target: 0.9 } as const;
    expect(() => resolveSlo(good)).not.toThrow();
    expect(() => resolveSlo({ ...good, ...part } as never)).toThrow(
      expect.objectContaining({ code: 'config_invalid' }),
    );
    expect(() => resolveSlo({ ...good, ...part } as never)).toThrow(option);
  });

  it('is answered by the API for the tenants of the token, the smallest rest of the budget first', async () => {
    const token = [{ token: 'all-of-them-please' }, { token: 'nobody-but-acme-0', tenants: ['acme'] }];
    const clock = new FakeClock();
    const slos = [{ name: 'up', indicator: 'availability', target: 0.9 }] as const;
    const dashboard = await openDashboard({ token, clock, slos });
    dashboard.registerSlo({ name: 'fast', indicator: 'latency', target: 0.5, thresholdMillis: 50 });
    const operator = { authorization: 'Bearer all-of-them-please' };
    const spans = [true, false].map((error, index) => ({
      traceId: traceId(index + 1),
      spanId: spanId(1),
      kind: 2,
      error,
    }));
    for (const tenant of ['acme', 'globex']) {
      const own = tenant === 'acme' ? spans : spans.slice(1);
      await postOtlp(dashboard, 'traces', tracesJson({ tenant }, own), operator);
    }
    clock.advance(1_000);
    const { value } = await getJson<{ slos: SloStatus[]; more: number }>(dashboard, '/api/v1/slos', operator);
    expect(value.slos.map(({ name, tenant }) => `${name} ${tenant}`).slice(0, 1)).toEqual(['up acme']);
    expect(value.slos).toHaveLength(4);
    const limited = { authorization: 'Bearer nobody-but-acme-0' };
    const own = await getJson<{ slos: SloStatus[] }>(dashboard, '/api/v1/slos', limited);
    expect(own.value.slos.map(({ tenant }) => tenant)).toEqual(['acme', 'acme']);
    expect((await getJson(dashboard, '/api/v1/slos?tenant=globex', limited)).status).toBe(403);
    expect((await getJson(dashboard, '/api/v1/slos?limit=1', operator)).value).toMatchObject({ more: 3 });
  });
});

describe('an objective of minutes', () => {
  const MAIL = { indicator: 'metric', target: 0.5, metric: { name: 'depth', aggregation: 'max' } } as const;

  async function addPoint(traffic: Traffic, minute: number, value: number, queue = 'mail', tenant = 'acme') {
    const attributes = [{ key: 'queue', value: { stringValue: queue } }];
    const dataPoints = [{ timeUnixNano: nanos(minute * MINUTE), asDouble: value, attributes }];
    await append(traffic.store, 'metrics', metricsJson({ tenant }, [{ name: 'depth', gauge: { dataPoints } }]));
  }

  async function addLogs(traffic: Traffic, minute: number, severity: number, count: number, tenant = 'acme') {
    const log = { body: 'x', severity, at: minute * MINUTE + 1 };
    await append(traffic.store, 'logs', logsJson({ tenant }, Array<typeof log>(count).fill(log)));
  }

  it('counts minutes with a value of the metric that is too high, those of other attributes left out', async () => {
    const traffic = new Traffic();
    for (const [minute, value] of [10, 99, 10, 99, 10].entries()) await addPoint(traffic, minute, value);
    await addPoint(traffic, 2, 500, 'print');
    await addPoint(traffic, 3, 1, 'mail', 'globex');
    // Neither the minute that is under way nor one without a value is judged.
    await addPoint(traffic, 8, 99);
    const options = { ...MAIL, atMost: 50, metric: { ...MAIL.metric, query: 'attr.queue=mail' } };
    const statuses = await traffic.ask(options, 8.5);
    expect(statuses.find(({ tenant }) => tenant === 'acme')).toMatchObject({
      total: 5,
      good: 3,
      value: 0.6,
      met: true,
    });
    expect(statuses.find(({ tenant }) => tenant === 'globex')).toMatchObject({ total: 1, good: 1, burnRate: 0 });
    const [lower] = await traffic.ask({ ...MAIL, atLeast: 50, tenants: ['acme'] }, 8.5);
    expect(lower).toMatchObject({ total: 5, good: 3, met: true });
  });

  it('counts minutes with too many log records that match, since the first with any', async () => {
    const traffic = new Traffic();
    await addLogs(traffic, 0, 9, 1);
    await addLogs(traffic, 2, 17, 3);
    await addLogs(traffic, 4, 17, 1);
    await addLogs(traffic, 4, 9, 9);
    await addLogs(traffic, 5, 9, 1, 'globex');
    const options = { indicator: 'logs', target: 0.9, logs: { query: 'severity>=error' } } as const;
    const statuses = await traffic.ask({ ...options, atMost: 2 }, 10.5);
    expect(statuses.find(({ tenant }) => tenant === 'acme')).toMatchObject({ total: 9, good: 8, met: false });
    expect(statuses.find(({ tenant }) => tenant === 'globex')).toMatchObject({ total: 4, good: 4, met: true });
    const [heard] = await traffic.ask({ indicator: 'logs', target: 0.9, atLeast: 1, tenants: ['acme'] }, 10.5);
    expect(heard).toMatchObject({ total: 9, good: 2 });
  });

  it.each<[string, Partial<SloOptions>]>([
    ['atMost', { indicator: 'metric', metric: { name: 'm' } }],
    ['atMost', { indicator: 'logs', atMost: 1, atLeast: 1 }],
    ['atMost', { indicator: 'logs', atMost: Number.NaN }],
    ['metric.name', { indicator: 'metric', atMost: 1 }],
    ['metric.query', { indicator: 'metric', atMost: 1, metric: { name: 'm', query: 'dur>1s' } }],
    ['logs.query', { indicator: 'logs', atMost: 1, logs: { query: '"' } }],
  ])('is refused where %s is wrong', (option, part) => {
    expect(() => resolveSlo({ name: 'x', target: 0.5, ...part } as SloOptions)).toThrow(`slo.${option}:`);
  });
});
