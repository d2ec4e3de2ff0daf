import type { FlushReport } from '../lifecycle/report.ts';
import type { TracerState } from '../lifecycle/tracer-state.ts';
import type { BusResult, CustomMessage, CustomMessages, CustomValue } from '../utils/bus-result.ts';
import type { ConfigIssue } from '../utils/errors.ts';

/*
 * Every operation on a tenant's telemetry as plain data, which survives structured cloning and JSON. Times are
 * milliseconds since the epoch, with fractions; without one it is now.
 */

/** What attributes can hold here: texts, numbers, booleans, lists of them and plain objects of all these. */
export type CommandValue =
  | string
  | number
  | boolean
  | null
  | readonly CommandValue[]
  | { readonly [key: string]: CommandValue };
/** Attributes of a command; those that are `undefined` count as absent. */
export type CommandAttributes = Readonly<Record<string, CommandValue | undefined>>;

/** Kind of a span. */
export type CommandSpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';
/** Severity of a log record. */
export type CommandSeverity = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** Makes sure that the tenant has a tracer, also after a shutdown. May be repeated. */
export interface InitializeCommand {
  readonly type: 'initialize';
}

/** Delivers what waits and stops. What it stops is an option of the bus. */
export interface ShutdownCommand {
  readonly type: 'shutdown';
  /** How long delivering may take, in milliseconds. Default: the tenant's profile says, 10,000 in the default one. */
  readonly timeoutMillis?: number | undefined;
}

/** Delivers what waits. */
export interface FlushCommand {
  readonly type: 'flush';
  /** How long to wait at most, in milliseconds. Default: the tenant's profile says, 10,000 in the default one. */
  readonly timeoutMillis?: number | undefined;
}

/** A value of one metric. */
interface Measurement {
  /** A letter, then up to 254 letters, digits, `_`, `.`, `-` and `/`. */
  readonly name: string;
  /** A finite number; of a histogram not below 0. */
  readonly value: number;
  /** Up to 63 ASCII characters; that of the first command with this name counts. Default: none. */
  readonly unit?: string | undefined;
  /** Tell series apart. Default: none. */
  readonly attributes?: CommandAttributes | undefined;
}

/** On the instrument that has the name already, else on a gauge. */
export interface RecordMetricCommand extends Measurement {
  readonly type: 'recordMetric';
}

/** Adds to a counter. */
export interface RecordCounterCommand extends Omit<Measurement, 'value'> {
  readonly type: 'recordCounter';
  /** Not negative. Default: 1. */
  readonly value?: number | undefined;
}

/** Sets a gauge. */
export interface RecordGaugeCommand extends Measurement {
  readonly type: 'recordGauge';
}

/** Records a value in a histogram. */
export interface RecordHistogramCommand extends Measurement {
  readonly type: 'recordHistogram';
}

/** One log record. */
export interface LogItem {
  /** The body of the record. */
  readonly message: string;
  /** Default: `info`. */
  readonly severity?: CommandSeverity | undefined;
  /** Attributes of the record. Default: none. */
  readonly attributes?: CommandAttributes | undefined;
  /** When it happened, in milliseconds since the epoch. Default: now. */
  readonly timeMillis?: number | undefined;
  /** The id of an open span that it was logged in. Default: the tenant's active span, of which a worker has none here. */
  readonly inSpan?: string | undefined;
}

/** Emits one log record. */
export interface EmitLogCommand extends LogItem {
  readonly type: 'emitLog';
}

/** Up to 1,000. All of them, or, when something is wrong with one, none. */
export interface EmitLogsCommand {
  readonly type: 'emitLogs';
  /** In the order in which they are recorded. */
  readonly logs: readonly LogItem[];
}

/** Starts a span, which `endSpan` ends. */
export interface StartSpanCommand {
  readonly type: 'startSpan';
  /** Of the span. */
  readonly name: string;
  /** What later commands name the span by, up to 128 characters. Default: its span id, which is answered. */
  readonly id?: string | undefined;
  /** The id of an open span that was started through the same bus. Default: the tenant's active span. */
  readonly parentId?: string | undefined;
  /** W3C Trace Context: continues a trace of the tenant's. Not with `parentId`. Default: none. */
  readonly traceparent?: string | undefined;
  /** Default: `internal`. */
  readonly kind?: CommandSpanKind | undefined;
  /** Of the span. Default: none. */
  readonly attributes?: CommandAttributes | undefined;
  /** When it started, in milliseconds since the epoch. Default: now. */
  readonly timeMillis?: number | undefined;
}

/** Ends an open span. */
export interface EndSpanCommand {
  readonly type: 'endSpan';
  /** The span, by the id that `startSpan` gave or answered. */
  readonly id: string;
  /** Why the span failed: recorded as an exception and as its status. Default: it did not. */
  readonly error?: string | CommandError | undefined;
  /** When it ended, in milliseconds since the epoch. Default: now. */
  readonly timeMillis?: number | undefined;
}

/** An error as plain data. */
export interface CommandError {
  /** What is recorded as the exception's message. */
  readonly message: string;
  /** Such as `TypeError`. Default: none. */
  readonly type?: string | undefined;
  /** The stack trace, as text. Default: none. */
  readonly stack?: string | undefined;
}

/** Adds an event to an open span. */
export interface AddSpanEventCommand {
  readonly type: 'addSpanEvent';
  /** The span, by the id that `startSpan` gave or answered. */
  readonly id: string;
  /** Of the event. */
  readonly name: string;
  /** Of the event. Default: none. */
  readonly attributes?: CommandAttributes | undefined;
  /** Milliseconds since the epoch. Default: now. */
  readonly timeMillis?: number | undefined;
}

/** Every command that isotrace knows. */
export type Command =
  | InitializeCommand
  | ShutdownCommand
  | FlushCommand
  | RecordMetricCommand
  | RecordCounterCommand
  | RecordGaugeCommand
  | RecordHistogramCommand
  | EmitLogCommand
  | EmitLogsCommand
  | StartSpanCommand
  | EndSpanCommand
  | AddSpanEventCommand;

/** What tells commands apart. */
export type CommandType = Command['type'];
/** The command of one type. */
export type CommandOf<T extends CommandType> = Extract<Command, { readonly type: T }>;

/** What is answered to a command of each type. */
export interface CommandValues {
  readonly initialize: InitializedTenant;
  readonly shutdown: FlushReport;
  readonly flush: FlushReport;
  readonly recordMetric: undefined;
  readonly recordCounter: undefined;
  readonly recordGauge: undefined;
  readonly recordHistogram: undefined;
  readonly emitLog: undefined;
  readonly emitLogs: undefined;
  readonly startSpan: StartedSpan;
  readonly endSpan: undefined;
  readonly addSpanEvent: undefined;
}

/** The tenant that commands are executed for. */
export interface InitializedTenant {
  readonly tenantId: string;
  /** `pending` until its configuration has come; it records meanwhile. */
  readonly state: TracerState;
  /** Options of the tenant that were not acceptable; their defaults are in force. */
  readonly issues: readonly ConfigIssue[];
}

/** What `startSpan` answers. */
export interface StartedSpan {
  readonly id: string;
  readonly traceId: string;
  readonly spanId: string;
  /** What continues the trace elsewhere. */
  readonly traceparent: string;
}

/** Why a command was not executed. */
export type CommandFailure =
  /** A field is missing or not acceptable, as `issues` says. */
  | 'invalid'
  /** There is no such command, and none of one's own was registered. */
  | 'unknown_type'
  /** No span of that id is open in this bus. */
  | 'unknown_span'
  /** A span of that id is open already. */
  | 'span_exists'
  /** There is no such tenant, or it has this signal switched off. */
  | 'not_recording'
  /** The bus or the tenant's tracer was shut down. */
  | 'closed'
  /** The handler did not answer in time. */
  | 'timeout'
  /** The handler failed. */
  | 'failed'
  /** Too many commands, or of a client too many that wait for the parent: this one was dropped. */
  | 'queue_full'
  /** The command, or its answer, is not plain data. */
  | 'unserializable'
  /** The parent did not answer in time; it may have executed the command. */
  | 'unanswered'
  /** The channel to the parent has ended; it may have executed the command. */
  | 'channel_closed';

/** What a command came to: its value, or why there is none. */
export type CommandResult<T = unknown> = BusResult<T, CommandFailure>;

/** Takes commands: the bus itself, and the client of one elsewhere. */
export interface CommandDispatcher<Custom extends CustomMessages = Record<never, never>> {
  /** Has a command executed and answers what came of it. Never throws or rejects, whatever it is given. */
  dispatch<C extends Command>(command: C): Promise<CommandResult<CommandValues[C['type']]>>;
  dispatch<K extends keyof Custom & string>(
    command: CustomMessage<Custom, K>,
  ): Promise<CommandResult<CustomValue<Custom, K>>>;
}
