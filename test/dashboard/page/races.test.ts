import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { logsJson, T0, tracesJson } from '../otlp-requests.ts';
import { describePage, unique, usePage } from './page-kit.ts';

const randomId = (): string => randomBytes(16).toString('hex');
const BUSY = { status: 503, json: { error: { message: 'the store is busy' } } };

describePage('the page when answers and events come in an odd order', () => {
  const kit = usePage({ seed: false });

  const send = (tenant: string, name: string, traceId = randomId(), attributes: Record<string, string | number> = {}) =>
    kit.post(
      'traces',
      tracesJson({ service: 'web', tenant }, [
        { traceId, spanId: randomBytes(8).toString('hex'), kind: 2, name, at: Date.now() - T0, attributes },
      ]),
    );
  const say = (tenant: string, body: string) =>
    kit.post('logs', logsJson({ service: 'web', tenant }, [{ body, at: Date.now() - T0 }]));
  const streams = (page: Page) => expect.poll(() => page.locator('.live').getAttribute('class')).toContain('live live');

  /** Holds the first answer: `answered` when the dashboard has made it; it arrives once `release` is called. */
  const holdFirst = async (page: Page, address: string) => {
    const steps = new EventEmitter();
    const [answered, released] = [once(steps, 'answered'), once(steps, 'released')];
    let asked = 0;
    await page.route(address, async (route) => {
      asked += 1;
      const isFirst = asked === 1;
      const response = await route.fetch();
      steps.emit('answered');
      if (isFirst) await released;
      await route.fulfill({ response });
    });
    return { answered, release: () => void steps.emit('released') };
  };

  it('shows what came in between a slow answer and the beginning of the stream', async () => {
    const topic = unique('between');
    const page = await kit.open('/tenants');
    const steps = new EventEmitter();
    const said = once(steps, 'said');
    await page.route('**/api/v1/live?*', async (route) => {
      if (route.request().url().includes(topic)) await said;
      await route.continue();
    });
    const { answered, release } = await holdFirst(page, '**/api/v1/logs?*');
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Network.enable');
    const begun = new Promise<void>((resolve) => {
      let stream = '';
      devtools.on('Network.requestWillBeSent', ({ requestId, request }) => {
        if (request.url.includes('/live?') && request.url.includes(topic)) stream = requestId;
      });
      devtools.on('Network.eventSourceMessageReceived', ({ requestId }) => {
        if (requestId === stream) resolve();
      });
    });
    await page.goto(`${kit.dashboard.url}/logs?q=${topic}`);
    await answered;
    await say('acme', `${topic} early`);
    steps.emit('said');
    await begun;
    release();
    await page.getByText(`${topic} early`).waitFor();
    expect(await page.locator('#logs [role=row]').count()).toBe(1);
  });

  it('asks once more for sums when something came in while it waited for them', async () => {
    const tenant = unique('sums');
    await send(tenant, 'before');
    const page = await kit.open(`/services?tenant=${tenant}&by=operation`);
    const row = (name: string) => page.locator('tbody tr', { hasText: name });
    await row('before').waitFor();
    await streams(page);
    const { answered, release } = await holdFirst(page, '**/api/v1/red?*');
    await send(tenant, 'one');
    await answered;
    // The beat that this one makes comes while the answer is on its way: what is not slow has it.
    const beat = page.waitForResponse(
      async (response) => response.url().includes('/api/v1/stats') && /"traces":3/.test(await response.text()),
    );
    await send(tenant, 'two');
    await beat;
    release();
    await row('two').waitFor();
  });

  it('asks again when the dashboard was too busy to answer, where nothing is followed too', async () => {
    const page = await kit.open('/tenants');
    await page.route('**/api/v1/traces?*', (route) => route.fulfill(BUSY), { times: 1 });
    await page.goto(`${kit.dashboard.url}/?from=1&to=2&tenant=${unique('busy')}`);
    await page.getByRole('alert').getByText('the store is busy').waitFor();
    await page.getByText('No traces here').or(page.getByText('Waiting for the first span')).waitFor();
    await expect.poll(() => page.getByRole('alert').count()).toBe(0);
  });

  it('keeps a trace of two tenants whole when a span of one is chosen, and reads it once', async () => {
    const [traceId, here, there] = [randomId(), unique('here'), unique('there')];
    await send(here, 'asks', traceId);
    await send(there, 'answers', traceId);
    const page = await kit.open('/tenants');
    await streams(page);
    let reads = 0;
    let begun = 0;
    page.on('request', (request) => {
      if (request.url().includes(`/api/v1/traces/${traceId}`)) reads += 1;
    });
    page.on('request', (request) => {
      if (request.url().includes('/api/v1/live')) begun += 1;
    });
    await page.goto(`${kit.dashboard.url}/t/${traceId}`);
    const rows = page.locator('#spans [role=row][data-span]');
    await expect.poll(() => rows.count()).toBe(2);
    await streams(page);
    // Once, and once more when the stream has begun.
    await expect.poll(() => reads).toBe(2);
    const streamsBegun = begun;
    for (const name of ['asks', 'answers']) {
      await rows.filter({ hasText: name }).click();
      await expect.poll(() => page.getByRole('complementary', { name: 'Span' }).innerText()).toContain(name);
    }
    await page.getByRole('textbox', { name: 'Search in this trace' }).fill('asks');
    await page.getByText('1 match').waitFor();
    expect([await rows.count(), reads, begun]).toEqual([2, 2, streamsBegun]);
  });

  it('says when a trace that is shown is gone, and when it can neither be copied nor saved', async () => {
    const [traceId, tenant] = [randomId(), unique('gone')];
    await send(tenant, 'shown', traceId);
    const page = await kit.open(`/t/${traceId}`);
    const title = page.getByRole('heading', { name: 'shown' });
    await title.waitFor();
    const gone = { status: 404, json: { error: { message: 'there is no such trace' } } };
    await page.route(`**/traces/${traceId}?*`, (route) => route.fulfill(gone));
    await page.keyboard.press('r');
    await page.getByRole('alert').getByText('not stored any more').waitFor();
    expect(await title.isVisible()).toBe(true);
    for (const name of ['Copy as OTLP', 'Export as an OTLP file']) {
      await page.getByRole('button', { name }).click();
      await page.getByRole('status').getByText('there is no such trace').waitFor();
      await page.getByRole('button', { name: 'Copy a link' }).click();
      await page.getByText('Copied a link').waitFor();
    }
    await page.unroute(`**/traces/${traceId}?*`);
    await page.keyboard.press('r');
    await expect.poll(() => page.getByRole('alert').count()).toBe(0);
  });

  it('tells an export of traces that failed from traces that are gone', async () => {
    const tenant = unique('export');
    const [gone, busy] = [randomId(), randomId()];
    for (const traceId of [gone, busy, randomId()]) await send(tenant, 'kept', traceId);
    const page = await kit.open(`/?tenant=${tenant}`);
    await page.getByText('3 traces').waitFor();
    await page.route(`**/traces/${gone}?*`, (route) => route.fulfill({ status: 404, json: {} }));
    await page.route(`**/traces/${busy}?*`, (route) => route.fulfill(BUSY));
    await page.getByRole('button', { name: 'Export these traces as OTLP' }).click();
    await page.getByText('Exported 1 traces; 1 are gone already; 1 failed: the store is busy').waitFor();
  });

  it('clears a search that was not looked for, and completes only what is being written', async () => {
    const tenant = unique('complete');
    await send(tenant, 'work');
    const page = await kit.open(`/?tenant=${tenant}`);
    await page.getByText('1 trace', { exact: true }).waitFor();
    const search = page.getByRole('combobox', { name: 'Search traces' });
    await search.pressSequentially('service:');
    await page.getByRole('option', { name: 'web' }).waitFor();
    const steps = new EventEmitter();
    const released = once(steps, 'released');
    await page.route('**/api/v1/facets?*', async (route) => {
      await released;
      await route.continue();
    });
    const asked = page.waitForRequest((request) => request.url().includes('field=tenant'));
    await search.fill('service:web tenant:');
    await asked;
    expect(await page.getByRole('option').count()).toBe(0);
    steps.emit('released');
    await page.getByRole('option', { name: tenant }).waitFor();
    await page.getByRole('button', { name: 'Clear the search' }).click();
    await expect.poll(() => search.inputValue()).toBe('');
  });

  it('takes the same file twice, and says what it could not take', async () => {
    const page = await kit.open(`/logs?q=${unique('twice')}`);
    const file = { name: 'x.jsonl', mimeType: 'application/json', buffer: Buffer.from('{"resourceLogs":[]}') };
    const input = page.locator('input[type=file]');
    for (let time = 0; time < 2; time += 1) {
      await input.setInputFiles(file);
      await page.getByText('Imported 1 request').waitFor();
      expect(await input.evaluate((element: HTMLInputElement) => element.value)).toBe('');
    }
    await input.setInputFiles([file, { ...file, name: 'y.jsonl', buffer: Buffer.from('{}') }]);
    await page.getByText('Imported 1 request, but not all of it: y.jsonl holds no OTLP').waitFor();
  });

  it('keeps a record open while others come in and the list is asked for again', async () => {
    const topic = unique('open');
    await say('acme', `${topic} opened`);
    const page = await kit.open(`/logs?q=${topic}`);
    await streams(page);
    const row = page.locator('#logs [role=row]', { hasText: 'opened' });
    await row.click();
    await say('acme', `${topic} other`);
    await page.getByText(`${topic} other`).waitFor();
    const asked = page.waitForResponse((response) => response.url().includes('/api/v1/logs'));
    await page.keyboard.press('p');
    await page.keyboard.press('p');
    await asked;
    await say('acme', `${topic} last`);
    await page.getByText(`${topic} last`).waitFor();
    expect(await row.getAttribute('aria-expanded')).toBe('true');
    expect(await row.getAttribute('aria-selected')).toBe('true');
  });

  it('adds up for the tenant that is chosen, and says what it could not read', async () => {
    const [slow, other] = [unique('slow'), unique('other')];
    const [slowTrace, otherTrace] = [randomId(), randomId()];
    const used = { 'gen_ai.request.model': 'gpt-5', 'gen_ai.usage.input_tokens': 10 };
    await send(slow, 'call', slowTrace, used);
    await send(other, 'call', otherTrace, used);
    const page = await kit.open('/tenants');
    const steps = new EventEmitter();
    const [asked, released] = [once(steps, 'asked'), once(steps, 'released')];
    await page.route(`**/traces/${slowTrace}?*`, async (route) => {
      steps.emit('asked');
      await released;
      await route.abort();
    });
    let busy = true;
    await page.route(`**/traces/${otherTrace}?*`, (route) => (busy ? route.fulfill(BUSY) : route.continue()));
    await page.goto(`${kit.dashboard.url}/usage?tenant=${slow}`);
    await asked;
    await page.getByRole('button', { name: 'Choose tenants' }).click();
    await page.getByRole('button', { name: `Only ${other}` }).click();
    await page.getByText('1 traces could not be read yet').waitFor();
    expect(await page.getByText('No tokens in this time').count()).toBe(0);
    busy = false;
    await expect.poll(() => page.locator('table').first().innerText()).toContain(other);
    expect(await page.getByText('could not be read').count()).toBe(0);
    steps.emit('released');
  });

  it('does not ask again for what it shows while it is paused', async () => {
    const topic = unique('hold');
    await say('acme', `${topic} first`);
    const page = await kit.open('/tenants');
    await page.clock.install();
    await page.goto(`${kit.dashboard.url}/logs?q=${topic}`);
    await page.getByText(`${topic} first`).waitFor();
    await streams(page);
    await page.route('**/api/v1/logs?*', (route) => route.fulfill(BUSY));
    await page.keyboard.press('p');
    await page.keyboard.press('p');
    await page.getByRole('alert').getByText('the store is busy').waitFor();
    await page.keyboard.press('p');
    await page.unroute('**/api/v1/logs?*');
    let asked = 0;
    page.on('request', (request) => {
      if (request.url().includes('/api/v1/logs')) asked += 1;
    });
    for (const news of [1, 2]) {
      await page.clock.fastForward(10_000);
      await say('acme', `${topic} later`);
      await page.getByText(`${news} new`).waitFor();
    }
    expect(asked).toBe(0);
    await page.keyboard.press('p');
    await expect.poll(() => page.locator('#logs [role=row]').count()).toBe(3);
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  it('takes the completion that was chosen, also when others are found meanwhile', async () => {
    const page = await kit.open(`/logs?q=${unique('chosen')}`);
    const steps = new EventEmitter();
    const released = once(steps, 'released');
    const valuesOf = (...values: readonly string[]) => ({
      json: { values: values.map((value) => ({ value, count: 1 })) },
    });
    await page.route('**/api/v1/facets?*', async (route) => {
      const isLater = new URL(route.request().url()).searchParams.get('prefix') === 'a';
      if (isLater) await released;
      await route.fulfill(isLater ? valuesOf('a3', 'a4') : valuesOf('a1', 'a2', 'a3'));
    });
    const search = page.getByRole('combobox', { name: 'Search logs' });
    await search.fill('service:');
    await page.getByRole('option', { name: 'a3' }).waitFor();
    const asked = page.waitForRequest((request) => request.url().includes('prefix=a'));
    await search.pressSequentially('a');
    await asked;
    for (let presses = 0; presses < 3; presses += 1) await page.keyboard.press('ArrowDown');
    steps.emit('released');
    await page.getByRole('option', { name: 'a4' }).waitFor();
    await page.keyboard.press('Enter');
    await expect.poll(() => search.inputValue()).toBe('service:a3 ');
  });

  it('says that tenants and their health could not be asked for, and not that there are none', async () => {
    const page = await kit.open('/logs');
    await page.route('**/api/v1/tenants?*', (route) => route.continue());
    await page.route('**/api/v1/tenants', (route) => route.fulfill(BUSY));
    await page.getByRole('button', { name: 'Choose tenants' }).click();
    const choice = page.getByRole('dialog', { name: 'Choose tenants' });
    await choice.getByRole('alert').getByText('the store is busy').waitFor();
    expect(await choice.getByText('No tenant has sent anything yet').count()).toBe(0);
    await page.keyboard.press('Escape');
    await page.unroute('**/api/v1/tenants');
    let asked = 0;
    await page.route('**/api/v1/health*', (route) => {
      asked += 1;
      return route.fulfill(asked === 1 ? { json: { attached: 1, more: 0, tenants: [] } } : BUSY);
    });
    await page.getByRole('link', { name: 'Tenants' }).click();
    await page.getByRole('region', { name: 'Health' }).getByRole('alert').getByText('the store is busy').waitFor();
  });
});
