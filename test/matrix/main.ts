// npm run test:matrix: installs the packed isotrace as users do, and tries it on every version that is supported.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Check, createChecks } from './checks.ts';
import { formatRow, HEADER, type Result, reasonOf } from './report.ts';
import { Tools } from './tools.ts';

const USAGE = `npm run test:matrix -- [options]

  --short            the projects that CI installs for every change
  --only <text>      only what has the text in its row
  --tests <filter>   of all tests, those in files whose path contains the text
  --list             what would run
  --json             the results as JSON
  --keep             leaves the directory with the projects, and names it
`;

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    tests: { type: 'string', multiple: true, default: [] },
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stderr.write(USAGE);
  process.exit();
}

const print = (line: string): void => void (values.json ? process.stderr : process.stdout).write(`${line}\n`);
const workspace = realpathSync(mkdtempSync(path.join(tmpdir(), 'isotrace-matrix-')));
const checks = createChecks({ workspace, tools: new Tools(path.join(workspace, 'tools')), filters: values.tests })
  .filter(({ short }) => short || !values.short)
  .filter((check) => formatRow(check).includes(values.only));
if (checks.length === 0) {
  process.stderr.write(`There is nothing with "${values.only}".\n`);
  process.exit(2);
}
const results: Result[] = [];
print(HEADER);
try {
  for (const check of checks) {
    if (values.list) print(formatRow(check));
    else results.push(await attempt(check));
  }
} finally {
  if (values.keep) print(`The projects are in ${workspace}`);
  else rmSync(workspace, { recursive: true, force: true });
}
const failed = results.filter(({ problem }) => problem !== undefined);
for (const result of failed) print(`\nPROBLEM  ${formatRow(result)}\n${result.problem}`);
print(`\nmatrix: ${results.length - failed.length} passed, ${failed.length} failed`);
if (values.json) process.stdout.write(`${JSON.stringify({ results }, undefined, 2)}\n`);
if (failed.length > 0) process.exitCode = 1;

async function attempt(check: Check): Promise<Result> {
  const startedAt = performance.now();
  const { run, short: _, ...row } = check;
  const settled = await run().then(
    (seen) => ({ seen }),
    (error: unknown) => ({ problem: reasonOf(error) }),
  );
  const result = { ...row, ...settled, millis: Math.round(performance.now() - startedAt) };
  print(formatRow(result));
  return result;
}
