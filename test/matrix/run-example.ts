import { EXAMPLE_TRIALS } from '../../scripts/example-trials.ts';
import { runTrial } from '../../scripts/run-trial.ts';
import { npm, STRICT } from './package-manager.ts';

export interface ExampleOptions {
  readonly name: string;
  /** The project becomes a directory of it. */
  readonly workspace: string;
  /** The command line of an installed isotrace, which writes the example. */
  readonly cli: string;
  readonly tarball: string;
}

/** Has an example written, installed with the ranges of its own package.json, compiled, started and used. */
export function runExample({ name, workspace, cli, tarball }: ExampleOptions): Promise<string> {
  const trial = EXAMPLE_TRIALS.find(({ title }) => title === `example ${name}`);
  if (trial === undefined) throw new Error(`There is no example ${name}`);
  const install = async (project: string): Promise<void> => {
    // In the place of the version that its package.json names.
    await npm(process.execPath, project, ['install', ...STRICT, tarball]);
  };
  return runTrial(trial, { workspace, cli, install });
}
