import { copyAttributeValue } from '../utils/attribute-value.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import {
  type Field,
  type Fields,
  matching,
  numberThat,
  optional,
  readFields,
  readMessageFields,
  required,
} from '../utils/message-fields.ts';
import { oneOf, text } from '../utils/option-checks.ts';
import { type Check, elementsOf, isOptionsObject, OptionReader } from '../utils/option-reader.ts';
import { describeKind } from '../utils/secret.ts';
import { parseTraceparent } from '../utils/traceparent.ts';
import type { Command, CommandAttributes, CommandError, CommandOf, CommandType, LogItem } from './command.ts';

const MAX_LOGS = 1_000;
const MAX_KEYS = 1_024;
const MAX_TEXT = 65_536;
/** A day. */
const MAX_TIMEOUT_MILLIS = 86_400_000;
const METRIC_NAME = /^[a-z][\w./-]{0,254}$/i;
const UNIT = /^[\x20-\x7e]{0,63}$/;

const LABEL = text(1_024);
const ID = text(128);
const NUMBER = numberThat('a finite number', Number.isFinite);
const TIME = numberThat('milliseconds since the epoch', (value) => value >= 0 && value < Number.MAX_SAFE_INTEGER);
const TIMEOUT = numberThat(`0 to ${MAX_TIMEOUT_MILLIS}`, (value) => value >= 0 && value <= MAX_TIMEOUT_MILLIS);
const ATTRIBUTES: Check<CommandAttributes> = {
  accepted: `an object of up to ${MAX_KEYS} texts, numbers, booleans, or lists and objects of these`,
  parse: readAttributes,
  describe: describeKind,
};
const MESSAGE: Check<string> = {
  accepted: 'a string',
  parse: (value) => (typeof value === 'string' ? value : undefined),
  describe: describeKind,
};
const ERROR: Check<string | CommandError> = {
  accepted: 'a string, or an object with message and, if it has them, type and stack',
  parse: readError,
  describe: describeKind,
};
const TRACEPARENT: Check<string> = {
  accepted: 'a traceparent (W3C Trace Context)',
  parse: (value) => (parseTraceparent(value) === undefined ? undefined : String(value)),
};

const MEASUREMENT = {
  name: required(matching('a letter, then up to 254 letters, digits, _, ., - and /', METRIC_NAME)),
  value: required(NUMBER),
  unit: optional(matching('up to 63 ASCII characters', UNIT)),
  attributes: optional(ATTRIBUTES),
};
const LOG: Fields<LogItem> = {
  message: required(MESSAGE),
  severity: optional(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal')),
  attributes: optional(ATTRIBUTES),
  timeMillis: optional(TIME),
  inSpan: optional(ID),
};
const LOG_KEYS: ReadonlySet<string> = new Set(Object.keys(LOG));

const FIELDS: { readonly [T in CommandType]: Fields<CommandOf<T>> } = {
  initialize: {},
  shutdown: { timeoutMillis: optional(TIMEOUT) },
  flush: { timeoutMillis: optional(TIMEOUT) },
  recordMetric: MEASUREMENT,
  recordCounter: {
    ...MEASUREMENT,
    value: optional(
      numberThat('a finite number that is not negative', (value) => value >= 0 && value < Number.POSITIVE_INFINITY),
    ),
  },
  recordGauge: MEASUREMENT,
  recordHistogram: MEASUREMENT,
  emitLog: LOG,
  emitLogs: { logs: readLogs },
  startSpan: {
    name: required(LABEL),
    id: optional(ID),
    parentId: optional(ID),
    traceparent: (reader, key) => {
      const isDouble = reader.get(key) !== undefined && reader.get('parentId') !== undefined;
      if (isDouble) reader.issues.add(reader.pathOf(key), 'none beside parentId', 'both');
      return reader.read(key, TRACEPARENT);
    },
    kind: optional(oneOf('internal', 'server', 'client', 'producer', 'consumer')),
    attributes: optional(ATTRIBUTES),
    timeMillis: optional(TIME),
  },
  endSpan: { id: required(ID), error: optional(ERROR), timeMillis: optional(TIME) },
  addSpanEvent: {
    id: required(ID),
    name: required(LABEL),
    attributes: optional(ATTRIBUTES),
    timeMillis: optional(TIME),
  },
};

export function isCommandType(type: string): type is CommandType {
  return Object.hasOwn(FIELDS, type);
}

/** A command of a known type, copied; or all that is wrong with it. Never throws. */
export function readCommand(
  type: CommandType,
  given: unknown,
): { readonly command: Command } | { readonly issues: readonly ConfigIssue[] } {
  const read = readMessageFields(FIELDS[type] as Readonly<Record<string, Field<unknown>>>, given);
  return 'issues' in read ? read : { command: { type, ...read.values } as unknown as Command };
}

function readLogs(reader: OptionReader, key: string): readonly LogItem[] | undefined {
  const { issues } = reader;
  const path = reader.pathOf(key);
  const given = reader.get(key);
  const elements = elementsOf(given, MAX_LOGS);
  if (elements === undefined || elements.length === 0) {
    issues.add(path, `an array of 1 to ${MAX_LOGS} log records`, describeKind(given));
    return undefined;
  }
  return elements.map((element, index) => {
    const item = OptionReader.open(element ?? null, `${path}[${index}]`, LOG_KEYS, issues);
    return (item && readFields(item, LOG)) as unknown as LogItem;
  });
}

/** A copy that is plain data, whatever was given; the tenant's own limits hold where it is used. */
function readAttributes(value: unknown): CommandAttributes | undefined {
  if (!isOptionsObject(value)) return undefined;
  const entries = Object.entries(value as CommandAttributes).filter(([, item]) => item !== undefined);
  const copies = entries.map(([key, item]) => [key, copyAttributeValue(item, MAX_TEXT)] as const);
  if (copies.length > MAX_KEYS || copies.some(([, copy]) => copy === undefined)) return undefined;
  return Object.fromEntries(copies) as CommandAttributes;
}

function readError(value: unknown): string | CommandError | undefined {
  if (typeof value === 'string') return value;
  if (!isOptionsObject(value)) return undefined;
  const { message, type, stack } = value as CommandError;
  const texts: unknown[] = [message, type ?? '', stack ?? ''];
  return texts.every((item) => typeof item === 'string') ? { message, type, stack } : undefined;
}
