/**
 * Packs the package as `npm publish` would and checks what users get: the list and size of the files, the manifest
 * (publint), how the types resolve (attw), the declarations under a strict compiler, and the public API at run time.
 * Needs a build in `dist`. Exits with 1 and the list of problems when something is wrong.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { packPackage, unpackPackage } from './pack-package.ts';
import { listPublicApi } from './public-api.ts';

const MAX_PACKED_BYTES = 2 * 1024 * 1024;
const REQUIRED_FILES = [
  'package.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'SECURITY.md',
  'docs/README.md',
  'docs/api/isotrace.md',
  'docs/migrating/README.md',
  'dist/index.js',
  'dist/testing.js',
  'dist/dashboard/page/index.html',
  'examples/basic/package.json',
];
const ALLOWED_FILE =
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md|src\/.+\.ts|docs\/([a-z]+\/)?[\w-]+\.md|docs\/images\/architecture\.svg|examples\/[a-z]+\/(package\.json|tsconfig\.json|README\.md|src\/[a-z-]+\.ts)|dist\/.+\.(js|d\.ts)(\.map)?|dist\/dashboard\/page\/(index\.html|assets\/[\w-]+\.(js|css|svg)))$/;
const DECLARATION = /\.d\.ts(\.map)?$/;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
}

const root = fileURLToPath(new URL('../', import.meta.url));
const workspace = path.join(root, '.package-check');
const installed = path.join(workspace, 'node_modules', 'isotrace');

rmSync(workspace, { recursive: true, force: true });
mkdirSync(installed, { recursive: true });
const problems: string[] = [];
try {
  const tarball = packPackage(workspace);
  unpackPackage(tarball, installed);
  const manifest = JSON.parse(readFileSync(path.join(installed, 'package.json'), 'utf8')) as Manifest;
  const entries = Object.keys(manifest.exports).filter((entry) => entry !== './package.json');
  checkFiles(tarball);
  await checkManifest();
  run('attw', 'node_modules/@arethetypeswrong/cli/dist/index.js', [tarball, '--profile', 'esm-only', '--no-emoji']);
  checkDeclarations(entries);
  await checkPublicApi(manifest, entries);
  checkCommandLine(manifest);
  checkClient();
} finally {
  rmSync(workspace, { recursive: true, force: true });
}
for (const problem of problems) console.error(`package: ${problem}`);
if (problems.length > 0) process.exitCode = 1;
else console.log('package: good');

function checkFiles(tarball: string): void {
  const files = readdirSync(installed, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(installed, path.join(entry.parentPath, entry.name)).replaceAll('\\', '/'));
  const has = new Set(files);
  for (const file of REQUIRED_FILES) if (!has.has(file)) problems.push(`${file} is missing from the tarball`);
  for (const file of files) if (!ALLOWED_FILE.test(file)) problems.push(`${file} does not belong in the tarball`);
  for (const file of files.filter((name) => DECLARATION.test(name))) {
    const source = file.replace(/^dist/, 'src').replace(DECLARATION, '.ts');
    if (!has.has(source)) problems.push(`${file} is left over from an old build: ${source} does not exist`);
  }
  // Older compilers, which are supported, know typed arrays without a parameter only.
  for (const file of files.filter((name) => name.startsWith('dist/') && name.endsWith('.d.ts'))) {
    const [type] =
      /\b(?:\w+Array|Buffer)<ArrayBuffer(?:Like)?>/.exec(readFileSync(path.join(installed, file), 'utf8')) ?? [];
    if (type !== undefined) problems.push(`${file} has ${type}, which TypeScript knows since 5.7`);
  }
  // V8 keeps a source with any other character in twice the memory.
  const core = readFileSync(path.join(installed, 'dist/chunks/index.js'), 'latin1');
  if (/[^\0-\x7F]/.test(core)) problems.push('dist/chunks/index.js has characters that are not ASCII, in a comment');
  const { size } = statSync(tarball);
  if (size > MAX_PACKED_BYTES) problems.push(`the tarball has ${size} bytes, ${MAX_PACKED_BYTES} at most`);
  console.log(`package: ${files.length} files, ${Math.round(size / 1024)} KiB packed`);
}

async function checkManifest(): Promise<void> {
  const { messages, pkg } = await publint({ pkgDir: installed, strict: true, pack: false });
  for (const message of messages) problems.push(`publint: ${formatMessage(message, pkg, { color: false })}`);
}

/** Compiles a file that imports every entry, with the compiler as strict as a user can set it. */
function checkDeclarations(entries: readonly string[]): void {
  const imports = entries.map((entry, index) => `export * as e${index} from '${entry.replace(/^\./, 'isotrace')}';\n`);
  writeFileSync(path.join(workspace, 'package.json'), '{ "type": "module" }');
  writeFileSync(path.join(workspace, 'consumer.ts'), imports.join(''));
  const flags = ['--module', 'nodenext', '--target', 'es2023', '--types', 'node', '--strict', '--noEmit'];
  const strictest = ['--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--isolatedModules'];
  const file = path.join(workspace, 'consumer.ts');
  run('tsc', 'node_modules/typescript/bin/tsc', [...flags, ...strictest, '--ignoreConfig', file]);
}

async function checkPublicApi(manifest: Manifest, entries: readonly string[]): Promise<void> {
  const listings: string[] = [];
  for (const entry of entries) {
    const target = manifest.exports[entry];
    if (typeof target !== 'object') continue;
    const file = path.join(installed, target.default);
    const source = path.join(installed, target.default.replace(/^\.\/dist/, 'src').replace(/\.js$/, '.ts'));
    try {
      const module = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
      listings.push(listPublicApi(entry, readFileSync(source, 'utf8'), module));
    } catch (error: unknown) {
      problems.push(`${entry} cannot be imported: ${String(error)}`);
    }
  }
  const snapshot = readFileSync(path.join(root, 'test/public-api.snapshot'), 'utf8');
  if (listings.join('\n') !== snapshot) problems.push('the built exports differ from test/public-api.snapshot');
}

/** The command line starts from the packed files and knows its own version. */
function checkCommandLine({ bin, version }: Manifest): void {
  for (const [name, file] of Object.entries(bin)) {
    const printed = run(name, path.join(installed, file), ['--version']);
    if (printed?.trim() !== version) problems.push(`${name} --version printed ${JSON.stringify(printed)}`);
  }
}

/** What workers and plugins load takes nothing of OpenTelemetry along, nor of the core. */
function checkClient(): void {
  const waiting = [path.join(installed, 'dist/commands-client.js')];
  for (const file of waiting) {
    for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(/^(?:import|export) .*?"([^"]+)";$/gm)) {
      if (specifier.startsWith('.')) waiting.push(path.resolve(path.dirname(file), specifier));
      else if (!specifier.startsWith('node:')) problems.push(`isotrace/commands-client loads ${specifier}`);
    }
  }
}

function run(name: string, script: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(process.execPath, [path.resolve(root, script), ...args], {
      cwd: root,
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch (error: unknown) {
    const { stdout = '', stderr = '' } = error as { readonly stdout?: string; readonly stderr?: string };
    problems.push(`${name}: ${stdout}${stderr}`);
    return undefined;
  }
}
