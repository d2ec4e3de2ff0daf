import { EXAMPLE_TRIALS, INIT_TRIALS } from '../../scripts/example-trials.ts';
import { runTrial } from '../../scripts/run-trial.ts';
import { npm, STRICT } from './package-manager.ts';

export interface ExampleOptions {
  /** Of the trial: `example …` or `init …`. */
  readonly title: string;
  /** The project becomes a directory of it. */
  readonly workspace: string;
  /** The command line of an installed isotrace, which writes the example. */
  readonly cli: string;
  readonly tarball: string;
}

/**
 * Has an example or a template written, installed, with the ranges of its own package.json or with the commands that
 * were printed, compiled, started and used.
 */
export function runExample({ title, workspace, cli, tarball }: ExampleOptions): Promise<string> {
  const trial = [...EXAMPLE_TRIALS, ...INIT_TRIALS].find((candidate) => candidate.title === title);
  if (trial === undefined) throw new Error(`There is no trial ${title}`);
  const { packages = [], generate } = trial;
  const install = async (project: string, printed: string): Promise<void> => {
    for (const args of generate[0] === 'init' ? installsIn(printed) : [['install', tarball]]) {
      // In the place of the version that a registry has.
      const named = args.map((word) => (word === 'isotrace' ? tarball : word));
      await npm(process.execPath, project, [...named, ...STRICT]);
    }
    if (packages.length > 0) await npm(process.execPath, project, ['install', ...packages, ...STRICT]);
  };
  return runTrial(trial, { workspace, cli, install });
}

/** The arguments of npm in what `init --json` has printed. */
function installsIn(printed: string): string[][] {
  const { install } = JSON.parse(printed) as { readonly install: readonly string[] };
  return install.map((command) => command.split(' ').slice(1));
}
