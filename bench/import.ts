import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { packagesDirectory } from './peers/install-packages.ts';
import { folderOf, loadPeer, PEER_NAMES } from './peers/peer.ts';
import { median } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';

const VARIANT = 'import, over bare Node';
const run = promisify(execFile);

/** What does importing the package add to a bare Node process? */
export const imports: Question = {
  name: 'import',
  title: 'Importing the package',
  rounds: 3,
  peers: () => PEER_NAMES,
  rows: [
    { variant: VARIANT, figure: 'time', unit: 'ms', goal: { value: 60 } },
    { variant: VARIANT, figure: 'CPU', unit: 'ms' },
    { variant: VARIANT, figure: 'RSS', unit: 'MB', goal: { value: 20 } },
  ],
  async measure({ peer, short }: Task): Promise<Figures> {
    const { packages } = await loadPeer(peer);
    const folder = folderOf(peer);
    const directory = folder === undefined ? process.cwd() : packagesDirectory(folder);
    const [time, cpu, rss]: [number[], number[], number[]] = [[], [], []];
    for (let repetition = 0; repetition < (short ? 2 : 7); repetition++) {
      const bare = await importInFreshProcess(directory, []);
      const loaded = await importInFreshProcess(directory, packages);
      time.push(loaded.millis - bare.millis);
      cpu.push(loaded.cpuMillis - bare.cpuMillis);
      rss.push(loaded.megabytes - bare.megabytes);
    }
    return { time: median(time), CPU: median(cpu), RSS: median(rss) };
  },
};

interface ImportCost {
  readonly millis: number;
  readonly cpuMillis: number;
  readonly megabytes: number;
}

/** Without the loader that runs the benches themselves. */
async function importInFreshProcess(cwd: string, packages: readonly string[]): Promise<ImportCost> {
  const script = `
    const startedAt = performance.now();
    const cpuBefore = process.cpuUsage();
    for (const name of ${JSON.stringify(packages)}) await import(name);
    const millis = performance.now() - startedAt;
    const { user, system } = process.cpuUsage(cpuBefore);
    process.stdout.write(JSON.stringify({ millis, cpuMillis: (user + system) / 1_000, megabytes: process.memoryUsage().rss / 1_048_576 }));
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd });
  return JSON.parse(stdout);
}
