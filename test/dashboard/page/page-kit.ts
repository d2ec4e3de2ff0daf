import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished } from 'vitest';
import { type Dashboard, type DashboardOptions, startDashboard } from '../../../src/dashboard.ts';
import { findChromium, launch, watchProblems } from './browser.ts';
import { type Post, seedShop } from './seed.ts';

const executable = findChromium();

/** Groups tests that need a browser; without one they are skipped, and say so. */
export const describePage = (name: string, tests: () => void): void => {
  describe.skipIf(executable === undefined)(
    executable === undefined ? `${name} (there is no Chromium here)` : name,
    tests,
  );
};

export interface PageKit {
  readonly dashboard: Dashboard;
  readonly browser: Browser;
  readonly post: Post;
  /** When the seed was made. */
  readonly seededAt: number;
  /** A page of its own for the test. It fails the test when anything goes wrong in it. */
  open(address: string, options?: BrowserContextOptions): Promise<Page>;
}

interface PageOptions extends DashboardOptions {
  /** Whether there is telemetry of a shop; there is. */
  readonly seed?: boolean;
  /** Whether each test starts with an empty dashboard, and each attempt of it. */
  readonly fresh?: boolean;
}

/** One browser and one dashboard for a group of tests. */
export function usePage({ seed = true, fresh = false, ...dashboardOptions }: PageOptions = {}): PageKit {
  const [before, after] = fresh ? [beforeEach, afterEach] : [beforeAll, afterAll];
  const started: { dashboard?: Dashboard; browser?: Browser; seededAt?: number } = {};
  before(async () => {
    started.dashboard = await startDashboard({ port: 0, ...dashboardOptions });
    started.browser = await launch(executable as string);
    started.seededAt = Date.now();
    if (seed) await seedShop(post, started.seededAt);
  }, 60_000);
  after(async () => {
    await started.browser?.close();
    await started.dashboard?.close();
  }, 30_000);
  const post: Post = async (signal, json) => {
    const headers = { 'content-type': 'application/json' };
    const url = `${started.dashboard?.url}/v1/${signal}`;
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(json) });
    expect(response.status).toBe(200);
  };
  return {
    get dashboard() {
      return started.dashboard as Dashboard;
    },
    get browser() {
      return started.browser as Browser;
    },
    get seededAt() {
      return started.seededAt as number;
    },
    post,
    async open(address, contextOptions = {}) {
      const context = await (started.browser as Browser).newContext({
        viewport: { width: 1280, height: 800 },
        permissions: ['clipboard-read', 'clipboard-write'],
        ...contextOptions,
      });
      const page = await context.newPage();
      const problems = watchProblems(page);
      onTestFinished(async () => {
        expect(problems).toEqual([]);
        await context.close();
      });
      page.setDefaultTimeout(15_000);
      await page.goto(`${started.dashboard?.url}${address}`);
      return page;
    },
  };
}

/** A name of this attempt alone: what another attempt sent is still there. */
export function unique(name: string): string {
  return `${name}-${randomBytes(4).toString('hex')}`;
}

/** What a click on this puts on the clipboard. */
export async function copied(page: Page, label: string): Promise<string> {
  await page
    .getByRole('button', { name: `Copy ${label}`, exact: true })
    .first()
    .click();
  await page.getByText(`Copied ${label}`).waitFor();
  return page.evaluate(() => navigator.clipboard.readText());
}

/** What a click on this downloads. */
export async function downloaded(page: Page, label: string): Promise<{ readonly name: string; readonly text: string }> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: label }).click(),
  ]);
  const stream = await download.createReadStream();
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return { name: download.suggestedFilename(), text: Buffer.concat(chunks).toString() };
}
