import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Dashboard, startDashboard } from 'isotrace/dashboard';
import type { Page } from 'playwright-core';
import { findChromium, launch } from '../../test/dashboard/page/browser.ts';

/** Seldom enough that each is among the rows that are seen. */
const PROBE_MILLIS = 200;
const WARM_UP_MILLIS = 3_000;
const SPANS = 10_000;
const PATIENCE_SECONDS = 20;

/** What the sender tells about its probes: when each was ended, in milliseconds since the epoch. */
interface Sent {
  readonly probes: readonly (readonly [name: string, endedAt: number])[];
}

export function measureLatency(short: boolean): Promise<Record<string, number>> {
  return withPage('/?q=name:probe-*', async (page, dashboard) => {
    await page.evaluate(() => {
      const seen: [string, number][] = [];
      const known = new Set<string>();
      Object.assign(globalThis, { seen });
      new MutationObserver(() => {
        for (const link of document.querySelectorAll('.trace-name a')) {
          const name = link.textContent ?? '';
          if (known.has(name)) continue;
          known.add(name);
          // The row is painted with the frame that follows.
          requestAnimationFrame(() => seen.push([name, Date.now()]));
        }
      }).observe(document.body, { childList: true, subtree: true, characterData: true });
    });
    const seconds = short ? 6 : 30;
    const sender = fork(fileURLToPath(new URL('./page-load.ts', import.meta.url)), [
      dashboard.url,
      String(PROBE_MILLIS),
    ]);
    // The sender compiles itself first, and then the compilers of both sides warm up.
    await rowsOf(page, 1);
    await sleep(WARM_UP_MILLIS);
    const before = await storedSpans(dashboard);
    const from = Date.now();
    await sleep(seconds * 1_000);
    const rate = ((await storedSpans(dashboard)) - before) / ((Date.now() - from) / 1_000);
    const reply = once(sender, 'message');
    sender.send('stop');
    const [{ probes }] = (await reply) as [Sent];
    const seen = await rowsOf(page, probes.length);
    sender.kill();
    const measured = probes.filter(([, endedAt]) => endedAt >= from);
    const lost = measured.filter(([name]) => !seen.has(name));
    if (lost.length > 0) throw new Error(`${lost.length} of ${measured.length} probes never were a row`);
    const millis = measured.map(([name, endedAt]) => (seen.get(name) ?? 0) - endedAt);
    return {
      'span ended to row, p50': quantile(millis, 0.5),
      'span ended to row, p99': quantile(millis, 0.99),
      'spans a second that arrived': rate,
    };
  });
}

export function measureWaterfall(short: boolean): Promise<Record<string, number>> {
  return withPage('/', async (page, dashboard) => {
    const traceId = 'ab'.repeat(16);
    await sendTrace(dashboard, traceId);
    // tsx names functions by a helper of its own, which the page does not have.
    await page.addInitScript('globalThis.__name = (named) => named');
    const from = performance.now();
    await page.goto(`${dashboard.url}/t/${traceId}`);
    await page.locator('#spans [data-span]').first().waitFor();
    const opened = performance.now() - from;
    const frames = await page.evaluate(
      async (count) => {
        const list = document.querySelector('#spans');
        const nextFrame = () =>
          new Promise<number>((resolve) => {
            requestAnimationFrame(resolve);
          });
        for (let warmUp = 0; warmUp < 30; warmUp += 1) await nextFrame();
        const millis: number[] = [];
        let before = await nextFrame();
        for (let frame = 0; frame < count; frame += 1) {
          // Down quickly, with a leap every 50 frames, and up again.
          list?.scrollBy(0, (frame % 50 === 49 ? 20_000 : 420) * (frame < count / 2 ? 1 : -1));
          const now = await nextFrame();
          millis.push(now - before);
          before = now;
        }
        return millis;
      },
      short ? 120 : 600,
    );
    return {
      'address to first row': opened,
      'frame while scrolling, p50': quantile(frames, 0.5),
      'frame while scrolling, longest': Math.max(...frames),
    };
  });
}

/** When each probe became a row; those of all, unless that takes too long. */
async function rowsOf(page: Page, count: number): Promise<ReadonlyMap<string, number>> {
  for (let tries = 0; ; tries += 1) {
    const seen = await page.evaluate(() => (globalThis as unknown as { seen: [string, number][] }).seen);
    if (seen.length >= count || tries >= PATIENCE_SECONDS) return new Map(seen);
    await sleep(1_000);
  }
}

async function withPage<T>(address: string, use: (page: Page, dashboard: Dashboard) => Promise<T>): Promise<T> {
  const executable = findChromium();
  if (executable === undefined) throw new Error('there is no Chromium on the path');
  const dashboard = await startDashboard({ port: 0, tenantHeader: 'x-tenant' });
  const browser = await launch(executable);
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(`${dashboard.url}${address}`);
    await page.locator('.live.live').waitFor();
    return await use(page, dashboard);
  } finally {
    await browser.close();
    await dashboard.close();
  }
}

async function storedSpans({ url }: Dashboard): Promise<number> {
  const { stored } = (await (await fetch(`${url}/api/v1/stats`)).json()) as { stored: { traces: number } };
  return stored.traces;
}

/** Ten children each, four levels deep, of 6 services; one in 50 failed. */
async function sendTrace({ url }: Dashboard, traceId: string): Promise<void> {
  const base = BigInt(Date.now() - 60_000) * 1_000_000n;
  const idOf = (number: number): string => (number + 1).toString(16).padStart(16, '0');
  const services = Array.from({ length: 6 }, (_, service) => ({
    resource: { attributes: [{ key: 'service.name', value: { stringValue: `service-${service}` } }] },
    scopeSpans: [{ spans: [] as unknown[] }],
  }));
  for (let number = 0; number < SPANS; number += 1) {
    const start = base + BigInt(number) * 1_000_000n;
    services[number % services.length]?.scopeSpans[0]?.spans.push({
      ...{ traceId, spanId: idOf(number), parentSpanId: number === 0 ? '' : idOf(Math.floor((number - 1) / 10)) },
      ...{ name: `operation ${number % 40}`, kind: 1 + (number % 5), startTimeUnixNano: String(start) },
      endTimeUnixNano: String(number === 0 ? base + 12_000_000_000n : start + 400_000_000n),
      attributes: Array.from({ length: 8 }, (_, key) => ({
        key: `key.${key}`,
        value: { stringValue: `value ${number}` },
      })),
      status: { code: number % 50 === 7 ? 2 : 0 },
    });
  }
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ resourceSpans: services });
  const { status } = await fetch(`${url}/v1/traces`, { method: 'POST', headers, body });
  if (status !== 200) throw new Error(`the dashboard answered ${status}`);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}
