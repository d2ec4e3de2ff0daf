/**
 * Tries what `isotrace example` and `isotrace init` write as a user would: with the packed package, each project in a
 * directory of its own, compiled with its own settings, started, and asked by two tenants. Needs a build in `dist`.
 * Everything but isotrace itself is linked from this project's `node_modules`. Ends with 1 and the list of problems.
 */
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { EXAMPLE_TRIALS, INIT_TRIALS, type Trial } from './example-trials.ts';
import { packPackage, unpackPackage } from './pack-package.ts';
import { runTrial } from './run-trial.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const workspace = realpathSync(mkdtempSync(path.join(tmpdir(), 'isotrace-examples-')));
const modules = path.join(workspace, 'node_modules');

const problems: string[] = [];
try {
  linkPackages();
  unpackIsotrace();
  for (const trial of [...EXAMPLE_TRIALS, ...INIT_TRIALS]) await attempt(trial);
} finally {
  rmSync(workspace, { recursive: true, force: true });
}
for (const problem of problems) console.error(`PROBLEM  ${problem}`);
if (problems.length > 0) process.exitCode = 1;
else console.log('examples: good');

async function attempt(trial: Trial): Promise<void> {
  const startedAt = performance.now();
  try {
    const cli = path.join(modules, 'isotrace/dist/cli.js');
    const said = await runTrial(trial, { workspace, cli });
    console.log(`${trial.title}: ${said} (${Math.round(performance.now() - startedAt)} ms)`);
  } catch (error: unknown) {
    const { message, stdout = '', stderr = '' } = error as Error & { stdout?: string; stderr?: string };
    problems.push(`${trial.title}: ${message}\n${stdout}${stderr}`);
  }
}

function linkPackages(): void {
  mkdirSync(modules);
  for (const name of readdirSync(path.join(root, 'node_modules'))) {
    if (name !== 'isotrace') symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name));
  }
}

function unpackIsotrace(): void {
  const installed = path.join(modules, 'isotrace');
  mkdirSync(installed);
  unpackPackage(packPackage(workspace), installed);
}
