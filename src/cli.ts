#!/usr/bin/env node
import { runCli } from './cli/program.ts';
import { Terminal } from './cli/terminal.ts';
import { checkCompatVariables } from './compat/check-variables.ts';
import { processVariables } from './infra/environment.ts';

const { stdin, stdout, stderr } = process;
const env = processVariables();
const terminal = new Terminal({ stdout, stderr, env });
const controller = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
// A reader such as `head` that has had enough is no error.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
});

process.exitCode = await runCli(process.argv.slice(2), {
  terminal,
  stdin,
  isInteractive: terminal.interactive && stdin.isTTY === true,
  env,
  cwd: process.cwd(),
  signal: controller.signal,
  startDashboard: async (choices) => (await import('./dashboard/server/start-dashboard.ts')).startDashboard(choices),
  checkVariables: checkCompatVariables,
});
