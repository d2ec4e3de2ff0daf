import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { npm, runNode } from './package-manager.ts';
import { LEFT_OUT, withOpenTelemetry3 } from './sdk3-manifest.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const NO_LOCK = '--no-package-lock';
const LOCK = 'package-lock.json';
const PATIENCE_MILLIS = 45 * 60_000;

export interface SuiteOptions {
  readonly directory: string;
  readonly node: string;
  /** Of vitest; none: all tests. */
  readonly filters: readonly string[];
}

/**
 * Runs the tests of a copy of this project that is developed with OpenTelemetry 3.1, on that Node. Resolves with the
 * totals; rejects with what failed.
 */
export async function runSuite({ directory, node, filters }: SuiteOptions): Promise<string> {
  await copyProject(directory);
  await npm(node, directory, ['install', '--ignore-scripts', NO_LOCK]);
  // The tests look at the project's own.
  await cp(path.join(root, LOCK), path.join(directory, LOCK));
  const vitest = path.join(directory, 'node_modules/vitest/vitest.mjs');
  // As in .ci/run: real sockets, processes and timers get a second chance.
  const printed = await runNode(node, directory, [vitest, 'run', '--retry=1', ...filters], {}, PATIENCE_MILLIS);
  const [, totals] = /^tests: (.+)$/m.exec(printed) ?? [];
  if (totals === undefined) throw Object.assign(new Error('vitest told no totals'), { stdout: printed });
  return totals;
}

/** The files that are tracked, or would be, with the dependencies of the other version. */
async function copyProject(directory: string): Promise<void> {
  const { stdout } = await run(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'],
    {
      cwd: root,
      maxBuffer: 64 * 1_048_576,
    },
  );
  const leftOut = new Set([LOCK, ...Object.values(LEFT_OUT).flat()]);
  for (const file of stdout.split('\0').filter((name) => name !== '' && !leftOut.has(name))) {
    await mkdir(path.dirname(path.join(directory, file)), { recursive: true });
    await cp(path.join(root, file), path.join(directory, file), { recursive: true }).catch(ignoreMissing);
  }
  const file = path.join(directory, 'package.json');
  const manifest = JSON.parse(await readFile(file, 'utf8')) as Parameters<typeof withOpenTelemetry3>[0];
  await writeFile(file, JSON.stringify(withOpenTelemetry3(manifest), undefined, 2));
  await rm(path.join(directory, '.git'), { recursive: true, force: true });
}

/** It was deleted, which git does not know yet. */
function ignoreMissing(error: unknown): void {
  if ((error as { readonly code?: unknown }).code !== 'ENOENT') throw error;
}
