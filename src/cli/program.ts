import { Command, CommanderError } from 'commander';
import { describeError } from '../utils/errors.ts';
import { VERSION } from '../utils/version.ts';
import { type CliHost, CommandError, EXIT, type Outcome } from './cli-host.ts';
import { benchCommand } from './commands/bench.ts';
import { configCommand } from './commands/config.ts';
import { dashboardCommand } from './commands/dashboard.ts';
import { doctorCommand } from './commands/doctor.ts';
import { exampleCommand } from './commands/example.ts';
import { initCommand } from './commands/init.ts';
import { runCommand } from './commands/run.ts';
import { tailCommand } from './commands/tail.ts';
import { printable } from './terminal.ts';

/** Runs the command line and resolves with its exit code: 0 good, 1 problems found, 2 wrong usage. Never rejects. */
export async function runCli(args: readonly string[], host: CliHost): Promise<number> {
  const { terminal } = host;
  const outcome = { exitCode: EXIT.good as number };
  const program = createProgram(host, outcome);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return outcome.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.good;
      if (asksForJson(args)) terminal.value({ error: error.message.replace(/^error: /, '') });
      return EXIT.usage;
    }
    const code = error instanceof CommandError ? error.exitCode : EXIT.problems;
    const message = error instanceof CommandError ? error.message : describeError(error);
    if (terminal.json) terminal.value({ error: message });
    else terminal.note(`${terminal.style('red', 'error')} ${printable(message)}`);
    return code;
  }
}

/** Whether it does, though the command line was not understood. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end < 0 ? undefined : end).includes('--json');
}

/** Makes a command, whose action tells by `outcome` what it came to. */
type DefineCommand = (host: CliHost, outcome: Outcome) => Command;

const COMMANDS: readonly DefineCommand[] = [
  initCommand,
  exampleCommand,
  doctorCommand,
  configCommand,
  dashboardCommand,
  tailCommand,
  runCommand,
  benchCommand,
];

function createProgram(host: CliHost, outcome: Outcome): Command {
  const { terminal } = host;
  const program = new Command('isotrace')
    .description('Gives every tenant of a Node.js process its own OpenTelemetry.')
    .version(VERSION)
    .helpCommand(false)
    .enablePositionalOptions();
  for (const define of COMMANDS) {
    const command = define(host, outcome).option('--json', 'print results as JSON');
    program.addCommand(
      command.hook('preAction', (_this, action) => {
        if (action.opts()['json'] === true) terminal.useJson();
      }),
    );
  }
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .configureOutput({
        writeOut: (text) => terminal.line(text.trimEnd()),
        // It repeats what was typed.
        writeErr: (text) => terminal.note(text.trimEnd().split('\n').map(printable).join('\n')),
      })
      .showHelpAfterError('(see --help)');
  }
  return program;
}
