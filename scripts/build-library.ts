/**
 * Builds `dist`: the JavaScript of each entry, bundled into few files, because Node takes a good part of a millisecond
 * for each file that it imports; and the declarations, which `tsc` writes one a source.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { buildPage } from './build-page.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const dist = path.join(root, 'dist');

/**
 * The entries whose modules are kept together, with what they import statically, unless it is an earlier one's. What
 * workers and plugins load comes first, because it must not pull in the core.
 */
const GROUPS = ['commands-client', 'index', 'dashboard'];

rmSync(dist, { recursive: true, force: true });
run('node_modules/typescript/bin/tsc', ['-p', 'tsconfig.build.json']);
await buildLibrary();
await buildPage();

async function buildLibrary(): Promise<void> {
  const entries = readdirSync(path.join(root, 'src')).filter((name) => name.endsWith('.ts'));
  let groups: ReadonlyMap<string, string> | undefined;
  await build({
    configFile: false,
    root,
    logLevel: 'warn',
    publicDir: false,
    // In plain ASCII, which V8 keeps in half the memory.
    esbuild: { charset: 'ascii' },
    // Nothing but our own source: what a package needs, it imports.
    ssr: { external: true },
    build: {
      ssr: true,
      outDir: dist,
      emptyOutDir: false,
      target: 'node20',
      minify: false,
      sourcemap: true,
      rollupOptions: {
        preserveEntrySignatures: 'strict',
        input: Object.fromEntries(entries.map((name) => [path.parse(name).name, path.join(root, 'src', name)])),
        output: {
          format: 'es',
          entryFileNames: '[name].js',
          chunkFileNames: 'chunks/[name].js',
          // A file that needs another imports it itself, and not what that imports in its turn.
          hoistTransitiveImports: false,
          // The package has its sources.
          sourcemapExcludeSources: true,
          manualChunks: (id, { getModuleInfo }) => {
            groups ??= groupModules((module) => getModuleInfo(module)?.importedIds ?? []);
            return groups.get(id);
          },
        },
      },
    },
  });
}

/** By the path of a module: the group that it belongs to. */
function groupModules(importsOf: (module: string) => readonly string[]): ReadonlyMap<string, string> {
  const groups = new Map<string, string>();
  for (const group of GROUPS) {
    const waiting = [path.join(root, 'src', `${group}.ts`)];
    for (let module = waiting.pop(); module !== undefined; module = waiting.pop()) {
      if (groups.has(module) || !module.startsWith(root)) continue;
      groups.set(module, group);
      waiting.push(...importsOf(module));
    }
  }
  return groups;
}

function run(script: string, args: readonly string[]): void {
  execFileSync(process.execPath, [path.join(root, script), ...args], { cwd: root, stdio: 'inherit' });
}
