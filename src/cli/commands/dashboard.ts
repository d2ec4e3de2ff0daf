import { Command, InvalidArgumentError } from 'commander';
import type { ConfigIssue } from '../../utils/errors.ts';
import { type CliHost, CommandError, type DashboardChoices, EXIT, type RunningDashboard } from '../cli-host.ts';
import { wholeNumber } from '../whole-number.ts';

export interface DashboardFlags {
  readonly port: number;
  readonly host: string;
  readonly data?: string;
  readonly maxBytes?: number;
  readonly tenantHeader?: string;
  readonly tenantAttribute?: string;
}

/** Starts the dashboard and keeps it until the user stops it. */
export function dashboardCommand(host: CliHost): Command {
  return withDashboardOptions(
    new Command('dashboard').description('receive OTLP and show it, tenant by tenant'),
  ).action(async (flags: DashboardFlags) => {
    const { signal, terminal } = host;
    const dashboard = await openDashboard(host, flags);
    if (terminal.json) terminal.value({ url: dashboard.url, port: dashboard.port });
    else {
      terminal.line(`${terminal.style('bold', 'isotrace dashboard')}  ${dashboard.url}`);
      terminal.line(`send OTLP to it  OTEL_EXPORTER_OTLP_ENDPOINT=${dashboard.url}`);
      terminal.note('stop with Ctrl+C');
    }
    await stopped(signal);
    await dashboard.close();
  });
}

export function withDashboardOptions(command: Command): Command {
  return command
    .option(
      '--port <number>',
      'port to listen on, 0 for any free one',
      wholeNumber(0, 65_535, 'A port is a number from 0 to 65535.'),
      4318,
    )
    .option('--host <address>', 'address to listen on; others than loopback need ISOTRACE_DASHBOARD_TOKEN', '127.0.0.1')
    .option('--data <directory>', 'keep telemetry there across restarts')
    .option('--max-bytes <number>', 'memory for telemetry, such as 512MiB', parseBytes)
    .option('--tenant-header <name>', 'header of a request that names its tenant')
    .option('--tenant-attribute <name>', 'resource attribute that names the tenant');
}

/** A token is taken from a variable only: arguments can be read by every user of the machine. */
export async function openDashboard(
  { startDashboard, env }: CliHost,
  flags: DashboardFlags,
): Promise<RunningDashboard> {
  const token = env['ISOTRACE_DASHBOARD_TOKEN'];
  const { port, host, data, maxBytes, tenantHeader, tenantAttribute } = flags;
  const choices: DashboardChoices = {
    port,
    host,
    ...(data !== undefined && { directory: data }),
    ...(maxBytes !== undefined && { maxBytes }),
    ...(tenantHeader !== undefined && { tenantHeader }),
    ...(tenantAttribute !== undefined && { tenantAttribute }),
    ...(token !== undefined && token !== '' && { token }),
  };
  try {
    return await startDashboard(choices);
  } catch (error) {
    const { code, issues = [] } = error as { readonly code?: string; readonly issues?: readonly ConfigIssue[] };
    if (code === 'config_invalid') throw new CommandError(issues.map(describeIssue).join('; '), EXIT.usage);
    if (code !== 'EADDRINUSE') throw error;
    throw new CommandError(`port ${port} is in use; another one can be given with --port, or 0 for any free one`);
  }
}

/** What the user calls the dashboard's options. */
const FLAGS: Readonly<Record<string, string>> = {
  token: 'ISOTRACE_DASHBOARD_TOKEN',
  directory: '--data',
  maxBytes: '--max-bytes',
  tenantHeader: '--tenant-header',
  tenantAttribute: '--tenant-attribute',
};

function describeIssue({ option, accepted, received }: ConfigIssue): string {
  const [name = ''] = option.split(/[.[]/);
  return `${FLAGS[name] ?? `--${name}`}: ${accepted} (received: ${received})`;
}

export function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

const UNITS: Readonly<Record<string, number>> = { '': 1, kib: 1_024, mib: 1_024 ** 2, gib: 1_024 ** 3 };

function parseBytes(text: string): number {
  const [, digits, unit] = /^(\d{1,12})\s*(kib|mib|gib)?$/i.exec(text) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('Such as 268435456, 512MiB or 2GiB.');
  return Number(digits) * (UNITS[unit?.toLowerCase() ?? ''] as number);
}
