export type {
  AddSpanEventCommand,
  Command,
  CommandAttributes,
  CommandDispatcher,
  CommandError,
  CommandFailure,
  CommandOf,
  CommandResult,
  CommandSeverity,
  CommandSpanKind,
  CommandType,
  CommandValue,
  CommandValues,
  EmitLogCommand,
  EmitLogsCommand,
  EndSpanCommand,
  FlushCommand,
  InitializeCommand,
  InitializedTenant,
  LogItem,
  RecordCounterCommand,
  RecordGaugeCommand,
  RecordHistogramCommand,
  RecordMetricCommand,
  ShutdownCommand,
  StartedSpan,
  StartSpanCommand,
} from './integration/command.ts';
export {
  type CommandClient,
  type CommandClientOptions,
  type CommandClientStats,
  createCommandClient,
} from './integration/command-client.ts';
export type { AnswersMessage, CommandsEndMessage, CommandsMessage } from './integration/command-message.ts';
export type { WorkerTarget } from './integration/worker-endpoint.ts';
export type { BusResult, CustomMessage, CustomMessages, CustomValue } from './utils/bus-result.ts';
