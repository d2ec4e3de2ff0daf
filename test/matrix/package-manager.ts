import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Manager } from './definition.ts';

const run = promisify(execFile);
const PATIENCE_MILLIS = 600_000;
/** A conflict is an error also between packages that are not the project's own, whatever the user's settings are. */
export const STRICT: readonly string[] = ['--strict-peer-deps', '--no-force', '--no-legacy-peer-deps'];

export interface InstallOptions {
  readonly directory: string;
  /** Binary of Node that the package manager runs on. */
  readonly node: string;
  /** Whether a package that does not want this Node is an error. */
  readonly strictEngines: boolean;
  readonly manager: Manager;
  /** Where pnpm is installed. */
  readonly pnpm: string;
}

/** Installs what the directory's package.json asks for; a conflict of peers or an engine that is refused rejects. */
export async function install({ directory, node, strictEngines, manager, pnpm }: InstallOptions): Promise<void> {
  if (manager === 'npm') {
    await npm(node, directory, ['install', '--ignore-scripts', `--engine-strict=${strictEngines}`, ...STRICT]);
    return;
  }
  const store = path.join(pnpm, 'store');
  const strict = [`engine-strict=${strictEngines}`, 'strict-peer-dependencies=true', 'auto-install-peers=false'];
  const args = ['install', '--ignore-scripts', '--store-dir', store, ...strict.map((flag) => `--config.${flag}`)];
  await runNode(node, directory, [path.join(pnpm, 'node_modules/pnpm/bin/pnpm.mjs'), ...args]);
}

/** The npm that started this program, on any Node; in the directory and nowhere else. */
export function npm(node: string, directory: string, args: readonly string[]): Promise<string> {
  const script = process.env['npm_execpath'];
  if (script === undefined) throw new Error('The matrix is started by npm: npm run test:matrix');
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  return runNode(node, directory, [script, ...args, '--prefix', directory, ...quiet]);
}

export async function writeManifest(directory: string, manifest: object): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(path.join(directory, 'package.json'), JSON.stringify({ private: true, ...manifest }, undefined, 2));
}

/** Resolves with what it printed; rejects with that in the error's `stdout` and `stderr`. */
export async function runNode(
  node: string,
  directory: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  timeout = PATIENCE_MILLIS,
): Promise<string> {
  const { stdout } = await run(node, [...args], {
    cwd: directory,
    env: { ...process.env, ...env, PATH: `${path.dirname(node)}${path.delimiter}${process.env['PATH'] ?? ''}` },
    timeout,
    maxBuffer: 64 * 1_048_576,
  });
  return stdout;
}

/** The version of every copy of a package below the directory. Links are not followed: each copy is found where it is. */
export async function findCopies(directory: string, name: string): Promise<string[]> {
  const found: string[] = [];
  const isCopy = path.join('node_modules', name);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const inner = path.join(directory, entry.name);
    if (inner.endsWith(isCopy)) {
      const { version } = JSON.parse(await readFile(path.join(inner, 'package.json'), 'utf8')) as { version: string };
      found.push(version);
    }
    found.push(...(await findCopies(inner, name)));
  }
  return found;
}
