import { TracerRegistry } from 'isotrace';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Alert, AlertPage, AlertRule, Dashboard, DashboardOptions } from '../../../src/dashboard.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { SILENT } from '../../support/tenant-receivers.ts';
import { logsJson, metricsJson, nanos, spanId, traceId, tracesJson } from '../otlp-requests.ts';
import { getJson, openDashboard, postOtlp } from '../server/dashboard-kit.ts';

const INTERVAL = 10_000;
const WINDOW = 60_000;
const FAILING: AlertRule = { name: 'failing', when: { figure: 'errorRate', above: 0.5 }, windowMillis: WINDOW };

interface Setting {
  readonly dashboard: Dashboard;
  readonly clock: FakeClock;
  /** What the handler was told, as `tenant state`. */
  readonly told: string[];
  /** Sends requests that end now. */
  readonly requests: (tenant: string, good: number, bad: number) => Promise<void>;
  /** Lets the rules be looked at once more. */
  readonly look: () => Promise<void>;
  readonly page: (query?: string, headers?: Record<string, string>) => Promise<AlertPage>;
  readonly states: () => Promise<string[]>;
}

async function set(options: DashboardOptions, headers: Record<string, string> = {}): Promise<Setting> {
  const clock = new FakeClock();
  const told: string[] = [];
  const tell = (alert: Alert): void => void told.push(`${alert.tenant} ${alert.state}`);
  const dashboard = await openDashboard({ clock, alertIntervalMillis: INTERVAL, alertHandlers: [tell], ...options });
  let number = 0;
  const begin = clock.now();
  const page: Setting['page'] = async (query = '', own = headers) =>
    (await getJson<AlertPage>(dashboard, `/api/v1/alerts${query}`, own)).value;
  return {
    ...{ dashboard, clock, told, page },
    requests: async (tenant, good, bad) => {
      const spans = Array.from({ length: good + bad }, (_, index) => {
        number += 1;
        const ids = { traceId: traceId(number), spanId: spanId(number) };
        return { ...ids, kind: 2, at: clock.now() - begin, durationMillis: 0, error: index >= good };
      });
      await postOtlp(dashboard, 'traces', tracesJson({ tenant }, spans), headers);
    },
    look: async () => {
      await clock.advanceAsync(INTERVAL);
      // What a rule asks of the store takes some turns; an answer of the dashboard comes after them.
      await page();
      await page();
    },
    states: async () => (await page()).alerts.map(({ tenant, state }) => `${tenant} ${state}`),
  };
}

describe('an alert', () => {
  it('fires once for a tenant, is told once, and once more when it is over', async () => {
    const { requests, look, told, states } = await set({ alerts: [FAILING] });
    await requests('acme', 1, 9);
    await requests('globex', 9, 1);
    await look();
    expect(told).toEqual(['acme firing']);
    expect(await states()).toEqual(['acme firing']);
    await look();
    await look();
    expect(told).toEqual(['acme firing']);
    await requests('acme', 100, 0);
    await look();
    expect(told).toEqual(['acme firing', 'acme resolved']);
    expect(await states()).toEqual(['acme resolved']);
    await requests('acme', 0, 1_000);
    await look();
    expect(told).toEqual(['acme firing', 'acme resolved', 'acme firing']);
    expect(await states()).toEqual(['acme firing', 'acme resolved']);
  });

  it('is over when what it was about is out of the window', async () => {
    const { requests, look, told, page } = await set({ alerts: [FAILING] });
    await requests('acme', 0, 1);
    for (let time = 0; time <= WINDOW; time += INTERVAL) await look();
    expect(told).toEqual(['acme firing', 'acme resolved']);
    const [alert] = (await page()).alerts;
    expect((alert?.resolvedMillis ?? 0) - (alert?.firedMillis ?? 0)).toBe(WINDOW);
  });

  it('is pending until it has held for as long as the rule says, without a break', async () => {
    const { requests, look, told, states, page } = await set({ alerts: [{ ...FAILING, forMillis: 2 * INTERVAL }] });
    await requests('acme', 0, 1);
    await look();
    expect(await states()).toEqual(['acme pending']);
    await requests('acme', 9, 0);
    await look();
    expect(await states()).toEqual([]);
    await requests('acme', 0, 100);
    await look();
    await look();
    expect([told, await states()]).toEqual([[], ['acme pending']]);
    await look();
    expect([told, await states()]).toEqual([['acme firing'], ['acme firing']]);
    const [alert] = (await page()).alerts;
    expect((alert?.firedMillis ?? 0) - (alert?.sinceMillis ?? 0)).toBe(2 * INTERVAL);
    expect(alert).toMatchObject({ rule: 'failing', severity: 'warning', value: 101 / 110 });
  });

  it('goes by a function, which sees the figures of one tenant', async () => {
    const seen: object[] = [];
    const rule: AlertRule = {
      name: 'odd',
      windowMillis: WINDOW,
      when: async (figures) => {
        seen.push(figures);
        return figures.tenant === 'acme' && figures.requests === 3;
      },
    };
    const { requests, look, told } = await set({ alerts: [rule] });
    await requests('acme', 2, 1);
    await look();
    expect(told).toEqual(['acme firing']);
    expect(seen).toMatchObject([{ tenant: 'acme', requests: 3, errors: 1, errorRate: 1 / 3, perSecond: 0.05 }]);
  });

  it('stays as it is while its function fails, which is told, and others go on', async () => {
    let mode: 'yes' | 'throw' | 'reject' | 'nonsense' | 'hang' = 'yes';
    const rule: AlertRule = {
      name: 'broken',
      when: () => {
        if (mode === 'throw') throw new Error('thrown');
        if (mode === 'reject') return Promise.reject(new Error('rejected'));
        if (mode === 'hang') return new Promise(() => {});
        return mode === 'nonsense' ? ('maybe' as never) : true;
      },
    };
    const { requests, look, told, states, page, clock } = await set({ alerts: [rule, FAILING] });
    await requests('acme', 1, 0);
    await look();
    for (const [index, next] of (['throw', 'reject', 'nonsense', 'hang'] as const).entries()) {
      mode = next;
      await look();
      if (next === 'hang') {
        await clock.advanceAsync(5_000);
        await page();
      }
      expect(await states()).toEqual(['acme firing']);
      expect((await page()).rules[0]).toMatchObject({ name: 'broken', failures: index + 1, lastError: /\w/ });
    }
    expect((await page()).rules[0]?.lastError).toContain('in time');
    mode = 'yes';
    await requests('globex', 0, 1);
    await look();
    expect(told.filter((text) => text.startsWith('globex'))).toEqual(['globex firing', 'globex firing']);
  });

  it('is told to every handler, whatever the others do', async () => {
    const told: string[] = [];
    const alertHandlers = [
      () => {
        throw new Error('thrown');
      },
      () => Promise.reject(new Error('rejected')),
      () => new Promise<void>(() => {}),
      (alert: Alert) => {
        told.push(alert.tenant);
        (alert as { tenant: string }).tenant = 'changed';
      },
      ({ tenant }: Alert) => void told.push(tenant),
    ];
    const { requests, look, page } = await set({ alerts: [FAILING], alertHandlers });
    await requests('acme', 0, 1);
    await look();
    expect(told).toEqual(['acme', 'acme']);
    const { handlers } = await page();
    expect(handlers).toMatchObject([
      { calls: 1, failures: 1, lastError: 'Error: thrown' },
      { calls: 1, failures: 1, lastError: 'Error: rejected' },
      { calls: 1, failures: 0 },
      { calls: 1, failures: 1 },
      { calls: 1, failures: 0 },
    ]);
  });

  it('tells a handler that never settles of a hundred alerts, and counts the others', async () => {
    const { requests, look, page } = await set({
      alerts: [FAILING],
      alertHandlers: [() => new Promise<void>(() => {})],
    });
    for (let number = 0; number < 103; number += 1) await requests(`tenant-${number}`, 0, 1);
    await look();
    expect((await page()).handlers).toEqual([{ calls: 100, failures: 0, skipped: 3, lastError: '' }]);
  });

  it.each<[string, AlertRule, boolean]>([
    ['metric', { name: 'm', when: { figure: 'metric', above: 5 }, metric: { name: 'load' } }, true],
    [
      'metric',
      { name: 'm', when: { figure: 'metric', below: 5 }, metric: { name: 'load', aggregation: 'max' } },
      false,
    ],
    ['metric that is not there', { name: 'm', when: { figure: 'metric', below: 5 }, metric: { name: 'other' } }, false],
    ['burn rate', { name: 'b', when: { figure: 'burnRate', above: 5 }, slo: 'up' }, true],
    ['budget', { name: 'b', when: { figure: 'budgetRemaining', below: 0.5 }, slo: 'up' }, true],
    ['latency', { name: 'l', when: { figure: 'p95Millis', above: 1 } }, false],
    ['throughput', { name: 't', when: { figure: 'perSecond', below: 1 } }, true],
    ['query', { name: 'q', when: { figure: 'errors', above: 0 }, query: 'name:other' }, false],
    ['other tenants', { name: 'o', when: { figure: 'errors', above: 0 }, tenants: ['globex'] }, false],
  ])('can be about a %s', async (_, rule, fires) => {
    const slos = [{ name: 'up', indicator: 'availability', target: 0.9 }] as const;
    const { dashboard, requests, look, told, clock } = await set({ slos, alerts: [rule] });
    await requests('acme', 1, 3);
    const point = { timeUnixNano: nanos(clock.now() - new FakeClock().now()), asDouble: 7 };
    const metric = { name: 'load', gauge: { dataPoints: [point] } };
    await postOtlp(dashboard, 'metrics', metricsJson({ tenant: 'acme' }, [metric]));
    await look();
    expect(told).toEqual(fires ? ['acme firing'] : []);
  });

  it('fires for a tenant that a rule names and that sends nothing at all', async () => {
    const rule: AlertRule = { name: 'silent', when: { figure: 'requests', below: 1 }, tenants: ['acme'] };
    const { look, told } = await set({ alerts: [rule] });
    await look();
    expect(told).toEqual(['acme firing']);
  });

  it('can be about what an attached registry drops, within its window', async () => {
    const rule: AlertRule = { name: 'lossy', when: { figure: 'dropped', above: 0 }, windowMillis: 2 * INTERVAL };
    const { dashboard, look, told } = await set({ alerts: [rule] });
    const registry = new TracerRegistry({ logger: SILENT, configure: () => ({ destination: [] }) });
    onTestFinished(async () => void (await registry.shutdown({ timeoutMillis: 10 })));
    dashboard.attach(registry);
    registry.get('acme').startSpan('nowhere to go').end();
    await look();
    // What was dropped before the first look is not known to be new.
    expect(told).toEqual([]);
    registry.get('acme').startSpan('nowhere to go').end();
    await look();
    expect(told).toEqual(['acme firing']);
    await look();
    await look();
    expect(told).toEqual(['acme firing', 'acme resolved']);
  });

  it('is shown to tokens that may see its tenant, and rules to those that may see all', async () => {
    const token = [{ token: 'all-of-them-please' }, { token: 'nobody-but-acme-0', tenants: ['acme'] }];
    const { requests, look, page } = await set(
      { token, alerts: [FAILING] },
      { authorization: 'Bearer all-of-them-please' },
    );
    for (const tenant of ['acme', 'globex']) await requests(tenant, 0, 1);
    await look();
    const all = await page();
    expect(all.alerts.map(({ tenant }) => tenant).sort()).toEqual(['acme', 'globex']);
    expect([all.rules.length, all.handlers.length]).toEqual([1, 1]);
    const own = await page('', { authorization: 'Bearer nobody-but-acme-0' });
    expect(own.alerts.map(({ tenant }) => tenant)).toEqual(['acme']);
    expect([own.rules, own.handlers]).toEqual([[], []]);
    expect(await page('?limit=1')).toMatchObject({ alerts: [{}], more: 1 });
  });

  it('is told to live pages', async () => {
    const { dashboard, requests, look, clock } = await set({ alerts: [FAILING] });
    const controller = new AbortController();
    onTestFinished(() => controller.abort());
    const { body } = await fetch(`${dashboard.url}/api/v1/live`, { signal: controller.signal });
    await requests('acme', 0, 1);
    await look();
    await clock.advanceAsync(100);
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    let text = '';
    while (!text.includes('"state":"firing"')) text += Buffer.from((await reader.read()).value ?? []).toString();
    expect(text).toMatch(/event: alerts\ndata: \{"alerts":\[\{"rule":"failing"/);
  });

  it.each<[string, object]>([
    ['alert.name', { name: 'x'.repeat(101) }],
    ['alert.when', { when: undefined }],
    ['alert.when', { when: { figure: 'errors' } }],
    ['alert.when', { when: { figure: 'errors', above: 1, below: 2 } }],
    ['alert.when', { when: { figure: 'errors', above: Number.NaN } }],
    ['alert.when.figure', { when: { figure: 'luck', above: 1 } }],
    ['alert.metric', { when: { figure: 'metric', above: 1 } }],
    ['alert.slo', { when: { figure: 'burnRate', above: 1 } }],
    ['alert.slo', { slo: 'unknown' }],
    ['alert.forMillis', { forMillis: -1 }],
    ['alert.windowMillis', { windowMillis: 10 }],
    ['alert.severity', { severity: 'loud' }],
    ['alert.query', { query: 'severity:error' }],
  ])('is refused for a %s that cannot be', async (option, part) => {
    const dashboard = await openDashboard();
    expect(() => dashboard.registerAlert({ ...FAILING, ...part } as never)).toThrow(option);
    await expect(openDashboard({ alerts: [{ ...FAILING, ...part } as never] })).rejects.toThrow(option);
  });

  it('leaves no timer when there is no rule, and none when the dashboard is closed', async () => {
    const clock = new FakeClock();
    const dashboard = await openDashboard({ clock });
    expect(clock.pendingTimers).toBe(0);
    dashboard.registerAlert(FAILING);
    expect(clock.pendingTimers).toBe(1);
    await dashboard.close();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('alerts on metrics and log records', () => {
  const SHIFT = Date.UTC(2025, 0, 1);

  async function setMore(alerts: readonly AlertRule[], more: DashboardOptions = {}) {
    const setting = await set({ alerts, ...more });
    const { dashboard, clock } = setting;
    return {
      ...setting,
      point: async (tenant: string, queue: string, value: number) => {
        const attributes = [{ key: 'queue', value: { stringValue: queue } }];
        const dataPoints = [{ timeUnixNano: nanos(clock.now() - SHIFT), asDouble: value, attributes }];
        await postOtlp(dashboard, 'metrics', metricsJson({ tenant }, [{ name: 'depth', gauge: { dataPoints } }]));
      },
      log: async (tenant: string, severity: number, body: string, count = 1) => {
        const record = { body, severity, at: clock.now() - SHIFT };
        await postOtlp(dashboard, 'logs', logsJson({ tenant }, Array<typeof record>(count).fill(record)));
      },
    };
  }

  it('watch the points of a metric that match, told once when they fire and once when they are over', async () => {
    const metric = { name: 'depth', aggregation: 'max', query: 'attr.queue=mail' } as const;
    const rule: AlertRule = { name: 'queue', metric, when: { figure: 'metric', above: 100 }, windowMillis: WINDOW };
    const { point, look, told, page } = await setMore([{ ...rule, forMillis: INTERVAL }]);
    await point('acme', 'print', 900);
    await point('globex', 'mail', 500);
    await point('acme', 'mail', 90);
    await look();
    expect(told).toEqual([]);
    await look();
    expect(told).toEqual(['globex firing']);
    await point('acme', 'mail', 101);
    await look();
    await look();
    await look();
    expect(told).toEqual(['globex firing', 'acme firing']);
    expect((await page('?tenant=acme')).alerts).toMatchObject([{ rule: 'queue', state: 'firing', value: 101 }]);
    for (let time = 0; time <= WINDOW; time += INTERVAL) await look();
    expect(told.slice(2).sort()).toEqual(['acme resolved', 'globex resolved']);
  });

  it('watch how many log records match, of tenants without any too', async () => {
    const { log, look, told, page } = await setMore([
      {
        ...{ name: 'timeouts', windowMillis: WINDOW, when: { figure: 'logs', above: 2 } },
        logs: { query: 'severity>=error "timed out"' },
      },
      {
        ...{ name: 'silent', windowMillis: WINDOW, tenants: ['quiet'], logs: {} },
        when: { figure: 'logs', below: 1 },
      },
    ]);
    await log('acme', 17, 'payment timed out', 2);
    await log('acme', 9, 'payment timed out, trying again', 9);
    await log('acme', 17, 'card declined', 9);
    await look();
    expect(told).toEqual(['quiet firing']);
    await log('acme', 21, 'payment timed out for good');
    await look();
    expect(told).toEqual(['quiet firing', 'acme firing']);
    expect((await page('?tenant=acme')).alerts).toMatchObject([{ rule: 'timeouts', value: 3 }]);
    await log('quiet', 9, 'here I am');
    for (let time = 0; time < WINDOW; time += INTERVAL) await look();
    expect(told.slice(2).sort()).toEqual(['acme resolved', 'quiet resolved'].sort());
  });

  it('show both to functions, and neither to rules that do not watch them', async () => {
    const seen: { rule: string; metric: number; logs: number }[] = [];
    const watch = (rule: string): AlertRule => ({
      name: rule,
      when: ({ metric, logs }) => {
        seen.push({ rule, metric, logs });
        return metric > 10 && logs > 1;
      },
    });
    const { log, point, look, told } = await setMore([
      { ...watch('both'), metric: { name: 'depth' }, logs: { query: 'severity:error' } },
      watch('neither'),
    ]);
    await log('acme', 17, 'bad', 2);
    await point('acme', 'mail', 11);
    await look();
    expect(seen).toEqual([
      { rule: 'both', metric: 11, logs: 2 },
      { rule: 'neither', metric: Number.NaN, logs: Number.NaN },
    ]);
    expect(told).toEqual(['acme firing']);
  });

  it('count a rate over the whole window, and of a gauge what there is at last', async () => {
    const seen: number[] = [];
    const see = (name: string, metric: AlertRule['metric']): AlertRule => ({
      ...{ name, windowMillis: WINDOW, ...(metric && { metric }) },
      when: (figures) => seen.push(figures.metric) < 0,
    });
    const { dashboard, clock, point, look } = await setMore([
      see('rate', { name: 'orders', aggregation: 'rate' }),
      see('added', { name: 'orders', aggregation: 'sum' }),
      see('there', { name: 'depth', aggregation: 'sum' }),
    ]);
    for (const value of [20, 40]) {
      const dataPoints = [{ timeUnixNano: nanos(clock.now() - SHIFT), asInt: String(value), attributes: [] }];
      const sum = { dataPoints, aggregationTemporality: 1, isMonotonic: true };
      await postOtlp(dashboard, 'metrics', metricsJson({ tenant: 'acme' }, [{ name: 'orders', sum }]));
      await point('acme', 'mail', value);
      await point('acme', 'print', 5);
      seen.length = 0;
      await look();
    }
    expect(seen).toEqual([1, 60, 45]);
  });

  it.each<[string, Partial<AlertRule>]>([
    ['logs', { when: { figure: 'logs', above: 1 } }],
    ['logs', { logs: 5 as never }],
    ['logs.query', { logs: { query: 'dur>1s' } }],
    ['metric.query', { metric: { name: 'm', query: 'severity:error' } }],
    ['metric.name', { metric: { name: '' } }],
    ['metric.aggregation', { metric: { name: 'm', aggregation: 'most' as never } }],
  ])('are refused where %s is wrong', async (option, part) => {
    const { dashboard } = await set({});
    const rule = { name: 'x', when: () => true, ...part };
    expect(() => dashboard.registerAlert(rule)).toThrow(`alert.${option}:`);
  });
});
