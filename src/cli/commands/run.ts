import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Command } from 'commander';
import { type CliHost, CommandError, EXIT, type Outcome } from '../cli-host.ts';
import { exitCodeOf } from '../process-signals.ts';
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
    const { signal, terminal } = host;
    const dashboard = await openDashboard(host, flags);
    try {
      terminal.note(`${terminal.style('bold', 'isotrace dashboard')}  ${dashboard.url}`);
      if (signal.aborted) throw new CommandError('stopped; the program was not started');
      outcome.exitCode = await runProgram(host, file, args, programVariables(dashboard.url, flags.service, host.env));
    } finally {
      await dashboard.close();
    }
  });
}

/** Resolves with what a shell would say that it ended with. */
async function runProgram(host: CliHost, file: string, args: readonly string[], env: CliHost['env']): Promise<number> {
  const child = spawn(file, args, { cwd: host.cwd, env, stdio: 'inherit' });
  const release = host.takeSignals((signal) => {
    const isThereAlready = host.hasTerminal && (signal === 'SIGINT' || signal === 'SIGQUIT');
    if (!isThereAlready) child.kill(signal);
  });
  try {
    const [code, killedBy] = await ended(child, file);
    return code ?? exitCodeOf(killedBy ?? 'SIGTERM');
  } finally {
    release();
  }
}

async function ended(child: ReturnType<typeof spawn>, file: string): Promise<[number | null, NodeJS.Signals | null]> {
  try {
    return (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  } catch (error) {
    throw new CommandError(`${printable(file)} cannot be started: ${(error as Error).message}`, EXIT.usage);
  }
}

/**
 * The variables of the program: what says where telemetry goes names the dashboard. A program that sends at its end only
 * would lose what it has when it ends sooner: batches are short here.
 */
function programVariables(url: string, service: string | undefined, env: CliHost['env']): CliHost['env'] {
  const token = env['ISOTRACE_DASHBOARD_TOKEN'];
  const kept = Object.entries(env).filter(([name]) => !ELSEWHERE.test(name));
  return {
    ...Object.fromEntries(kept),
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

/** Says where a signal goes, or how it gets there; whether there is any stays as it is. */
const ELSEWHERE =
  /^OTEL_EXPORTER_OTLP_(?:(?:TRACES|METRICS|LOGS)_)?(?:ENDPOINT|HEADERS|PROTOCOL|INSECURE|CERTIFICATE|CLIENT_KEY|CLIENT_CERTIFICATE)$/;
