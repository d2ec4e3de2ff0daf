import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { Command } from 'commander';
import { type CliHost, CommandError, EXIT, type Outcome } from '../cli-host.ts';
import { printable } from '../terminal.ts';
import { type DashboardFlags, openDashboard, withDashboardOptions } from './dashboard.ts';

interface RunFlags extends DashboardFlags {
  readonly service?: string;
}

/** Runs a program whose telemetry goes to a dashboard of its own; ends as the program does. */
export function runCommand(host: CliHost, outcome: Outcome): Command {
  const command = new Command('run')
    .description('start the dashboard, and a program that sends its telemetry there')
    .argument('<command...>', 'the program and its arguments, after --')
    .passThroughOptions()
    .option('--service <name>', 'OTEL_SERVICE_NAME of the program');
  return withDashboardOptions(command).action(async ([file = '', ...args]: string[], flags: RunFlags) => {
    const { terminal, env, cwd, signal } = host;
    const dashboard = await openDashboard(host, flags);
    try {
      terminal.note(`${terminal.style('bold', 'isotrace dashboard')}  ${dashboard.url}`);
      const child = spawn(file, args, {
        cwd,
        env: { ...env, ...variables(dashboard.url, flags.service, env) },
        stdio: 'inherit',
      });
      // The program gets Ctrl+C from the terminal itself; a signal to this process alone is passed on.
      const stop = (): void => void child.kill('SIGTERM');
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      const [code, killedBy] = await ended(child, file);
      signal.removeEventListener('abort', stop);
      outcome.exitCode = code ?? 128 + (constants.signals[killedBy as NodeJS.Signals] ?? 0);
    } finally {
      await dashboard.close();
    }
  });
}

async function ended(child: ReturnType<typeof spawn>, file: string): Promise<[number | null, string | null]> {
  try {
    return (await once(child, 'close')) as [number | null, string | null];
  } catch (error) {
    throw new CommandError(`${printable(file)} cannot be started: ${(error as Error).message}`, EXIT.usage);
  }
}

/** A program that sends at its end only would lose what it has when it ends sooner: batches are short here. */
function variables(url: string, service: string | undefined, env: CliHost['env']): Record<string, string> {
  const token = env['ISOTRACE_DASHBOARD_TOKEN'];
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    ISOTRACE_ENDPOINT: url,
    ISOTRACE_PROTOCOL: 'http/protobuf',
    OTEL_BSP_SCHEDULE_DELAY: env['OTEL_BSP_SCHEDULE_DELAY'] ?? '500',
    ...(service !== undefined && { OTEL_SERVICE_NAME: service }),
    ...(token !== undefined &&
      token !== '' && { OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${encodeURIComponent(token)}` }),
  };
}
