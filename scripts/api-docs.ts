/**
 * Writes the API reference, `docs/api`, from the sources: `npm run docs:api`. With `--check` it writes nothing, and ends
 * with 1 when a page is not what the sources say.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { emitDeclarations } from './api/declarations.ts';
import { listEntries } from './api/entries.ts';
import { renderPages } from './api/pages.ts';

const root = new URL('../', import.meta.url);
const folder = new URL('docs/api/', root);
const { exports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { readonly exports: object };

const pages = renderPages(emitDeclarations(), listEntries(Object.keys(exports)));
mkdirSync(folder, { recursive: true });
const before = new Map(readdirSync(folder).map((file) => [file, readFileSync(new URL(file, folder), 'utf8')]));
const names = new Set([...before.keys(), ...pages.keys()]);
const stale = [...names].filter((file) => before.get(file) !== pages.get(file));
if (process.argv.includes('--check')) {
  for (const file of stale) console.error(`docs/api/${file} is not what the sources say: npm run docs:api`);
  if (stale.length > 0) process.exitCode = 1;
  else console.log(`docs/api: ${pages.size} pages, as the sources say`);
} else {
  for (const file of stale) {
    const page = pages.get(file);
    if (page === undefined) rmSync(new URL(file, folder));
    else writeFileSync(new URL(file, folder), page);
  }
  console.log(`docs/api: ${pages.size} pages, ${stale.length} changed`);
}
