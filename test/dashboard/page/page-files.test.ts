import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { PageFiles } from '../../../src/dashboard/server/page-files.ts';
import { openDashboard, send } from '../server/dashboard-kit.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const built = path.join(root, 'dist/dashboard/page');
const sources = path.join(root, 'src/dashboard/page');
const KIB = 1_024;

describe('the files of the page', () => {
  it('keep their budget: 90 KB of JavaScript and 10 KB of CSS, compressed', () => {
    const sizeOf = (extension: string): number =>
      filesOf(built)
        .filter((file) => file.endsWith(extension))
        .reduce((sum, file) => sum + gzipSync(readFileSync(path.join(built, file))).length, 0);
    expect(sizeOf('.js')).toBeGreaterThan(20 * KIB);
    expect(sizeOf('.js')).toBeLessThanOrEqual(90 * KIB);
    expect(sizeOf('.css')).toBeGreaterThan(1 * KIB);
    expect(sizeOf('.css')).toBeLessThanOrEqual(10 * KIB);
  });

  it('need nothing from elsewhere: what the document loads is there, and no file names another site', () => {
    const document = readFileSync(path.join(built, 'index.html'), 'utf8');
    const loaded = [...document.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address as string);
    expect(loaded.length).toBeGreaterThanOrEqual(3);
    for (const address of loaded) expect(filesOf(built)).toContain(address.slice(1));
    expect(document).not.toMatch(/<script(?![^>]*src=)|<style|style=|\son\w+=/);
    for (const file of filesOf(built)) {
      const addresses =
        readFileSync(path.join(built, file), 'utf8').match(/(?:https?:)?\/\/[a-z][\w.-]+\.[a-z]{2,}/gi) ?? [];
      // Names of XML vocabularies, which nobody loads.
      expect(addresses.filter((address) => !address.includes('www.w3.org'))).toEqual([]);
    }
  });

  it('make no HTML from data and run no text as code', () => {
    const forbidden =
      /dangerouslySetInnerHTML|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|javascript:|srcdoc/;
    const written = filesOf(sources).filter((file) => /\.(tsx?|html)$/.test(file));
    expect(written.length).toBeGreaterThan(40);
    for (const file of written) expect(readFileSync(path.join(sources, file), 'utf8'), file).not.toMatch(forbidden);
  });

  it('are sent with their type, compressed where that is understood, and not again when they are known', async () => {
    const dashboard = await openDashboard();
    const document = await send(dashboard, 'GET', '/');
    expect(document.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' });
    const asset = /src="([^"]+)"/.exec(document.bytes.toString())?.[1] as string;
    const script = await send(dashboard, 'GET', asset, { 'accept-encoding': 'gzip, br' });
    expect(script.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'content-encoding': 'gzip',
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
    });
    const plain = await send(dashboard, 'GET', asset);
    expect(gunzipSync(script.bytes).equals(plain.bytes)).toBe(true);
    const etag = script.headers.etag as string;
    const again = await send(dashboard, 'GET', asset, { 'if-none-match': etag });
    expect([again.status, again.bytes.length]).toEqual([304, 0]);
    expect((await send(dashboard, 'GET', asset, { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it.each(['/', '/logs', '/metrics', '/services', '/errors', '/usage', '/tenants', `/t/${'a'.repeat(32)}`])(
    'answer %s with the document, so that every address can be reloaded',
    async (address) => {
      const dashboard = await openDashboard();
      const { status, headers, bytes } = await send(dashboard, 'GET', `${address}?tenant=a`);
      expect(status).toBe(200);
      expect(headers['content-security-policy']).toContain("script-src 'self'");
      expect(headers['content-security-policy']).not.toContain('unsafe');
      expect(bytes.toString()).toContain('<div id="page">');
    },
  );

  it.each([
    ...[
      '/etc/passwd',
      '/..%2f..%2fetc/passwd',
      '/assets/..%2findex.html',
      '/assets/',
      '/assets',
      '/index.js',
      '/t/xyz',
      '/t/',
    ],
    ...[
      '/assets/%00',
      '/..\\..\\package.json',
      '//etc/passwd',
      '/logs/x',
      '/package.json',
      '/page/main.tsx',
      '/assets/__proto__',
    ],
  ])('are looked up in a table: %s is not there', async (address) => {
    const dashboard = await openDashboard();
    expect((await send(dashboard, 'GET', address)).status).toBe(404);
  });

  it('are for those who know no token yet too, and only for reading', async () => {
    const dashboard = await openDashboard({ token: 'a-token-of-some-length' });
    expect((await send(dashboard, 'GET', '/')).status).toBe(200);
    expect((await send(dashboard, 'GET', '/api/v1/traces')).status).toBe(401);
    expect((await send(dashboard, 'POST', '/')).status).toBe(401);
    expect((await send(dashboard, 'GET', '/', { host: 'evil.test' })).status).toBe(403);
  });

  it('say so when they were not built', async () => {
    const empty = mkdtempSync(path.join(tmpdir(), 'isotrace-page-'));
    try {
      const sent: unknown[] = [];
      const response = {
        writeHead: (status: number) => sent.push(status),
        end: (body: Buffer) => sent.push(body.toString()),
      };
      for (const directory of [empty, path.join(empty, 'nothing')]) {
        expect(new PageFiles(directory).handle({ headers: {} } as never, response as never, '/')).toBe(true);
        expect(new PageFiles(directory).handle({ headers: {} } as never, response as never, '/assets/x.js')).toBe(
          false,
        );
      }
      expect(sent).toEqual([404, expect.stringContaining('npm run build'), 404, expect.stringContaining('not built')]);
    } finally {
      rmSync(empty, { recursive: true });
    }
  });
});

function filesOf(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => path.relative(directory, path.join(parentPath, name)));
}
