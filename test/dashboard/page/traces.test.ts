import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { nanos, T0, tracesJson } from '../otlp-requests.ts';
import { copied, describePage, downloaded, unique, usePage } from './page-kit.ts';
import { hexId } from './seed.ts';

const FAILED = 76;
const failedTrace = hexId(FAILED, 32);

describePage('the traces on the page', () => {
  const kit = usePage();

  it('lists what came in, the newest first, with tenant, services, failures and duration', async () => {
    const page = await kit.open('/');
    const first = page.getByRole('grid', { name: 'Traces' }).getByRole('row').nth(1);
    await expect.poll(() => first.innerText()).toMatch(/POST \/checkout[\s\S]*umbrella[\s\S]*ms/);
    await page.getByText('86 traces').waitFor();
    expect(await page.title()).toBe('Traces · isotrace');
  });

  it('shows one tenant, several or all, and says so in its address', async () => {
    const page = await kit.open('/');
    await page.getByRole('button', { name: 'Choose tenants' }).click();
    await page.getByRole('button', { name: 'Only hooli' }).click();
    await page.getByText('20 traces').waitFor();
    expect(new URL(page.url()).search).toBe('?tenant=hooli');
    await page.getByRole('button', { name: 'Choose tenants' }).click();
    await page.getByRole('checkbox', { name: 'umbrella' }).check();
    await page.getByText('40 traces').waitFor();
    expect(new URL(page.url()).search).toBe('?tenant=hooli,umbrella');
    const tenants = await page.locator('.trace-row .tenant').allInnerTexts();
    expect([...new Set(tenants)].sort()).toEqual(['hooli', 'umbrella']);
    await page.reload();
    await page.getByText('40 traces').waitFor();
    await page.goBack();
    await page.getByText('20 traces').waitFor();
  });

  it('searches with completion from what is stored', async () => {
    const page = await kit.open('/');
    const search = page.getByRole('combobox', { name: 'Search traces' });
    await page.getByText('86 traces').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('serv');
    await page.getByRole('option', { name: 'service' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByRole('option', { name: 'support-agent' }).waitFor();
    await page.keyboard.type('pa');
    await page.getByRole('option', { name: 'payment' }).click();
    expect(await search.inputValue()).toBe('service:payment ');
    await page.keyboard.type('status:err');
    await page.getByRole('option', { name: 'error' }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Tab');
    await page.keyboard.type('http.rou');
    await page.getByRole('option', { name: 'attr.http.route' }).waitFor();
    await search.fill('service:payment status:error');
    await page.keyboard.press('Enter');
    await page.getByText('9 traces').waitFor();
    expect(new URL(page.url()).searchParams.get('q')).toBe('service:payment status:error');
  });

  it('says where a search is wrong, and does not ask for it', async () => {
    const page = await kit.open('/');
    await page.getByText('86 traces').waitFor();
    await page.getByRole('combobox', { name: 'Search traces' }).fill('service:web dur>fast');
    await expect.poll(() => page.locator('.query-error').innerText()).toMatch(/200ms[\s\S]*dur>fast/);
    await page.keyboard.press('Enter');
    expect(new URL(page.url()).search).toBe('');
  });

  it('chooses a time by dragging, which all views then have', async () => {
    const page = await kit.open('/');
    await page.getByText('86 traces').waitFor();
    const box = await page.locator('.histogram svg').boundingBox();
    if (box === null) throw new Error('there is no histogram');
    await page.mouse.move(box.x + box.width * 0.5, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.9, box.y + 20, { steps: 4 });
    await page.mouse.up();
    await page.getByRole('button', { name: 'Go live' }).waitFor();
    const { searchParams } = new URL(page.url());
    const share = (Number(searchParams.get('to')) - Number(searchParams.get('from'))) / 3_600_000;
    expect(share).toBeGreaterThan(0.35);
    expect(share).toBeLessThan(0.45);
    await expect.poll(async () => Number.parseInt(await page.locator('.summary').innerText(), 10)).toBeLessThan(86);
    await page.getByRole('link', { name: 'Logs' }).click();
    expect(new URL(page.url()).searchParams.get('from')).toBe(searchParams.get('from'));
  });

  it('opens with the keyboard alone, from list to span and back', async () => {
    const page = await kit.open('/?tenant=acme');
    await page.getByText('23 traces').waitFor();
    await page.keyboard.press('e');
    await expect.poll(() => page.locator('[aria-selected="true"]').innerText()).toContain('failed');
    await page.keyboard.press('Enter');
    await page.getByRole('treegrid', { name: 'Spans' }).waitFor();
    expect(new URL(page.url()).pathname).toBe(`/t/${failedTrace}`);
    await page.keyboard.press('e');
    await page.keyboard.press('j');
    await page.getByRole('complementary', { name: 'Span' }).waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByRole('complementary', { name: 'Span' }).count()).toBe(0);
    await page.keyboard.press('g');
    await page.keyboard.press('t');
    await page.getByText('23 traces').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Go to' }).fill('tenant glo');
    await page.keyboard.press('Enter');
    await expect.poll(() => new URL(page.url()).search).toBe('?tenant=globex');
  });

  it('draws a trace as a tree with bars, and closes and opens parts of it', async () => {
    const page = await kit.open(`/t/${failedTrace}`);
    const rows = page.locator('#spans [role=row][data-span]');
    await expect.poll(() => rows.count()).toBe(12);
    const levels = await rows.evaluateAll((all) => all.map((row) => Number(row.getAttribute('aria-level'))));
    expect(levels).toEqual([1, 2, 2, 3, 4, 5, 5, 5, 4, 4, 5, 5]);
    const indents = await page
      .locator('.span-name')
      .evaluateAll((all) => all.map((name) => Number.parseInt(getComputedStyle(name).paddingLeft, 10)));
    expect(indents.slice(0, 5)).toEqual([8, 22, 22, 36, 50]);
    const [root, login] = [
      await rows.nth(0).locator('.bar').boundingBox(),
      await rows.nth(1).locator('.bar').boundingBox(),
    ];
    expect((login?.width ?? 0) / (root?.width ?? 1)).toBeCloseTo(9 / 190, 1);
    await page.getByRole('button', { name: 'Close PlaceOrder' }).click();
    await expect.poll(() => rows.count()).toBe(4);
    await page.getByRole('button', { name: 'Expand' }).click();
    await expect.poll(() => rows.count()).toBe(12);
  });

  it('searches inside a trace, and goes to the next match and the next failed span', async () => {
    const page = await kit.open(`/t/${failedTrace}`);
    const chosen = () => page.locator('[role=row][aria-selected=true]').innerText();
    await page.getByRole('textbox', { name: 'Search in this trace' }).fill('postgresql');
    await page.getByText('3 match').waitFor();
    await page.getByRole('button', { name: 'Next match' }).click();
    await expect.poll(chosen).toContain('SELECT cart_items');
    const first = await page.locator('[role=row][aria-selected=true]').getAttribute('data-span');
    await page.keyboard.press('n');
    await expect.poll(() => page.locator('[role=row][aria-selected=true]').getAttribute('data-span')).not.toBe(first);
    await page.keyboard.press('N');
    await expect.poll(() => page.locator('[role=row][aria-selected=true]').getAttribute('data-span')).toBe(first);
    await page.keyboard.press('e');
    await expect.poll(chosen).toContain('charge card');
    await page.keyboard.press('E');
    await expect.poll(chosen).toContain('PlaceOrder');
  });

  it('tells all about a span: attributes, events, exception, resource, links', async () => {
    // Of this attempt alone: a trace that is sent twice has its spans twice.
    const linked = randomBytes(16).toString('hex');
    const at = Date.now() - T0 - 3_000;
    const json = tracesJson({ service: 'linker', tenant: 'acme' }, [
      { traceId: linked, spanId: hexId(501, 16), at, attributes: { deep: 'value' } },
    ]) as {
      resourceSpans: { scopeSpans: { spans: Record<string, unknown>[] }[] }[];
    };
    Object.assign(json.resourceSpans[0]?.scopeSpans[0]?.spans[0] ?? {}, {
      links: [{ traceId: failedTrace, spanId: hexId(FAILED * 100 + 1, 16), attributes: [] }],
      events: [{ timeUnixNano: nanos(at), name: 'cache miss', attributes: [] }],
      droppedAttributesCount: 4,
    });
    await kit.post('traces', json);
    const page = await kit.open(`/t/${linked}?span=${hexId(501, 16)}`);
    const detail = page.getByRole('complementary', { name: 'Span' });
    await detail.getByText('cache miss').waitFor();
    await detail.getByText('4 dropped').waitFor();
    await page.getByText('4 dropped by the sender').waitFor();
    await detail.locator('summary', { hasText: 'Resource' }).click();
    await detail.getByText('service.name').waitFor();
    await detail.getByRole('link', { name: failedTrace.slice(0, 16) }).click();
    await expect.poll(() => detail.innerText()).toContain('POST /orders');
    await page.getByText('charge card').click();
    await expect
      .poll(() => page.getByRole('region', { name: 'Exception' }).innerText())
      .toMatch(/CardDeclined[\s\S]*charge-card\.ts:48/);
    await detail.locator('.key-values > div', { hasText: 'payment.provider' }).hover();
    await detail.getByRole('button', { name: 'Search for payment.provider' }).click();
    await expect.poll(() => new URL(page.url()).searchParams.get('q')).toBe('attr.payment.provider=stripe');
    await page.getByText('80 traces').waitFor();
  });

  it('asks again for an answer that was cut off, and shows what it had until then', async () => {
    const page = await kit.open('/traces');
    const cutOff = new Set([1, 3]);
    let asked = 0;
    await page.route(`**/traces/${failedTrace}?*`, async (route) => {
      asked += 1;
      const response = await route.fetch();
      const body = await response.text();
      await route.fulfill({ response, body: cutOff.has(asked) ? body.slice(0, body.length / 2) : body });
    });
    await page.goto(`${kit.dashboard.url}/t/${failedTrace}?last=24h&from=1&to=2`);
    await page.getByRole('alert').getByText('the answer of the dashboard was cut off').waitFor();
    const title = page.getByRole('heading', { name: 'POST /orders' });
    await title.waitFor();
    expect(asked).toBe(2);
    await page.keyboard.press('r');
    await expect.poll(() => asked, { timeout: 10_000 }).toBe(4);
    expect(await title.isVisible()).toBe(true);
  });

  it('marks what the trace waited for', async () => {
    const page = await kit.open(`/t/${failedTrace}`);
    await page.getByRole('button', { name: 'Critical path' }).click();
    await page.locator('.critical').first().waitFor();
    // What ended before something that began later was not waited for.
    await expect.poll(() => page.locator('.off-path').count()).toBe(2);
    const stretches = await page
      .locator('.critical')
      .evaluateAll((all) => all.reduce((sum, one) => sum + one.getBoundingClientRect().width, 0));
    const root = await page.locator('.bar').first().boundingBox();
    expect(stretches / (root?.width ?? 1)).toBeCloseTo(1, 1);
  });

  it('looks at a part of the time, which is in the address too', async () => {
    const page = await kit.open(`/t/${failedTrace}`);
    const map = await page.locator('.minimap').boundingBox();
    if (map === null) throw new Error('there is no minimap');
    await page.mouse.move(map.x + map.width * 0.5, map.y + 30);
    await page.mouse.down();
    await page.mouse.move(map.x + map.width, map.y + 30, { steps: 3 });
    await page.mouse.up();
    await expect.poll(() => new URL(page.url()).searchParams.get('zoom')).toMatch(/^0\.\d+-1$/);
    const zoomed = page.url();
    await page.getByRole('button', { name: 'Whole trace' }).click();
    await expect.poll(() => new URL(page.url()).searchParams.get('zoom')).toBe(null);
    await page.goto(zoomed);
    await page.getByRole('button', { name: 'Whole trace' }).waitFor();
  });

  it('copies a trace as JSON, curl, OTLP and text, and a link that opens the same', async () => {
    const page = await kit.open(`/t/${failedTrace}?span=${hexId(FAILED * 100 + 1, 16)}`);
    await page.getByRole('treegrid').waitFor();
    const json = JSON.parse(await copied(page, 'as JSON')) as { traceId: string }[];
    expect(json.map(({ traceId }) => traceId)).toEqual(new Array(12).fill(failedTrace));
    expect(await copied(page, 'as curl')).toBe(
      `curl -sS '${kit.dashboard.url}/api/v1/traces/${failedTrace}?tenant=acme&format=otlp&limit=100000'`,
    );
    const otlp = JSON.parse(await copied(page, 'as OTLP')) as { resourceSpans: unknown[] };
    expect(otlp.resourceSpans).toHaveLength(3);
    expect(await copied(page, 'for an assistant')).toContain('- charge card [checkout]');
    expect(await copied(page, 'a link')).toBe(page.url());
  });

  it('exports OTLP that it imports again, as a file of lines', async () => {
    const page = await kit.open('/?tenant=acme&q=status:error');
    await page.getByText(/^\d traces/).waitFor();
    const { name, text } = await downloaded(page, 'Export these traces as OTLP');
    expect(name).toBe('traces.jsonl');
    const lines = text.trim().split('\n');
    expect(lines.length).toBeGreaterThan(1);
    const foreign = text.replaceAll('"acme"', '"imported"');
    await page.setInputFiles('input[type=file]', {
      name: 'shop.jsonl',
      mimeType: 'application/json',
      buffer: Buffer.from(foreign),
    });
    await page.getByText(`Imported ${lines.length} requests`).waitFor();
    await page.goto(`${kit.dashboard.url}/?tenant=imported&last=24h`);
    await page.getByText(`${lines.length} traces`).waitFor();
    await page.setInputFiles('input[type=file]', {
      name: 'x.jsonl',
      mimeType: 'application/json',
      buffer: Buffer.from('{"x":1}'),
    });
    await page.getByText('x.jsonl holds no OTLP').waitFor();
  });

  it('says what is missing: spans, a trace that is gone, clocks that differ', async () => {
    const at = Date.now() - T0 - 5_000;
    const [traceId, tenant] = [randomBytes(16).toString('hex'), unique('torn')];
    await kit.post(
      'traces',
      tracesJson({ service: 'web', tenant }, [
        { traceId, spanId: hexId(1, 16), parentSpanId: hexId(99, 16), name: 'lost child', at },
        { traceId, spanId: hexId(2, 16), parentSpanId: hexId(1, 16), name: 'early child', at: at - 500 },
      ]),
    );
    const page = await kit.open(`/?tenant=${encodeURIComponent(tenant)}`);
    await page.getByText('no root').waitFor();
    await page.getByRole('link', { name: 'early child' }).click();
    await page.getByRole('button', { name: '1 spans missing' }).waitFor();
    await page.getByText('clocks differ').waitFor();
    await page.getByText('no parent').waitFor();
    // The parent comes late: the trace is read again by itself.
    await kit.post(
      'traces',
      tracesJson({ service: 'web', tenant }, [
        { traceId, spanId: hexId(99, 16), name: 'late root', at, durationMillis: 30 },
      ]),
    );
    await page.getByRole('heading', { name: 'late root' }).waitFor();
    await expect.poll(() => page.getByText('spans missing').count()).toBe(0);
    await page.goto(`${kit.dashboard.url}/t/${hexId(1_234_567, 32)}`);
    await page.getByText('This trace is not here').waitFor();
  });

  it('reads a trace once more when some of it comes in while it is being read', async () => {
    const at = Date.now() - T0 - 5_000;
    const [traceId, tenant] = [randomBytes(16).toString('hex'), unique('late')];
    const spans = (spanId: number, parentSpanId: string, name: string) =>
      tracesJson({ service: 'web', tenant }, [{ traceId, spanId: hexId(spanId, 16), parentSpanId, name, at }]);
    await kit.post('traces', spans(2, hexId(1, 16), 'first child'));
    const page = await kit.open(`/?tenant=${encodeURIComponent(tenant)}`);
    await page.getByRole('link', { name: 'first child' }).waitFor();
    const steps = new EventEmitter();
    const [answered, released, following, told] = ['answered', 'released', 'following', 'told'].map((name) =>
      once(steps, name),
    );
    await page.route(`**/traces/${traceId}?*`, async (route) => {
      const response = await route.fetch();
      steps.emit('answered');
      await released;
      await route.fulfill({ response });
    });
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Network.enable');
    let stream = '';
    devtools.on('Network.requestWillBeSent', ({ requestId, request }) => {
      if (request.url.includes('/live?') && request.url.includes(traceId)) stream = requestId;
    });
    devtools.on('Network.eventSourceMessageReceived', ({ requestId, data }) => {
      // The stream of the trace begins with an update that has nothing to tell.
      if (requestId === stream) steps.emit(data.includes(traceId) ? 'told' : 'following');
    });
    await page.getByRole('link', { name: 'first child' }).click();
    await answered;
    await following;
    await kit.post('traces', spans(1, '', 'late root'));
    await told;
    steps.emit('released');
    await page.getByRole('heading', { name: 'late root' }).waitFor();
  });

  it('shows spans of another process as they end, pauses, and catches up', async () => {
    const live = unique('live');
    const page = await kit.open(`/?q=name:${live}-*`);
    await page.getByText('0 traces').waitFor();
    await expect.poll(() => page.locator('.live').getAttribute('class')).toContain('live live');
    const sender = fork(fileURLToPath(new URL('sender.ts', import.meta.url)), [kit.dashboard.url], {
      execArgv: ['--import', 'tsx'],
    });
    onTestFinished(() => {
      sender.kill();
    });
    await once(sender, 'message');
    const shown = (number: number) => page.getByRole('link', { name: `${live}-${number}` });
    // What is shown may be of the first answer, or of the one after the stream began; the third was told, and all before it.
    for (const number of [1, 2, 3]) {
      sender.send(`${live}-${number}`);
      await shown(number).waitFor();
    }
    await page.getByRole('button', { name: /Pause/ }).click();
    sender.send(`${live}-4`);
    await page.getByText('1 new').waitFor();
    expect(await shown(4).count()).toBe(0);
    await page.getByRole('button', { name: 'Paused. Go on' }).click();
    await shown(4).waitFor();
    sender.send('other-5');
    sender.send(`${live}-5`);
    await shown(5).waitFor();
    expect(await page.getByRole('link', { name: 'other-5' }).count()).toBe(0);
  });
});
