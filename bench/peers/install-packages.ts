import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { installNode } from '../../scripts/install-node.ts';

const run = promisify(execFile);

/** Of a folder of packages that are not part of the root install. */
export function packagesDirectory(folder: string): string {
  return fileURLToPath(new URL(`packages/${folder}/`, import.meta.url));
}

/** Installs a folder's packages where that has not been done, without their scripts. */
export async function installPackages(folder: string, progress: (line: string) => void): Promise<void> {
  const directory = packagesDirectory(folder);
  if (existsSync(`${directory}node_modules/.package-lock.json`)) return;
  progress(`installing bench/peers/packages/${folder}`);
  const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  try {
    await run('npm', ['install', '--ignore-scripts', ...quiet, '--prefix', directory]);
  } catch (error) {
    throw new Error(`The packages of bench/peers/packages/${folder} cannot be installed`, { cause: error });
  }
}

/** A module of such a folder. It is not known at compile time, so the caller says what it uses of it. */
export function requireFrom<T>(folder: string, name: string): T {
  return createRequire(packagesDirectory(folder))(name) as T;
}

/** The Node binary of that major version, of which figures are comparable: always the same one. */
export function nodeOf(major: string): Promise<string> {
  if (major !== '24') throw new Error(`There is Node 24 beside the one that runs, and no ${major}`);
  return installNode('24.21.0', packagesDirectory('node'));
}
