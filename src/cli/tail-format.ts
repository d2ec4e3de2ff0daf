import { cutString } from '../utils/cut-string.ts';
import { printable, type Terminal, toJson } from './terminal.ts';

/** A trace or a log record, as the dashboard's live events have it. */
export interface TailItem {
  readonly signal: 'trace' | 'log';
  readonly tenant: string;
  readonly service: string;
  readonly timeMillis: number;
  /** The root span's name, or the log record's body. */
  readonly text: string;
  /** `ok` or `error`, or the log record's level. */
  readonly level: string;
  readonly traceId: string;
  readonly durationMillis?: number;
  readonly spans?: number;
  readonly errors?: number;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

export const TAIL_FORMATS = ['pretty', 'json', 'logfmt', 'md'] as const;
export type TailFormat = (typeof TAIL_FORMATS)[number];

interface LiveTrace {
  readonly tenant: string;
  readonly traceId: string;
  readonly name: string;
  readonly service: string;
  readonly startMillis: number;
  readonly durationNanos: number;
  readonly spans: number;
  readonly errors: number;
}

interface LiveLog {
  readonly tenant: string;
  readonly service: string;
  readonly timeUnixNano: string;
  readonly observedTimeUnixNano: string;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: unknown;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly traceId: string;
}

export interface LiveUpdate {
  readonly traces: readonly LiveTrace[];
  readonly logs: readonly LiveLog[];
  readonly skipped: number;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const COLOURS = { error: 'red', fatal: 'red', warn: 'yellow', ok: 'green' } as const;
const NANOS_PER_MILLI = 1e6;
const MAX_PRETTY_LENGTH = 500;

/** What an update tells, the oldest first. */
export function itemsOf({ traces, logs }: LiveUpdate): TailItem[] {
  const items = [...traces.map(ofTrace), ...logs.map(ofLog)];
  return items.sort((left, right) => left.timeMillis - right.timeMillis);
}

function ofTrace({ tenant, service, startMillis, name, traceId, durationNanos, spans, errors }: LiveTrace): TailItem {
  return {
    signal: 'trace',
    tenant,
    service,
    timeMillis: startMillis,
    text: name,
    level: errors > 0 ? 'error' : 'ok',
    traceId,
    durationMillis: durationNanos / NANOS_PER_MILLI,
    spans,
    errors,
  };
}

function ofLog(log: LiveLog): TailItem {
  const { tenant, service, severityNumber, severityText, body, traceId, attributes } = log;
  const nanos = log.timeUnixNano === '0' ? log.observedTimeUnixNano : log.timeUnixNano;
  const level =
    LEVELS[Math.ceil(severityNumber / 4) - 1] ?? (severityText === '' ? 'unset' : severityText.toLowerCase());
  const timeMillis = Number(BigInt(nanos) / BigInt(NANOS_PER_MILLI));
  const text = typeof body === 'string' ? body : toJson(body);
  return { signal: 'log', tenant, service, timeMillis, text, level, traceId, attributes };
}

/** One line for one item, safe for a terminal. */
export function formatItem(item: TailItem, format: TailFormat, terminal: Terminal): string {
  if (format === 'json') return toJson({ ...item, time: timeOf(item) });
  if (format === 'logfmt') return formatLogfmt(item);
  return format === 'md' ? formatMarkdown(item) : formatPretty(item, terminal);
}

function formatPretty(item: TailItem, terminal: Terminal): string {
  const { tenant, service, level, text, durationMillis, spans, traceId } = item;
  const colour = COLOURS[level as keyof typeof COLOURS];
  const shown = printable(level).padEnd(5);
  const details =
    durationMillis === undefined
      ? ''
      : `  ${formatDuration(durationMillis)}  ${spans} ${spans === 1 ? 'span' : 'spans'}`;
  return [
    terminal.style('dim', timeOf(item).slice(11, 23)),
    colour === undefined ? shown : terminal.style(colour, shown),
    terminal.style('cyan', printable(tenant)),
    printable(service),
    `${printable(shorten(text))}${details}${traceId === '' ? '' : terminal.style('dim', `  ${printable(traceId.slice(0, 8))}`)}`,
  ].join('  ');
}

/** Somebody reads it: the other formats have all of it. */
function shorten(text: string): string {
  return text.length > MAX_PRETTY_LENGTH ? `${cutString(text, MAX_PRETTY_LENGTH)}…` : text;
}

function formatLogfmt(item: TailItem): string {
  const { attributes, timeMillis: _time, ...fields } = item;
  const pairs = Object.entries({ time: timeOf(item), ...fields, ...prefixed(attributes) });
  return pairs
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([key, value]) => `${printable(key).replace(/[\s="]/g, '_')}=${logfmtValue(value)}`)
    .join(' ');
}

function logfmtValue(value: unknown): string {
  const text = typeof value === 'string' ? value : toJson(value);
  return /^[\w.:/@+-]+$/.test(text) ? text : toJson(text);
}

function formatMarkdown(item: TailItem): string {
  const { tenant, service, level, text, durationMillis, traceId } = item;
  const duration = durationMillis === undefined ? '' : ` (${formatDuration(durationMillis)})`;
  const trace = traceId === '' ? '' : ` \`${markdown(traceId)}\``;
  return `- ${timeOf(item)} **${markdown(tenant)}** ${markdown(service)} _${markdown(level)}_ ${markdown(text)}${duration}${trace}`;
}

/** Nothing in the text is markup. */
function markdown(text: string): string {
  return printable(text).replace(/[\\`*_[\]<>#|~&!]/g, '\\$&');
}

function prefixed(attributes: TailItem['attributes'] = {}): Record<string, unknown> {
  return Object.fromEntries(Object.entries(attributes).map(([key, value]) => [`attr.${key}`, value]));
}

function timeOf({ timeMillis }: TailItem): string {
  return Math.abs(timeMillis) <= 8.64e15 ? new Date(timeMillis).toISOString() : String(timeMillis);
}

function formatDuration(millis: number): string {
  if (millis < 1) return `${(millis * 1_000).toFixed(0)} µs`;
  return millis < 1_000 ? `${millis.toFixed(1)} ms` : `${(millis / 1_000).toFixed(2)} s`;
}
