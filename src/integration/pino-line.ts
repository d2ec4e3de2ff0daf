import type { LogEntry } from '../processing/log-entry.ts';
import { LOG_LEVELS, SEVERITIES, SEVERITY_TEXTS } from '../processing/log-record.ts';
import { severityOf } from './log-sink.ts';

/** How lines are to be read; as in the logger's own options. */
export interface PinoLineSettings {
  readonly messageKey: string;
  readonly errorKey: string;
}

/** What a line says. */
export interface PinoLine {
  readonly entry: LogEntry;
  /** The logger's `name`. */
  readonly name: string | undefined;
}

/** In the resource already. */
const PROCESS_KEYS: ReadonlySet<string> = new Set(['pid', 'hostname']);
const LINE_KEYS: ReadonlySet<string> = new Set(['level', 'time', 'name', ...PROCESS_KEYS]);

/** Reads a line that pino wrote, after its own redaction and serializers. A line that is no JSON is a message. */
export function parsePinoLine(line: string, { errorKey, messageKey }: PinoLineSettings): PinoLine {
  const fields = parse(line);
  if (fields === undefined)
    return { entry: { severityNumber: 0, severityText: undefined, body: line }, name: undefined };
  const { level, name, time } = fields;
  const error = fields[errorKey];
  const exception = isRecord(error) ? exceptionOf(error) : undefined;
  const rest = Object.entries(fields).filter(([key]) => {
    return key !== messageKey && !LINE_KEYS.has(key) && !(exception !== undefined && key === errorKey);
  });
  const severityNumber = severityOfLevel(level);
  return {
    entry: {
      severityNumber,
      severityText: typeof level === 'string' ? level.toUpperCase() : textOf(severityNumber),
      body: fields[messageKey] ?? exception?.['exception.message'],
      attributes: { ...exception, ...Object.fromEntries(rest) },
      ...(time !== undefined && { time: timeOf(time) }),
    },
    name: typeof name === 'string' ? name : undefined,
  };
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const fields: unknown = JSON.parse(line);
    return isRecord(fields) ? fields : undefined;
  } catch {
    return undefined;
  }
}

/** By the semantic conventions what pino's serializer of errors says. */
function exceptionOf({ message, stack, type, ...more }: Record<string, unknown>): Record<string, unknown> | undefined {
  if (typeof message !== 'string' && typeof stack !== 'string') return undefined;
  const { code } = more;
  return {
    ...(typeof type === 'string' && { 'exception.type': type }),
    ...(typeof message === 'string' && { 'exception.message': message }),
    ...(typeof stack === 'string' && { 'exception.stacktrace': stack }),
    ...((typeof code === 'string' || typeof code === 'number') && { 'error.code': code }),
  };
}

function severityOfLevel(level: unknown): number {
  if (typeof level === 'number') return severityOf(level);
  const name = LOG_LEVELS.find((known) => known === level);
  return name === undefined ? 0 : SEVERITIES[name];
}

function textOf(severityNumber: number): string | undefined {
  const known = LOG_LEVELS.find((level) => SEVERITIES[level] === severityNumber);
  return known && SEVERITY_TEXTS[known];
}

/** Milliseconds since the epoch, or the text of a date; as pino's `timestamp` functions write them. */
function timeOf(time: unknown): Date | undefined {
  const date = typeof time === 'number' || typeof time === 'string' ? new Date(time) : undefined;
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
