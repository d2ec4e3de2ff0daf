import type { Page } from 'playwright-core';
import { expect, it, onTestFinished } from 'vitest';
import { T0, tracesJson } from '../otlp-requests.ts';
import { describePage, unique, usePage } from './page-kit.ts';
import { hexId } from './seed.ts';
import { xssPayloads } from './xss-payloads.ts';

const TOKEN = 'the-token-of-everybody-0123';
const LIMITED = 'the-token-of-acme-only-0123';
const ADDRESSES = [
  '/',
  `/t/${hexId(76, 32)}?of=acme&span=${hexId(7_610, 16)}`,
  '/logs',
  '/metrics',
  '/services',
  '/errors',
  '/usage',
  '/tenants',
];

describePage('the page itself', () => {
  const kit = usePage();

  it('stays alive when a view fails, and shows the view when it is tried again', async () => {
    // No page of the kit: that one counts what is said about the failure as a problem.
    const context = await kit.browser.newContext();
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.route('**/api/v1/red?*', (route) => route.fulfill({ json: { groups: [{}] } }), { times: 1 });
    await page.goto(`${kit.dashboard.url}/services?from=1&to=2`);
    const failure = page.getByRole('heading', { name: 'This view cannot be shown' });
    await failure.waitFor();
    await page.getByRole('link', { name: 'Logs' }).click();
    await page.getByRole('combobox', { name: 'Search logs' }).waitFor();
    await page.route('**/api/v1/red?*', (route) => route.fulfill({ json: { groups: [{}] } }), { times: 1 });
    await page.goBack();
    await failure.waitFor();
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('combobox', { name: 'Search traces' }).waitFor();
  });

  it('is dark or light as the system is, or as was chosen, and keeps the choice', async () => {
    const page = await kit.open('/', { colorScheme: 'dark' });
    await page.getByText('86 traces').waitFor();
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.keyboard.press('c');
    await page.getByRole('button', { name: 'Colours: light' }).waitFor();
    const light = await ground();
    expect(luminance(dark)).toBeLessThan(0.05);
    expect(luminance(light)).toBeGreaterThan(0.8);
    await page.reload();
    await page.getByRole('button', { name: 'Colours: light' }).waitFor();
    expect(await ground()).toBe(light);
  });

  it.each(['light', 'dark'] as const)(
    'has text that can be read: contrast of 4.5 at least, %s',
    async (colorScheme) => {
      const page = await kit.open('/', { colorScheme });
      for (const address of ADDRESSES) {
        await page.goto(`${kit.dashboard.url}${address}`);
        await settled(page);
        expect(await faintTexts(page), address).toEqual([]);
      }
    },
  );

  it('has a name for everything that can be pressed, and one place that the keyboard shows', async () => {
    const page = await kit.open('/');
    for (const address of ADDRESSES) {
      await page.goto(`${kit.dashboard.url}${address}`);
      await settled(page);
      expect(await namelessControls(page), address).toEqual([]);
    }
    await page.goto(`${kit.dashboard.url}/`);
    await settled(page);
    const reached: string[] = [];
    for (let presses = 0; presses < 24; presses += 1) {
      await page.keyboard.press('Tab');
      const focus = await page.evaluate(() => {
        const element = document.activeElement;
        if (element === null || element === document.body) return '';
        // A search shows it on its frame.
        const frame = element.closest('.query') ?? element;
        const { outlineStyle, boxShadow } = getComputedStyle(frame);
        const shown = outlineStyle !== 'none' || boxShadow !== 'none';
        return `${element.getAttribute('aria-label') ?? element.textContent} ${shown ? 'shown' : 'hidden'}`;
      });
      if (focus !== '') reached.push(focus);
    }
    expect(reached.filter((focus) => focus.endsWith('hidden'))).toEqual([]);
    for (const name of ['Choose tenants', 'Search traces', 'Traces', 'Logs', 'Import OTLP files']) {
      expect(
        reached.some((focus) => focus.startsWith(name)),
        name,
      ).toBe(true);
    }
  });

  it.each([1024, 768])('fits into %d pixels: nothing is wider than the page', async (width) => {
    const page = await kit.open('/', { viewport: { width, height: 700 } });
    for (const address of ADDRESSES) {
      await page.goto(`${kit.dashboard.url}${address}`);
      await settled(page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(wide, address).toBeLessThanOrEqual(0);
    }
  });

  it('takes files that are dropped anywhere', async () => {
    const tenant = unique('dropped');
    const page = await kit.open(`/?tenant=${tenant}`);
    await page.getByText('Waiting for the first span').waitFor();
    await page.getByText(`tenant.id=${tenant}`).waitFor();
    const span = { traceId: hexId(888, 32), spanId: hexId(888, 16), name: 'from a file', at: Date.now() - T0 };
    const text = JSON.stringify(tracesJson({ service: 'file', tenant }, [span]));
    await page.evaluate((content) => {
      const data = new DataTransfer();
      data.items.add(new File([content], 'trace.json', { type: 'application/json' }));
      document.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    }, text);
    await page.getByText('Imported 1 request').waitFor();
    await page.getByRole('link', { name: 'from a file' }).waitFor();
    // It may be of any time: all of it is looked at, once, and what comes in belongs to it.
    expect(new URL(page.url()).searchParams.get('from')).toBe('0');
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await kit.post(
      'traces',
      tracesJson({ service: 'file', tenant }, [{ ...span, traceId: hexId(889, 32), name: 'live after it' }]),
    );
    await page.getByRole('link', { name: 'live after it' }).waitFor();
    expect(asked.filter((url) => url.includes('/api/v1/traces')).length).toBeLessThan(5);
  });

  it('runs nothing that telemetry brings: 200 names, attributes and messages that try', {
    timeout: 120_000,
  }, async () => {
    const payloads = xssPayloads();
    expect(new Set(payloads).size).toBe(200);
    const at = Date.now() - T0 - 4_000;
    const traceId = hexId(4_242, 32);
    for (const [tenant, half] of [
      ['evil-a', payloads.slice(0, 100)],
      ['evil-b', payloads.slice(100)],
    ] as const) {
      const spans = half.map((payload, number) => ({
        ...{ traceId, spanId: hexId(50_000 + number, 16), name: payload, at: at + number, error: true },
        ...(number > 0 && { parentSpanId: hexId(50_000, 16) }),
        attributes: {
          [payload]: payload,
          'url.full': payload,
          'gen_ai.input.messages': payload,
          'gen_ai.usage.input_tokens': 3,
          'gen_ai.request.model': payload,
        },
        exception: { type: payload, message: payload, stack: payload },
      }));
      const json = tracesJson(
        { service: half[3] as string, tenant, attributes: { [half[5] as string]: half[6] as string } },
        spans,
      );
      await kit.post('traces', json);
      await kit.post('logs', evilLogs(tenant, half, at, traceId));
      await kit.post('metrics', evilMetrics(tenant, half, at));
    }
    const page = await kit.open('/?tenant=evil-a,evil-b');
    await page.addInitScript(() => Object.assign(globalThis, { attacked: 0 }));
    const seen: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(kit.dashboard.url)) seen.push(request.url());
    });
    const views = [
      '/',
      '/logs',
      '/metrics?by=tenant,service',
      '/services?by=operation',
      '/errors',
      '/usage',
      '/tenants',
    ];
    for (const view of views) {
      await page.goto(`${kit.dashboard.url}${view}${view.includes('?') ? '&' : '?'}tenant=evil-a,evil-b`);
      await settled(page);
    }
    await page.goto(`${kit.dashboard.url}/logs?tenant=evil-a`);
    await page.locator('#logs [role=row]').nth(2).click();
    for (const tenant of ['evil-a', 'evil-b']) {
      await page.goto(`${kit.dashboard.url}/t/${traceId}?tenant=${tenant}`);
      await page.locator('#spans [role=row][data-span]').first().waitFor();
      await page.evaluate(async () => {
        for (let step = 0; step < 100; step += 1) {
          document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true, cancelable: true }));
          await new Promise((resolve) => {
            requestAnimationFrame(resolve);
          });
        }
      });
      await expect.poll(() => page.locator('[role=row][aria-selected=true]').getAttribute('aria-rowindex')).toBe('100');
      await page
        .getByRole('group', { name: 'Parts of the trace' })
        .getByRole('button', { name: 'Tokens and cost' })
        .click();
      await settled(page);
    }
    expect(await page.evaluate(() => (globalThis as { attacked?: number }).attacked)).toBe(0);
    expect(
      await page
        .locator(
          '#page script, #page iframe, #page img, #page object, #page embed, #page base, #page [onerror], #page [onload]',
        )
        .count(),
    ).toBe(0);
    const links = await page.locator('a').evaluateAll((all) => all.map((link) => link.getAttribute('href') ?? ''));
    expect(links.filter((link) => !link.startsWith('/'))).toEqual([]);
    expect(seen).toEqual([]);
  });

  it('runs nothing that the names of tenants bring', { timeout: 120_000 }, async () => {
    const names = xssPayloads().filter((payload) => payload.length <= 128 && /^[\x20-\x7e]+$/.test(payload));
    expect(names.length).toBeGreaterThan(100);
    const at = Date.now() - T0 - 4_000;
    const resources = names.map((tenant, number) => {
      const span = { traceId: hexId(9_000 + number, 32), spanId: hexId(9_000 + number, 16), at, error: true, kind: 2 };
      return (tracesJson({ service: 'x', tenant }, [span]) as { resourceSpans: object[] }).resourceSpans[0];
    });
    await kit.post('traces', { resourceSpans: resources });
    await kit.post('logs', evilLogs(names[0] as string, names.slice(0, 9), at, hexId(9_000, 32)));
    await kit.post('metrics', evilMetrics(names[0] as string, names.slice(0, 9), at));
    const page = await kit.open('/tenants');
    await page.addInitScript(() => Object.assign(globalThis, { attacked: 0 }));
    for (const view of ['/tenants', '/', '/services?by=tenant', '/logs', '/errors', '/metrics?by=tenant']) {
      await page.goto(`${kit.dashboard.url}${view}`);
      await settled(page);
      expect(await page.evaluate(() => (globalThis as { attacked?: number }).attacked)).toBe(0);
    }
    await page.goto(`${kit.dashboard.url}/t/${hexId(9_000, 32)}?tenant=${encodeURIComponent(names[0] as string)}`);
    await settled(page);
    expect(await page.locator('body').innerText()).toContain(names[0]);
    expect(await page.evaluate(() => (globalThis as { attacked?: number }).attacked)).toBe(0);
  });
});

describePage('the page with nothing to show', () => {
  const kit = usePage({ seed: false, fresh: true });

  it('says what to do next, with the line to copy', async () => {
    const page = await kit.open('/');
    const line = `OTEL_EXPORTER_OTLP_ENDPOINT=${kit.dashboard.url}`;
    await page.getByText(line, { exact: true }).waitFor();
    await page.getByRole('button', { name: `Copy ${line}` }).click();
    await page.getByText(`Copied ${line}`).waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(line);
    for (const view of ['Logs', 'Metrics', 'Services', 'Tenants']) {
      await page.getByRole('link', { name: view }).click();
      await page.getByText(line, { exact: true }).waitFor();
    }
    await page.getByRole('link', { name: 'Errors' }).click();
    await page.getByText('Nothing failed').waitFor();
    await page.getByRole('link', { name: 'Usage' }).click();
    await page.getByText('No tokens in this time').waitFor();
    await page.getByRole('link', { name: 'Traces' }).click();
    await kit.post(
      'traces',
      tracesJson({ service: 'first', tenant: 'acme' }, [
        { traceId: hexId(1, 32), spanId: hexId(1, 16), name: 'the first', at: Date.now() - T0 },
      ]),
    );
    await page.getByRole('link', { name: 'the first' }).waitFor();
  });
});

describePage('the page of a store that is full', () => {
  const kit = usePage({ seed: false, maxBytes: 1_048_576 });

  it('says that old telemetry made room for new, and whose', async () => {
    const attributes = { filler: 'x'.repeat(2_000) };
    for (let number = 0; number < 12; number += 1) {
      const spans = Array.from({ length: 100 }, (_, index) => ({
        ...{
          traceId: hexId(number * 100 + index, 32),
          spanId: hexId(number * 100 + index, 16),
          at: Date.now() - T0,
          attributes,
        },
      }));
      await kit.post('traces', tracesJson({ service: 'noisy', tenant: 'noisy' }, spans));
    }
    const page = await kit.open('/');
    await page.getByText(/store full · .* evicted/).waitFor();
    await page.getByRole('button', { name: 'Choose tenants' }).click();
    await page
      .getByRole('dialog', { name: 'Choose tenants' })
      .getByText(/evicted/)
      .waitFor();
  });
});

describePage('the page behind a token', () => {
  const kit = usePage({ seed: false, token: [{ token: TOKEN }, { token: LIMITED, tenants: ['acme'] }] });

  it('asks for the token, takes it from a link, and shows only what it may see', async () => {
    const span = { spanId: hexId(1, 16), at: Date.now() - T0 };
    for (const [number, tenant] of ['acme', 'globex'].entries()) {
      const body = JSON.stringify(
        tracesJson({ service: 'web', tenant }, [{ ...span, traceId: hexId(number, 32), name: `work of ${tenant}` }]),
      );
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` };
      expect((await fetch(`${kit.dashboard.url}/v1/traces`, { method: 'POST', headers, body })).status).toBe(200);
    }
    const page = await kit.open('/');
    await page.getByLabel('Token').fill('some-other-token-0123');
    await page.getByRole('button', { name: 'Open the dashboard' }).click();
    await page.getByText('does not know this token').waitFor();
    await page.getByLabel('Token').fill(LIMITED);
    await page.getByRole('button', { name: 'Open the dashboard' }).click();
    await page.getByRole('link', { name: 'work of acme' }).waitFor();
    expect(await page.getByText('work of globex').count()).toBe(0);
    await expect.poll(() => page.locator('.live').getAttribute('class')).toContain('live live');
    await page.goto(`${kit.dashboard.url}/?tenant=globex`);
    await page.getByText('the token may not see this tenant').waitFor();
    const other = await kit.open(`/#token=${TOKEN}`);
    await other.getByRole('link', { name: 'work of globex' }).waitFor();
    expect(other.url()).not.toContain(TOKEN);
    expect(await other.evaluate(() => document.cookie)).toBe('');
  });
});

/** Until the view has its answer and has drawn it. */
async function settled(page: Page): Promise<void> {
  await page.locator('.view > *').first().waitFor();
  await page.waitForFunction(() => !/Looking …|Reading the trace/.test(document.body.innerText));
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        requestAnimationFrame(() => requestAnimationFrame(resolve));
      }),
  );
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map((part) => (Number(part) / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Texts with a contrast below 4.5 (3 where they are large) to what is behind them (WCAG 2.2, AA). */
function faintTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const pen = document
      .createElement('canvas')
      .getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D;
    const paint = (colors: readonly string[]): readonly number[] => {
      pen.clearRect(0, 0, 1, 1);
      for (const color of colors) {
        pen.fillStyle = color;
        pen.fillRect(0, 0, 1, 1);
      }
      return [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    };
    const luminanceOf = (rgb: readonly number[]): number => {
      const [red = 0, green = 0, blue = 0] = rgb.map((part) =>
        part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4,
      );
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const faint: string[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement;
      const text = node.textContent?.trim() ?? '';
      if (
        element === null ||
        text === '' ||
        !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
      )
        continue;
      // What cannot be pressed, what is off the screen, and what stands on a picture.
      if (element.closest('script, noscript, .off-screen, :disabled, .lane, svg, option') !== null) continue;
      const chain: Element[] = [];
      for (let at: Element | null = element; at !== null; at = at.parentElement) chain.push(at);
      if (chain.some((one) => Number(getComputedStyle(one).opacity) === 0)) continue;
      const grounds = chain.reverse().map((one) => getComputedStyle(one).backgroundColor);
      const style = getComputedStyle(element);
      const [front, back] = [luminanceOf(paint([...grounds, style.color])), luminanceOf(paint(grounds))];
      const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
      const size = Number.parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (contrast < (isLarge ? 3 : 4.5))
        faint.push(`${text.slice(0, 40)} (${element.className}): ${contrast.toFixed(2)}`);
    }
    return [...new Set(faint)];
  });
}

/** Buttons, links, inputs and pictures that say nothing, roles without what they need, ids that are there twice. */
function namelessControls(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const problems: string[] = [];
    const nameOf = (element: Element): string =>
      element.getAttribute('aria-label') ?? element.closest('label')?.textContent ?? element.textContent ?? '';
    for (const element of document.querySelectorAll(
      'button, a, input, select, [role=img], [role=grid], [role=treegrid], [role=dialog], nav, aside, [role=group]',
    )) {
      if (nameOf(element).trim() === '' && !element.closest('[hidden]')) problems.push(element.outerHTML.slice(0, 120));
    }
    for (const row of document.querySelectorAll('[role=row]')) {
      if (row.querySelector('[role=gridcell], [role=columnheader]') === null)
        problems.push(`row without cells: ${row.outerHTML.slice(0, 80)}`);
    }
    for (const owner of document.querySelectorAll('[aria-activedescendant], [aria-controls]')) {
      for (const attribute of ['aria-activedescendant', 'aria-controls']) {
        const id = owner.getAttribute(attribute);
        if (id !== null && document.getElementById(id) === null)
          problems.push(`${attribute} names ${id}, which is not there`);
      }
    }
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at)))
      problems.push(`the id ${id} is there twice`);
    if (document.querySelectorAll('main').length !== 1) problems.push('there is not one main part');
    return problems;
  });
}

function evilLogs(tenant: string, payloads: readonly string[], at: number, traceId: string): unknown {
  const resource = {
    attributes: [
      { key: 'tenant.id', value: { stringValue: tenant } },
      { key: 'service.name', value: { stringValue: payloads[1] } },
    ],
  };
  const logRecords = payloads.map((payload, number) => ({
    ...{
      timeUnixNano: String(BigInt(T0 + Math.round(at) + number) * 1_000_000n),
      severityNumber: 17,
      severityText: payload,
      traceId,
    },
    ...{
      body: { stringValue: payload },
      eventName: payload,
      attributes: [{ key: payload, value: { stringValue: payload } }],
    },
  }));
  return { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: payloads[2] }, logRecords }] }] };
}

function evilMetrics(tenant: string, payloads: readonly string[], at: number): unknown {
  const resource = {
    attributes: [
      { key: 'tenant.id', value: { stringValue: tenant } },
      { key: 'service.name', value: { stringValue: payloads[1] } },
    ],
  };
  const metrics = payloads.slice(0, 20).map((payload) => ({
    ...{ name: payload, unit: payload },
    gauge: {
      dataPoints: [
        {
          timeUnixNano: String(BigInt(T0 + Math.round(at)) * 1_000_000n),
          asDouble: 1,
          attributes: [{ key: payload, value: { stringValue: payload } }],
        },
      ],
    },
  }));
  return { resourceMetrics: [{ resource, scopeMetrics: [{ scope: { name: 'x' }, metrics }] }] };
}
