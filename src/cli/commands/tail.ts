import { setTimeout as pause } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { describeError } from '../../utils/errors.ts';
import { type CliHost, CommandError, EXIT } from '../cli-host.ts';
import { readEvents } from '../event-stream.ts';
import { formatItem, itemsOf, type LiveUpdate, TAIL_FORMATS, type TailFormat } from '../tail-format.ts';
import { printable } from '../terminal.ts';
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
const NO_DASHBOARD = 'what answers there is no dashboard';

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
        if (!connected) terminal.note(`following ${printable(flags.url)}`);
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
    if (signal.aborted) return;
    if (!connected) throw new CommandError(NO_DASHBOARD);
    terminal.note('the dashboard is away; waiting for it');
    await pause(RETRY_MILLIS, undefined, { signal }).catch(() => undefined);
  }
}

/** Throws a `CommandError` for what another attempt does not mend. */
async function connect({ env, signal }: CliHost, flags: TailFlags, cursor: string) {
  const url = liveUrl(flags, cursor);
  const token = env['ISOTRACE_DASHBOARD_TOKEN'];
  const headers = token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(url, { signal, headers, redirect: 'manual' }).catch((error: unknown) => {
    // Later ones may only be away.
    if (cursor !== '') throw error;
    throw new CommandError(unreachable(url, error));
  });
  if (response.status >= 300 && response.status < 400) {
    throw new CommandError(`${url.origin} leads elsewhere: ${response.headers.get('location') ?? response.status}`);
  }
  if (!response.ok || response.body === null) {
    const told = await problemOf(response);
    // As a proxy does before a dashboard that is being started.
    if (cursor !== '' && response.status >= 500) throw new Error(told);
    if (response.status !== 401) throw new CommandError(`the dashboard answers: ${told}`);
    throw new CommandError('the dashboard wants a token: set ISOTRACE_DASHBOARD_TOKEN');
  }
  if (!/^text\/event-stream\b/.test(response.headers.get('content-type') ?? '')) throw new CommandError(NO_DASHBOARD);
  return readEvents(response.body, signal);
}

function unreachable({ origin }: URL, error: unknown): string {
  const { cause } = error as { readonly cause?: { readonly code?: string } };
  if (cause?.code === 'ECONNREFUSED') return `no dashboard listens at ${origin}; "isotrace dashboard" starts one`;
  return `${origin} cannot be reached: ${describeError(cause ?? error)}`;
}

function liveUrl({ url, tenant, query, logs }: TailFlags, cursor: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  if (base === undefined || !/^https?:$/.test(base.protocol))
    throw new CommandError(`${url} is no http URL`, EXIT.usage);
  if (base.username !== '' || base.password !== '') {
    throw new CommandError(
      'no user name or password in the URL: a token is taken from ISOTRACE_DASHBOARD_TOKEN',
      EXIT.usage,
    );
  }
  const live = new URL('/api/v1/live', base);
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
