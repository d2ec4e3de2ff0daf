/** Builds the dashboard's page into `dist/dashboard/page`. */
import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../', import.meta.url));
const source = path.join(root, 'src/dashboard/page');
const output = path.join(root, 'dist/dashboard/page');

export async function buildPage(): Promise<void> {
  // Beside its place first: whoever reads the old one meanwhile finds it whole.
  const fresh = `${output}.${process.pid}`;
  await build({
    configFile: false,
    root: source,
    logLevel: 'warn',
    esbuild: { jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none' },
    build: {
      outDir: fresh,
      emptyOutDir: true,
      target: 'es2022',
      // The content security policy allows files only: nothing may be written into the document.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
  });
  rmSync(output, { recursive: true, force: true });
  renameSync(fresh, output);
}

/** Builds it unless it is newer than all it is made from. */
export async function buildStalePage(): Promise<void> {
  const inputs = [fileURLToPath(import.meta.url), path.join(root, 'package-lock.json'), ...filesOf(source)];
  const newest = Math.max(...inputs.map(modifiedAt));
  if (modifiedAt(path.join(output, 'index.html')) < newest) await buildPage();
}

function filesOf(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => path.join(parentPath, name));
}

function modifiedAt(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPage();
