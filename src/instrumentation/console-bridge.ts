import { format, types } from 'node:util';
import { createLogSink, type LogSinkTarget } from '../integration/log-sink.ts';
import { type LogLevel, SEVERITIES } from '../processing/log-record.ts';

/** The methods of a console that are bridged, and the level of each. */
const LEVELS = {
  trace: 'trace',
  debug: 'debug',
  log: 'info',
  info: 'info',
  warn: 'warn',
  error: 'error',
} as const satisfies Record<string, LogLevel>;

/** Methods of the console that can become log records. */
export type ConsoleMethod = keyof typeof LEVELS;

/** What is bridged of a console. */
export type ConsoleLike = { [Method in ConsoleMethod]: (...args: unknown[]) => void };

/** What of the console becomes log records. */
export interface ConsoleBridgeOptions {
  /** Which methods. Default: all six. */
  readonly methods?: readonly ConsoleMethod[] | undefined;
  /** Default: the global one. */
  readonly console?: ConsoleLike | undefined;
}

const LOGGER = 'console';

/**
 * Opt-in: what is written to the console becomes a log record as well, with a registry of the tenant that the code works
 * for. The console goes on writing as before. Answers a function that takes the bridge out again; methods that somebody
 * else has replaced meanwhile are left to them, and bridge nothing any more.
 */
export function bridgeConsole(target: LogSinkTarget, options: ConsoleBridgeOptions = {}): () => void {
  try {
    return bridge(target, options ?? {});
  } catch {
    return () => undefined;
  }
}

function bridge(target: LogSinkTarget, options: ConsoleBridgeOptions): () => void {
  const bridged = options.console ?? (globalThis.console as ConsoleLike);
  const methods = options.methods ?? (Object.keys(LEVELS) as ConsoleMethod[]);
  const sink = createLogSink(target);
  let isOpen = true;
  let isBusy = false;

  function record(level: LogLevel, args: readonly unknown[]): void {
    // What we do with it may itself be written to the console.
    if (!isOpen || isBusy) return;
    isBusy = true;
    try {
      const severityNumber = SEVERITIES[level];
      const exception = args.find((arg) => types.isNativeError(arg));
      sink({ severityNumber, severityText: level.toUpperCase(), body: formatSafely(args), exception }, LOGGER);
    } finally {
      isBusy = false;
    }
  }

  const undo = methods
    .filter((method) => method in LEVELS && typeof bridged[method] === 'function')
    .map((method) => {
      const own = bridged[method];
      const replacement = (...args: unknown[]): void => {
        own.apply(bridged, args);
        record(LEVELS[method], args);
      };
      bridged[method] = replacement;
      return () => {
        if (bridged[method] === replacement) bridged[method] = own;
      };
    });
  return () => {
    isOpen = false;
    for (const back of undo) back();
  };
}

function formatSafely(args: readonly unknown[]): string {
  try {
    return format(...args);
  } catch {
    return 'a value that cannot be shown';
  }
}
