/**
 * Makes the pictures of the dashboard in `docs/images`: `npx tsx scripts/screenshots.ts [directory]`. Needs Chromium, and
 * `npm run build` before.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDashboard } from '../src/dashboard.ts';
import { findChromium, launch } from '../test/dashboard/page/browser.ts';
import { hexId, seedShop } from '../test/dashboard/page/seed.ts';
import { buildStalePage } from './build-page.ts';

const directory = process.argv[2] ?? fileURLToPath(new URL('../docs/images', import.meta.url));
const FAILED = 76;
const VIEWS: readonly (readonly [name: string, address: string])[] = [
  ['traces', '/'],
  ['trace', `/t/${hexId(FAILED, 32)}?of=acme&span=${hexId(FAILED * 100 + 6, 16)}&path=1`],
  ['logs', '/logs'],
  ['metrics', '/metrics?by=tenant'],
  ['services', '/services'],
  ['errors', '/errors'],
  ['usage', '/usage'],
  ['agent', `/t/${hexId(9_000, 32)}?span=${hexId(900_010, 16)}`],
  ['tenants', '/tenants'],
];

await buildStalePage();
const executable = findChromium();
if (executable === undefined) throw new Error('there is no Chromium on the path');
mkdirSync(directory, { recursive: true });
const dashboard = await startDashboard({ port: 0 });
const browser = await launch(executable);
try {
  await seedShop(async (signal, json) => {
    const headers = { 'content-type': 'application/json' };
    await fetch(`${dashboard.url}/v1/${signal}`, { method: 'POST', headers, body: JSON.stringify(json) });
  }, Date.now());
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await browser.newPage({ viewport: { width: 1360, height: 800 }, colorScheme });
    for (const [name, address] of VIEWS) {
      await page.goto(`${dashboard.url}${address}`);
      await page.waitForLoadState('load');
      await page.waitForTimeout(900);
      await page.screenshot({ path: path.join(directory, `${name}-${colorScheme}.png`) });
    }
    await page.close();
  }
} finally {
  await browser.close();
  await dashboard.close();
}
