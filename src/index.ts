export { type AgentOperations, WithAgents } from './core/agents.ts';
export {
  BUILDER_CONVENTIONS,
  type BuilderConventions,
  type Identity,
  type IdentityPart,
} from './core/builder-conventions.ts';
export type { RetrySteps } from './core/builder-options.ts';
export type { BuildResult, OptionsResult } from './core/builder-result.ts';
export { type ContextOperations, type ContinueOptions, type SessionOptions, WithContext } from './core/context.ts';
export { createTracer } from './core/create-tracer.ts';
export {
  type CredentialOptions,
  type CredentialResult,
  type CredentialRules,
  CredentialSource,
  Credentials,
} from './core/credentials.ts';
export type {
  DestinationOptions,
  DestinationPaths,
  HeaderFunction,
  HeaderOptions,
  HeaderRecord,
} from './core/destination-options.ts';
export {
  type ClassDecoratorFunction,
  type EnrichmentOperations,
  type EnrichSessionOptions,
  type EventOptions,
  type TraceClassFunction,
  WithEnrichment,
} from './core/enrichment.ts';
export type {
  Installation,
  InstallationHealth,
  InstallOptions,
  InstallStrategy,
  InstrumentationLike,
} from './core/install.ts';
export type { LateBindingCounts } from './core/late-binding.ts';
export type { ApiLogger, ApiLoggerProvider, ApiLogRecord } from './core/log-provider.ts';
export { type LogFunction, type Logs, type TenantLog, WithLogs } from './core/logs.ts';
export type { TenantMeter, TenantMeterProvider } from './core/meter.ts';
export type { MetricOptions, MetricViewOptions } from './core/metric-options.ts';
export {
  type HistogramOptions,
  type InstrumentOptions,
  type Metrics,
  type TenantInstruments,
  WithMetrics,
} from './core/metrics.ts';
export type { Mixed, MixinBase } from './core/mixin.ts';
export { type DisposableSpan, type Operations, type SpanRunOptions, WithOperations } from './core/operations.ts';
export type {
  BaggageFilter,
  BatchOptions,
  LimitOptions,
  LogOptions,
  ProfileOption,
  PropagationFilter,
  PropagationOptions,
  RetryOptions,
  SamplingOptions,
  ServiceOptions,
  SignalOptions,
  SpoolOptions,
  TracerOptions,
} from './core/options.ts';
export { type OutgoingOperations, WithOutgoing } from './core/outgoing.ts';
export type { IncomingTrust } from './core/propagation.ts';
export { TracerRegistry } from './core/registry.ts';
export type {
  ConfigureAnswer,
  ConfigureFunction,
  CreateTracerOptions,
  EndpointPolicy,
  LateBindingBounds,
  RegistryOptions,
  SelfMetricsOptions,
  TracerClass,
} from './core/registry-options.ts';
export type { RegistryHealth, RegistryStats } from './core/registry-status.ts';
export type { DestinationHealth, TracerHealth, TracerStats } from './core/status.ts';
export type { ReconfigureOutcome } from './core/tenant-configurator.ts';
export type { FetchFunction } from './core/traced-fetch.ts';
export { Tracer } from './core/tracer.ts';
export { TracerBase, type TracerInit } from './core/tracer-base.ts';
export { TracerBuilder } from './core/tracer-builder.ts';
export type { GlobalSdk } from './infra/global-sdk.ts';
export type { HostPlatform } from './infra/host-platform.ts';
export type { TlsOptions } from './infra/transport.ts';
export { detectVcs, type VcsOptions } from './infra/vcs.ts';
export {
  bridgeConsole,
  type ConsoleBridgeOptions,
  type ConsoleLike,
  type ConsoleMethod,
} from './instrumentation/console-bridge.ts';
export { traceFetch } from './instrumentation/trace-fetch.ts';
export { currentTracer, traced } from './instrumentation/traced.ts';
export {
  type ContainOptions,
  createErrorHandling,
  type ErrorHandling,
  type ErrorHandlingHealth,
  type ErrorHandlingOptions,
} from './integration/error-handling.ts';
export type { LogSinkTarget } from './integration/log-sink.ts';
export { createSpanProcessor } from './integration/span-processor.ts';
export type { ProcessHookOptions } from './lifecycle/process-hooks.ts';
export type { FlushOptions, FlushReport, TenantReport } from './lifecycle/report.ts';
export type { TracerState } from './lifecycle/tracer-state.ts';
export type { CaptureAggregate, CaptureArguments, CaptureOptions, CaptureResult } from './processing/capture.ts';
export type { Enrichment, EnrichmentRecord } from './processing/enrichment.ts';
export { type EventType, type InferEventTypeOptions, inferEventType } from './processing/event-type.ts';
export type { DropReason, LedgerSnapshot } from './processing/ledger.ts';
export type { LogLevel } from './processing/log-record.ts';
export type { Temporality } from './processing/metric-model.ts';
export type { MetricTimer, RunningTimer } from './processing/metric-timer.ts';
export {
  type AgentCallOptions,
  agentCall,
  type ChainOptions,
  chainStep,
  type ModelCallOptions,
  modelCall,
  type PresetFunction,
  type PresetOptions,
  type ToolCallOptions,
  toolCall,
  type WorkflowOptions,
  workflowRun,
} from './processing/presets.ts';
export type { ProfileName } from './processing/profiles.ts';
export type { QueryOptions } from './processing/query-call.ts';
export type { RedactFunction, RedactOptions } from './processing/redaction.ts';
export type { SessionPatch } from './processing/session-attributes.ts';
export type { OtlpProtocol } from './processing/span-sender.ts';
export type { TraceClassOptions } from './processing/trace-class.ts';
export type { TraceDecorator, TraceFunction, TraceOptions } from './processing/trace-function.ts';
export type {
  AgentOptions,
  ModelPrice,
  PriceTable,
  TenantUsage,
  TokenUsage,
  UsageTotals,
} from './processing/usage.ts';
export type { Clock, Timer } from './utils/clock.ts';
export type { DiagnosticEvents, DiagnosticLogger } from './utils/diagnostics.ts';
export { type ConfigIssue, IsotraceError, type IsotraceErrorCode } from './utils/errors.ts';
export type { ContainedError, GuardedComponent, ResilienceLevel } from './utils/guard.ts';
export type { TelemetrySignal } from './utils/telemetry-signal.ts';
