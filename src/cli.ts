#!/usr/bin/env node
import { ProcessSignals } from './cli/process-signals.ts';
import { runCli } from './cli/program.ts';
import { Terminal } from './cli/terminal.ts';
import { checkCompatVariables } from './compat/check-variables.ts';
import { processVariables } from './infra/environment.ts';

const { stdin, stdout, stderr } = process;
const env = processVariables();
const terminal = new Terminal({ stdout, stderr, env });
const signals = new ProcessSignals();
// A reader such as `head` that has had enough is no error.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') signals.stop();
});
stderr.on('error', () => {});

const exitCode = await runCli(process.argv.slice(2), {
  terminal,
  stdin,
  isInteractive: terminal.interactive && stdin.isTTY === true,
  env,
  cwd: process.cwd(),
  signal: signals.stopped,
  takeSignals: signals.take,
  // Whoever has a terminal gets its Ctrl+C together with the programs that it started.
  hasTerminal: [stdin, stdout, stderr].some(({ isTTY }) => isTTY),
  startDashboard: async (choices) => (await import('./dashboard/server/start-dashboard.ts')).startDashboard(choices),
  checkVariables: checkCompatVariables,
});
// What a module that `doctor` was given has started may go on for ever.
stdout.write('', () => stderr.write('', () => process.exit(exitCode)));
