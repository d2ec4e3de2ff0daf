import { Command, InvalidArgumentError, Option } from 'commander';
import { type CliHost, CommandError, EXIT } from '../cli-host.ts';
import {
  DESTINATIONS,
  DIRECTORY_ACCEPTED,
  FRAMEWORKS,
  type GivenAnswers,
  normalizeDirectory,
  SERVICE_NAME,
  TENANT_SOURCES,
} from '../init/answers.ts';
import { completeAnswers } from '../init/ask.ts';
import { initFiles } from '../init/init-files.ts';
import { applicationLines, installCommands, tryCommands } from '../init/next-steps.ts';
import { readProject } from '../init/project.ts';
import { type ScaffoldedFile, writeScaffold } from '../scaffold.ts';
import { printable, type Terminal } from '../terminal.ts';

interface InitFlags extends GivenAnswers {
  readonly yes?: boolean;
  readonly force?: boolean;
}

/** Writes the modules that give a project its telemetry, and tells what is left to do. */
export function initCommand(host: CliHost): Command {
  return new Command('init')
    .description('write the modules that give a project its telemetry')
    .addOption(choice('--framework <name>', 'what serves requests', FRAMEWORKS))
    .addOption(choice('--tenant <source>', 'what names the tenant of a request', TENANT_SOURCES))
    .addOption(choice('--destination <kind>', 'where telemetry goes', DESTINATIONS))
    .option('--service <name>', 'the name of the service', parseService)
    .option('--directory <path>', 'where the modules go, inside the project', parseDirectory)
    .option('-y, --yes', 'ask nothing; take defaults for what is missing')
    .option('-f, --force', 'replace files that exist')
    .action(async ({ yes = false, force = false, ...given }: InitFlags) => {
      const { terminal, cwd, env } = host;
      const project = readProject(cwd, env);
      const answers = await completeAnswers(given, project, host, host.isInteractive && !terminal.json && !yes);
      const directory = parseDirectory(answers.directory);
      const files = writeScaffold(cwd, initFiles({ ...answers, directory }, project.start), { force });
      const install = installCommands(answers.framework, project);
      const application = applicationLines({ ...answers, directory }, project.start);
      const show = tryCommands(answers, project.start);
      const [run = ''] = show;
      if (terminal.json) terminal.value({ answers: { ...answers, directory }, files, install, application, run });
      else printInit(terminal, files, { install, application, show });
    });
}

/** What is left to do. */
interface NextSteps {
  readonly install: readonly string[];
  readonly application: readonly string[];
  readonly show: readonly string[];
}

/** Which files there are now, and which of them were there before. */
export function printFiles(terminal: Terminal, files: readonly ScaffoldedFile[]): void {
  for (const { path: file, outcome } of files) {
    const colour = outcome === 'skipped' ? 'yellow' : 'green';
    const remark = outcome === 'skipped' ? '  exists; --force replaces it' : '';
    terminal.line(`${terminal.style(colour, outcome.padEnd(8))}  ${printable(file)}${remark}`);
  }
}

function printInit(
  terminal: Terminal,
  files: readonly ScaffoldedFile[],
  { install, application, show }: NextSteps,
): void {
  const step = (title: string, texts: readonly string[]): void => {
    if (texts.length === 0) return;
    terminal.line();
    terminal.line(terminal.style('bold', title));
    for (const text of texts) terminal.line(`  ${printable(text)}`);
  };
  printFiles(terminal, files);
  step('Install', install);
  step('In the application', application);
  step('See it', show);
}

function choice(flags: string, description: string, choices: Readonly<Record<string, string>>): Option {
  return new Option(flags, description).choices(Object.keys(choices));
}

function parseService(name: string): string {
  if (SERVICE_NAME.test(name)) return name;
  throw new InvalidArgumentError('1 to 255 printable characters.');
}

function parseDirectory(text: string): string {
  const directory = normalizeDirectory(text);
  if (directory !== undefined) return directory;
  throw new CommandError(`--directory: ${DIRECTORY_ACCEPTED}`, EXIT.usage);
}
