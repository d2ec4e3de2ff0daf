/**
 * Writes `docs/first-ten-minutes.md`: a newcomer's first commands, really run, with what they print. The packed package is
 * installed with npm into an empty project; the ports 4318 and 3000 have to be free. Needs a build in `dist`.
 *
 * With `--check` it writes nothing: packages are linked, ports are any that are free, and it ends with 1 when a command
 * prints something else than the page says.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { freePort, newcomerEnvironment, openWorkspace } from './first-minutes/project.ts';
import { firstMinutes } from './first-minutes/scenario.ts';
import { type Block, Session } from './first-minutes/session.ts';

const PORTS = { dashboard: 4318, app: 3000 };
const TARGET = new URL('../docs/first-ten-minutes.md', import.meta.url);
const HEAD = `<!-- Made by \`npm run docs:first-minutes\`, which runs the commands: nothing here is written by hand. -->

# The first ten minutes

What somebody who tries isotrace types and sees. A script runs all of it, \`npm install\` included, and writes this page;
only what is of one machine or moment has been replaced: its folders, the version of Node.js, ids and times.

`;

const linked = process.argv.includes('--check');
const ports = linked ? await anyPorts() : await usualPorts();
using workspace = openWorkspace();
const replacements: readonly (readonly [string | RegExp, string])[] = [
  [workspace.folder, '/home/me'],
  [new RegExp(`(?<=(?:localhost|127\\.0\\.0\\.1):)${ports.dashboard}\\b`, 'g'), String(PORTS.dashboard)],
  [new RegExp(`(?<=(?:localhost|127\\.0\\.0\\.1):)${ports.app}\\b`, 'g'), String(PORTS.app)],
  // Of packages that are linked, `doctor` tells where they really are.
  [/(?:\.\.\/)+\S*?(?=node_modules\/@opentelemetry)/g, ''],
  [/(?<=Node\.js {2})v\d+\.\d+\.\d+/g, 'v20.20.2'],
  [/\b\d\d:\d\d:\d\d\.\d{3}\b/g, '12:00:00.000'],
  [/\b\d+(?:\.\d+)?(?= (?:ms|s|µs)\b)/g, '10'],
  [/ (?:s|µs)(?= {2}\d+ spans?)/g, ' ms'],
  [/(?<=added \d+ packages[^\n]* in |removed \d+ packages?[^\n]* in )\w+/g, '9s'],
  [/(?<="traceId":")[\da-f]{32}/g, '4bf92f3577b34da6a3ce929d0e0e4736'],
  [/\b[\da-f]{8}$/gm, '4bf92f35'],
  [/(?<="(?:startMillis|lastMillis)":)[\d.]+/g, '1767225600000'],
  [/(?<="durationNanos":)\d+/g, '10000000'],
];
await using session = new Session({
  project: workspace.project,
  env: newcomerEnvironment(workspace.folder),
  replacements,
});
const page = HEAD + (await firstMinutes({ workspace, session, linked, ports }));

if (linked) {
  const different = findDifferences(readFileSync(TARGET, 'utf8'), session.blocks);
  for (const { command, output } of different)
    console.error(`docs/first-ten-minutes.md: now prints otherwise:\n$ ${command}\n${output}`);
  if (different.length > 0) process.exitCode = 1;
  else console.log(`docs/first-ten-minutes.md: ${session.blocks.length} commands print what it says`);
} else {
  writeFileSync(TARGET, page);
  console.log(`docs/first-ten-minutes.md: ${session.blocks.length} commands`);
}

/** Commands whose output is not on the page, in whatever order its lines came. */
function findDifferences(written: string, blocks: readonly Block[]): Block[] {
  const known = new Map<string, string>();
  for (const [, command = '', output = ''] of written.matchAll(/^```console\n\$ ([^\n]+)\n(.*?)^```$/gms)) {
    known.set(command, sortedLines(output));
  }
  return blocks.filter(({ command, output }) => known.get(command) !== sortedLines(output));
}

function sortedLines(text: string): string {
  return text.trim().split('\n').sort().join('\n');
}

async function usualPorts(): Promise<typeof PORTS> {
  for (const port of Object.values(PORTS)) {
    if ((await freePort(port)) === undefined)
      throw new Error(`port ${port} is in use: the page shows it, so it is needed`);
  }
  return PORTS;
}

async function anyPorts(): Promise<typeof PORTS> {
  const [dashboard, app] = [await freePort(0), await freePort(0)];
  if (dashboard === undefined || app === undefined) throw new Error('there is no free port');
  return { dashboard, app };
}
