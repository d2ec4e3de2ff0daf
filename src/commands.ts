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
  type CommandBus,
  type CommandBusOptions,
  type CommandContext,
  type CommandStats,
  type CommandTenant,
  createCommandBus,
} from './integration/command-bus.ts';
export type { CommandTracer } from './integration/command-execution.ts';
export { type CommandReceiver, type CommandReceiverStats, receiveCommands } from './integration/command-receiver.ts';
export type { AbandonReason } from './integration/command-spans.ts';
export type { WorkerTarget } from './integration/worker-endpoint.ts';
export type { BusResult, CustomMessage, CustomMessages, CustomValue } from './utils/bus-result.ts';
