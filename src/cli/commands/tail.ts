import { setTimeout as pause } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { type CliHost, CommandError } from '../cli-host.ts';
import { readEvents } from '../event-stream.ts';
import { formatItem, itemsOf, type LiveUpdate, TAIL_FORMATS, type TailFormat } from '../tail-format.ts';
import { wholeNumber } from '../whole-number.ts';

interface TailFlags {
  readonly url: string;
  readonly tenant?: string;
  readonly query: string;
  readonly logs: string;
  readonly only?: 'traces' | 'logs';
  readonly format: TailFormat;
  readonly lines: number;
}

const RETRY_MILLIS = 1_000;

/** Follows a dashboard's live events in the terminal. */
export function tailCommand(host: CliHost): Command {
  return new Command('tail')
    .description('follow what comes in at a dashboard')
    .option('--url <url>', 'the dashboard', 'http://127.0.0.1:4318')
    .option('--tenant <ids>', 'only these tenants, with commas between')
    .option('--query <query>', 'only traces that match, such as "service:api status:error dur>200ms"', '')
    .option('--logs <query>', 'only log records that match', '')
    .addOption(new Option('--only <signal>', 'only traces or only logs').choices(['traces', 'logs']))
    .addOption(new Option('-f, --format <format>', 'how items are printed').choices(TAIL_FORMATS).default('pretty'))
    .option(
      '-n, --lines <number>',
      'stop after so many',
      wholeNumber(1, 999_999_999, 'A whole number above 0.'),
      Number.POSITIVE_INFINITY,
    )
    .action((flags: TailFlags) => follow(host, flags));
}

async function follow(host: CliHost, flags: TailFlags): Promise<void> {
  const { signal, terminal } = host;
  const format = terminal.json ? 'json' : flags.format;
  let cursor = '';
  let left = flags.lines;
  let connected = false;
  while (!signal.aborted && left > 0) {
    try {
      for await (const { id, name, data } of await connect(host, flags, cursor)) {
        // The first event says from where on: what comes in from now is told.
        if (!connected) terminal.note(`following ${flags.url}`);
        connected = true;
        cursor = id ?? cursor;
        if (name !== 'update') continue;
        const update = JSON.parse(data) as LiveUpdate;
        for (const item of itemsOf(update)) {
          if (left <= 0) break;
          if (flags.only !== undefined && flags.only !== `${item.signal}s`) continue;
          terminal.line(formatItem(item, format, terminal));
          left -= 1;
        }
        if (update.skipped > 0) terminal.note(`${update.skipped} more came in than can be shown`);
        if (left <= 0 || signal.aborted) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof CommandError || !connected) throw error;
    }
    terminal.note('the dashboard is away; waiting for it');
    await pause(RETRY_MILLIS, undefined, { signal }).catch(() => undefined);
  }
}

/** Throws a `CommandError` for what another attempt does not mend. */
async function connect({ env, signal }: CliHost, flags: TailFlags, cursor: string) {
  const url = liveUrl(flags, cursor);
  const token = env['ISOTRACE_DASHBOARD_TOKEN'];
  const headers = token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(url, { signal, headers, redirect: 'error' }).catch((error: unknown) => {
    const { cause } = error as { cause?: { code?: string } };
    if (cause?.code !== 'ECONNREFUSED' || cursor !== '') throw error;
    throw new CommandError(`no dashboard listens at ${url.origin}; "isotrace dashboard" starts one`);
  });
  if (!response.ok || response.body === null) {
    const told = await problemOf(response);
    if (response.status !== 401) throw new CommandError(`the dashboard answers: ${told}`);
    throw new CommandError('the dashboard wants a token: set ISOTRACE_DASHBOARD_TOKEN');
  }
  return readEvents(response.body, signal);
}

function liveUrl({ url, tenant, query, logs }: TailFlags, cursor: string): URL {
  let live: URL;
  try {
    live = new URL('/api/v1/live', url);
  } catch {
    throw new CommandError(`${url} is not a URL`, 2);
  }
  live.searchParams.set('query', query);
  live.searchParams.set('logs', logs);
  if (tenant !== undefined) live.searchParams.set('tenant', tenant);
  if (cursor !== '') live.searchParams.set('cursor', cursor);
  return live;
}

async function problemOf(response: Response): Promise<string> {
  const text = (await response.text()).slice(0, 1_000);
  try {
    return String((JSON.parse(text) as { error?: { message?: unknown } }).error?.message ?? response.status);
  } catch {
    return String(response.status);
  }
}
