import path from 'node:path';
import { Argument, Command } from 'commander';
import type { CliHost } from '../cli-host.ts';
import { EXAMPLES, type ExampleName, exampleFiles } from '../example-files.ts';
import { packageManagerOf } from '../init/package-manager.ts';
import { writeScaffold } from '../scaffold.ts';
import { printable } from '../terminal.ts';
import { printFiles } from './init.ts';

/** Writes one of the example projects. */
export function exampleCommand(host: CliHost): Command {
  const descriptions = Object.entries(EXAMPLES).map(([name, text]) => `${name}: ${text}`);
  return new Command('example')
    .description('write a small project that runs')
    .addArgument(new Argument('<name>', 'the example').choices(Object.keys(EXAMPLES)))
    .argument('[directory]', 'where to; isotrace-<name> by default')
    .option('-f, --force', 'replace files that exist')
    .addHelpText('after', `\n${descriptions.join('\n')}`)
    .action((name: ExampleName, given: string | undefined, { force = false }: { force?: boolean }) => {
      const { terminal, cwd, env } = host;
      const directory = given ?? `isotrace-${name}`;
      const files = writeScaffold(path.resolve(cwd, directory), exampleFiles(name), { force });
      const { install, run, start } = packageManagerOf(cwd, env);
      const next = [`cd ${shellWord(directory)}`, install, `${run} isotrace run -- ${start}`];
      if (terminal.json) {
        terminal.value({ example: name, directory: path.resolve(cwd, directory), files, next });
        return;
      }
      printFiles(terminal, files);
      terminal.line();
      terminal.line(terminal.style('bold', 'Next'));
      for (const command of next) terminal.line(`  ${printable(command)}`);
    });
}

/** To be pasted into a POSIX shell. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
