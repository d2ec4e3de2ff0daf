import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { pino } from 'pino';
import type { Page } from 'playwright-core';
import { expect, it, onTestFinished } from 'vitest';
import { TracerRegistry } from '../../../src/index.ts';
import { logsJson, T0, tracesJson } from '../otlp-requests.ts';
import { describePage, downloaded, unique, usePage } from './page-kit.ts';
import { hexId } from './seed.ts';

describePage('the other views of the page', () => {
  const kit = usePage();

  it('lists log records by severity and search, opens one, and goes to its span', async () => {
    const page = await kit.open('/logs?tenant=acme');
    await page.getByText(/^\d+ log records/).waitFor();
    await page.getByRole('button', { name: 'error', exact: true }).click();
    await expect.poll(() => page.getByText(/^\d+ log records/).innerText()).toMatch(/^[1-9] log/);
    expect(new URL(page.url()).searchParams.get('level')).toBe('error');
    const levels = await page.locator('.log .level').allInnerTexts();
    expect(new Set(levels)).toEqual(new Set(['ERROR']));
    const row = page.locator('#logs [role=row]').first();
    await row.click();
    await page.getByText('order.id').waitFor();
    await row.getByRole('link', { name: 'Trace' }).click();
    await expect.poll(() => page.getByRole('complementary', { name: 'Span' }).innerText()).toContain('charge card');
    // And back from the trace to its records, and from a record to its span.
    await page.getByRole('group', { name: 'Parts of the trace' }).getByRole('button', { name: 'Logs' }).click();
    await page.getByText('CardDeclined: the card was declined').waitFor();
    await page.locator('#trace-logs').getByRole('button', { name: 'Span' }).first().click();
    await expect.poll(() => page.getByRole('complementary', { name: 'Span' }).innerText()).toContain('POST /');
  });

  it('follows log records, and pauses them', async () => {
    const topic = unique('follow');
    const later = `${topic} later`;
    const page = await kit.open(`/logs?q=${topic}`);
    await page.getByText('0 log records').waitFor();
    const say = (body: string) =>
      kit.post('logs', logsJson({ service: 'web', tenant: 'acme' }, [{ body, at: Date.now() - T0 }]));
    await expect.poll(() => page.locator('.live').getAttribute('class')).toContain('live live');
    // What is shown may be of the first answer, or of the one after the stream began; the third was told, and all before it.
    for (const body of ['first', 'second', 'third'].map((word) => `${topic} ${word}`)) {
      await say(body);
      await page.getByText(body).waitFor();
    }
    await page.keyboard.press('p');
    await say(later);
    await page.getByText('1 new').waitFor();
    expect(await page.getByText(later).count()).toBe(0);
    await page.keyboard.press('p');
    await page.getByText(later).waitFor();
    expect(await page.locator('#logs [role=row]').count()).toBe(4);
  });

  it('draws metrics by tenant, and an exemplar leads to its trace', async () => {
    kit.dashboard.registerView('process.memory.usage', 'stat');
    const page = await kit.open('/metrics?by=tenant');
    const memory = page.getByRole('region', { name: 'process.memory.usage' });
    await expect.poll(() => memory.innerText()).toMatch(/MB\s+acme/);
    await page
      .getByRole('complementary', { name: 'Metrics' })
      .getByRole('button', { name: /request.duration/ })
      .click();
    const panel = page.getByRole('region', { name: 'http.server.request.duration' });
    await panel.locator('canvas').waitFor();
    await expect.poll(() => panel.locator('.u-legend').innerText()).toMatch(/acme[\s\S]*umbrella/);
    await expect.poll(() => inkOf(page, '.panel canvas')).toBeGreaterThan(500);
    await panel.getByRole('combobox', { name: 'Aggregation' }).selectOption('p50');
    await expect.poll(() => new URL(page.url()).searchParams.get('agg')).toBe('p50');
    await panel.getByText('histogram · p50').waitFor();
    const dot = panel.getByRole('group', { name: 'Exemplars' }).getByRole('link').first();
    expect(await dot.getAttribute('aria-label')).toMatch(/open the trace$/);
    await dot.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('treegrid', { name: 'Spans' }).waitFor();
    await page.getByRole('link', { name: 'Metrics then' }).click();
    await page.getByRole('button', { name: 'Go live' }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/metrics');
  });

  it.each([
    ['/logs?tenant=acme&level=error', 'log records', 'logs.jsonl', /^Exported \d+ log records$/, 'logRecords'],
    [
      '/metrics?tenant=acme&name=process.memory.usage',
      'metrics',
      'metrics.jsonl',
      /^Exported \d+ data points$/,
      'gauge',
    ],
  ])('exports %s as OTLP that it imports again', async (address, what, file, said, part) => {
    const page = await kit.open(address);
    const button = `Export these ${what} as OTLP`;
    await expect.poll(() => page.getByRole('button', { name: button }).isEnabled()).toBe(true);
    const { name, text } = await downloaded(page, button);
    expect(name).toBe(file);
    await page.getByText(said).waitFor();
    expect(text).toContain(part);
    expect(text).not.toContain('http.server.request.duration');
    expect(text).not.toContain('globex');
    const foreign = unique('imported');
    await page.setInputFiles('input[type=file]', {
      name: file,
      mimeType: 'application/json',
      buffer: Buffer.from(text.replaceAll('"acme"', `"${foreign}"`)),
    });
    await page.getByText('Imported 1 request').waitFor();
    await page.goto(`${kit.dashboard.url}${address.replace('acme', foreign)}&last=24h`);
    await expect.poll(() => page.getByRole('button', { name: button }).isEnabled()).toBe(true);
    const again = await downloaded(page, button);
    expect(JSON.parse(again.text.replaceAll(foreign, 'acme'))).toEqual(JSON.parse(text));
  });

  it('shows rate, errors and durations by tenant, service and operation', async () => {
    const page = await kit.open('/services?tenant=globex');
    const rows = page.locator('.table tbody tr');
    await expect
      .poll(() => rows.allInnerTexts().then((texts) => texts.map((text) => text.split('\n')[0]?.trim()).sort()))
      .toEqual(['checkout', 'payment', 'support-agent', 'web']);
    await expect
      .poll(() =>
        page
          .getByRole('region', { name: 'globex · web' })
          .or(page.getByRole('region', { name: 'globex · checkout' }))
          .count(),
      )
      .toBe(1);
    await expect.poll(() => inkOf(page, '.red canvas')).toBeGreaterThan(300);
    await page.getByRole('button', { name: 'operation', exact: true }).click();
    const charge = rows.filter({ hasText: 'POST /v1/charges' });
    await expect.poll(() => charge.innerText()).toMatch(/min[\s\S]*10%[\s\S]*ms[\s\S]*ms/);
    await charge.getByRole('button').click();
    await page.getByRole('region', { name: 'globex · payment · POST /v1/charges' }).waitFor();
    await charge.getByRole('link', { name: 'Traces' }).click();
    await page.getByText('20 traces').waitFor();
    expect(new URL(page.url()).searchParams.get('q')).toBe('service:payment name:"POST /v1/charges"');
    await page.goto(`${kit.dashboard.url}/services?by=tenant`);
    await expect.poll(() => rows.count()).toBe(4);
  });

  it('puts the same errors together, with their place, tenants and newest trace', async () => {
    const page = await kit.open('/errors');
    const group = page.getByRole('listitem').filter({ hasText: 'CardDeclined' });
    await expect
      .poll(() => group.innerText())
      .toMatch(/9\s+times[\s\S]*insufficient funds[\s\S]*charge-card\.ts[\s\S]*acme/);
    await group.getByRole('link', { name: 'Newest trace' }).click();
    await page.getByRole('region', { name: 'Exception' }).waitFor();
    await page.goBack();
    await group.getByTitle('Only tenant hooli').click();
    await expect.poll(() => group.innerText()).toMatch(/2\s+times/);
  });

  it('rolls tokens and cost up to the root, by tenant and model', async () => {
    const page = await kit.open('/usage?tenant=acme');
    const models = page.locator('table').first();
    await expect.poll(() => models.innerText()).toMatch(/acme\s+claude-sonnet-4-5\s+6/);
    const number = async (row: string, column: number) =>
      Number(
        (await models.locator('tr', { hasText: row }).locator('td').nth(column).innerText()).replaceAll(/[$,]/g, ''),
      );
    const cost = (await number('claude', 5)) + (await number('gpt', 5));
    expect(cost).toBeGreaterThan(0.01);
    await page.getByRole('link', { name: 'answer ticket' }).first().click();
    await page.getByRole('heading', { name: 'Rolled up to the root' }).waitFor();
    const [calls, rolled] = await Promise.all([sumOf(page, 2, 4), sumOf(page, 1, 5)]);
    expect(rolled).toBeGreaterThan(0);
    expect(rolled).toBeCloseTo(calls, 2);
    await page.getByRole('button', { name: 'chat gpt-5-mini' }).click();
    await expect
      .poll(() => page.getByRole('region', { name: 'Messages' }).innerText())
      .toMatch(/Where is my order[\s\S]*left our warehouse/);
    // The root itself reports nothing, and has the sum.
    await expect.poll(() => page.locator('#spans-0 .usage').innerText()).toMatch(/Σ \d/);
  });

  it('adds up also where traces come faster than they are read, and reads again only what has changed', async () => {
    const tenant = unique('usage');
    const attributes = {
      'gen_ai.request.model': 'gpt-5',
      'gen_ai.usage.input_tokens': 10,
      'gen_ai.usage.output_tokens': 5,
    };
    const call = (traceId: string) =>
      kit.post(
        'traces',
        tracesJson({ service: 'agent', tenant }, [
          { traceId, spanId: randomBytes(8).toString('hex'), at: Date.now() - T0, attributes },
        ]),
      );
    const [slow, other] = [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')];
    await call(slow);
    const page = await kit.open('/tenants');
    const steps = new EventEmitter();
    const released = once(steps, 'released');
    let lists = 0;
    const read: string[] = [];
    await page.route('**/api/v1/traces?*', async (route) => {
      await route.continue();
      lists += 1;
      steps.emit('listed');
    });
    await page.route('**/api/v1/traces/*', async (route) => {
      const traceId = /traces\/(\w+)/.exec(route.request().url())?.[1] as string;
      read.push(traceId);
      if (traceId === slow && read.length === 1) await released;
      await route.continue();
    });
    await page.goto(`${kit.dashboard.url}/usage?tenant=${tenant}`);
    await expect.poll(() => read, { timeout: 15_000 }).toEqual([slow]);
    await expect.poll(() => page.locator('.live').getAttribute('class')).toContain('live live');
    let calls = 1;
    // Each list would have had the reading begin anew.
    while (lists < 3) {
      const listed = once(steps, 'listed');
      await call(other);
      calls += 1;
      await listed;
    }
    steps.emit('released');
    await expect
      .poll(() => page.locator('table').first().innerText(), { timeout: 15_000 })
      .toMatch(new RegExp(`gpt-5\\s+${calls}\\s`));
    expect(new Set(read)).toEqual(new Set([slow, other]));
    expect(read.filter((traceId) => traceId === slow)).toHaveLength(1);
  });

  it('shows what is kept of each tenant', async () => {
    const page = await kit.open('/tenants');
    const stored = page.getByRole('region', { name: 'Stored telemetry' });
    await expect.poll(() => stored.locator('tr', { hasText: 'acme' }).innerText()).toMatch(/264[\s\S]*KiB/);
    expect(await page.getByRole('region', { name: 'Health' }).count()).toBe(0);
  });

  it('shows how tenants of this process do, their objectives and alerts', async () => {
    const page = await kit.open('/logs');
    await page.route('**/api/v1/health*', (route) => route.fulfill({ json: HEALTH }));
    await page.route('**/api/v1/pending*', (route) => route.fulfill({ json: PENDING }));
    await page.route('**/api/v1/slos*', (route) => route.fulfill({ json: SLOS }));
    await page.route('**/api/v1/alerts*', (route) => route.fulfill({ json: ALERTS }));
    await page.getByRole('link', { name: 'Tenants' }).click();
    const health = page.getByRole('region', { name: 'Health' });
    const row = health.locator('tr', { hasText: 'initech' });
    await expect
      .poll(() => row.innerText())
      .toMatch(
        /degraded[\s\S]*15[\s\S]*3 queue full[\s\S]*breaker open: unauthorized[\s\S]*credentials refused[\s\S]*4 failures in a row: 401/,
      );
    await health.getByText('Open spans').click();
    await health.getByRole('link', { name: 'POST /orders' }).waitFor();
    await expect
      .poll(() => page.getByRole('region', { name: 'Objectives' }).innerText())
      .toMatch(/checkout works[\s\S]*99\.9%[\s\S]*99%[\s\S]*used up[\s\S]*10×/);
    await expect
      .poll(() => page.getByRole('region', { name: 'Alerts' }).innerText())
      .toMatch(/firing · critical[\s\S]*errors[\s\S]*initech/);
  });

  it('shows an attached registry as it is: a receiver that is down, an open span, an objective', async () => {
    const configure = () => ({ destination: { endpoint: 'http://127.0.0.1:1' }, batch: { delayMillis: 10 } });
    const registry = new TracerRegistry({
      service: { name: 'attached' },
      logger: pino({ level: 'silent' }),
      configure,
    });
    const [tenant, objective] = [unique('down'), unique('attached works')];
    const attachment = kit.dashboard.attach(registry);
    kit.dashboard.registerSlo({ name: objective, indicator: 'availability', target: 0.99, tenants: [tenant] });
    onTestFinished(async () => {
      await registry.shutdown({ timeoutMillis: 0 });
      attachment.detach();
    });
    const tracer = registry.get(tenant);
    tracer.startSpan('over').end();
    const open = tracer.startSpan('still open');
    const page = await kit.open(`/tenants?tenant=${tenant}`);
    const health = page.getByRole('region', { name: 'Health' });
    await expect.poll(() => health.innerText(), { timeout: 10_000 }).toMatch(/down[\s\S]*breaker open/);
    await health.getByText('Open spans').click();
    await health.getByRole('link', { name: 'still open' }).waitFor();
    await expect
      .poll(() => page.getByRole('region', { name: 'Objectives' }).innerText(), { timeout: 10_000 })
      .toMatch(new RegExp(`${objective}[\\s\\S]*${tenant}[\\s\\S]*100%`));
    open.end();
    await page.getByRole('link', { name: 'Traces', exact: true }).first().click();
    await page.getByRole('link', { name: 'still open' }).waitFor();
  });

  it('goes on where it was after a reload, in every view', async () => {
    const page = await kit.open(`/t/${hexId(4, 32)}?of=acme&span=${hexId(405, 16)}&find=cart&path=1&tenant=acme`);
    await page.getByText('4 match').waitFor();
    await page.locator('.critical').first().waitFor();
    await expect.poll(() => page.getByRole('complementary', { name: 'Span' }).innerText()).toContain('acme');
    await page.getByRole('link', { name: 'Services' }).click();
    await page.getByRole('button', { name: 'tenant', exact: true }).click();
    await page.reload();
    await expect.poll(() => page.locator('.table tbody tr').count()).toBe(1);
  });
});

/** How many pixels of a canvas are not empty. */
function inkOf(page: Page, selector: string): Promise<number> {
  return page
    .locator(selector)
    .first()
    .evaluate((canvas) => {
      if (!(canvas instanceof HTMLCanvasElement)) return 0;
      const data = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      let ink = 0;
      for (let at = 3; at < data.length; at += 4) if ((data[at] as number) > 0) ink += 1;
      return ink;
    });
}

/** The sum of a column of costs of one of the tables. */
async function sumOf(page: Page, table: number, column: number): Promise<number> {
  const cells = await page
    .locator('table')
    .nth(table)
    .locator(`tbody td:nth-child(${column + 1})`)
    .allInnerTexts();
  return cells.reduce((sum, cell) => sum + Number(cell.replace('$', '')), 0);
}

const account = { created: 118, exported: 100, queued: 15, spooled: 0, dropped: { queue_full: 3 } };
const destination = {
  ...{
    destination: 'https://otlp.initech.test/v1/traces',
    condition: 'unauthorized',
    breaker: 'open',
    credentials: 'refused',
  },
  ...{ queued: 15, spooled: 0, failures: 4, lastError: '401' },
};
const HEALTH = {
  attached: 1,
  more: 0,
  tenants: [
    {
      ...{
        tenant: 'initech',
        registry: 1,
        platform: false,
        state: 'degraded',
        ok: false,
        reason: 'the receiver refuses',
      },
      ...{ profile: 'default', started: 120, open: 2, bytes: 5_120, lost: 0, signals: { traces: account } },
      ...{ destinations: [destination], issues: [], errors: {}, recentErrors: [], switchedOff: [], spoolProblem: '' },
    },
  ],
};
const PENDING = {
  more: 0,
  pending: [
    {
      tenant: 'initech',
      registry: 1,
      traceId: hexId(1, 32),
      spanId: hexId(1, 16),
      parentSpanId: '',
      kind: 'server',
      startMillis: 0,
      name: 'POST /orders',
    },
  ],
};
const SLOS = {
  more: 0,
  slos: [
    {
      ...{
        name: 'checkout works',
        tenant: 'initech',
        indicator: 'availability',
        target: 0.999,
        windowMillis: 3_600_000,
        total: 100,
        good: 99,
        value: 0.99,
      },
      ...{
        met: false,
        budget: { allowed: 0.1, used: 1, remaining: -9 },
        burnRate: 10,
        policy: 'freeze-deployments',
        coveredMillis: 60_000,
        partial: false,
      },
    },
  ],
};
const ALERTS = {
  more: 0,
  omitted: 0,
  alerts: [
    {
      rule: 'errors',
      severity: 'critical',
      description: '',
      tenant: 'initech',
      state: 'firing',
      sinceMillis: 1,
      firedMillis: 1,
      resolvedMillis: 0,
      value: 0.06,
    },
  ],
};
