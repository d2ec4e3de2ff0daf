import { TelemetryFlowBuilder, type TelemetryFlowBuildResult } from './compat/telemetryflow-builder.ts';
import type { TelemetryFlowClient } from './compat/telemetryflow-client.ts';
import type { TelemetryFlowVariables } from './compat/telemetryflow-conventions.ts';

export { TelemetryFlowBuilder, type TelemetryFlowBuildResult } from './compat/telemetryflow-builder.ts';
export {
  TelemetryFlowClient,
  type TelemetryFlowClientOptions,
  type TelemetryFlowLogEntry,
  type TelemetryFlowSpanKind,
  type TelemetryFlowStatus,
} from './compat/telemetryflow-client.ts';
export type { TelemetryFlowConfig } from './compat/telemetryflow-config.ts';
export { TELEMETRYFLOW_CONVENTIONS, type TelemetryFlowVariables } from './compat/telemetryflow-conventions.ts';

/** A builder with TelemetryFlow's conventions and defaults. */
export function newBuilder(): TelemetryFlowBuilder {
  return new TelemetryFlowBuilder();
}

/** A client of what the `TELEMETRYFLOW_*` variables say. Never throws. */
export function newFromEnv(env?: TelemetryFlowVariables): TelemetryFlowBuildResult {
  return TelemetryFlowBuilder.fromEnv(env).build();
}

/** @throws IsotraceError with code `config_invalid` and every problem in `issues` */
export function mustNewFromEnv(env?: TelemetryFlowVariables): TelemetryFlowClient {
  return TelemetryFlowBuilder.fromEnv(env).mustBuild();
}

/** A client of the four things that are required. Never throws. */
export function newSimple(
  keyId: string,
  keySecret: string,
  endpoint: string,
  serviceName: string,
): TelemetryFlowBuildResult {
  return simpleBuilder(keyId, keySecret, endpoint, serviceName).build();
}

/** @throws IsotraceError with code `config_invalid` and every problem in `issues` */
export function mustNewSimple(
  keyId: string,
  keySecret: string,
  endpoint: string,
  serviceName: string,
): TelemetryFlowClient {
  return simpleBuilder(keyId, keySecret, endpoint, serviceName).mustBuild();
}

function simpleBuilder(keyId: string, keySecret: string, endpoint: string, serviceName: string): TelemetryFlowBuilder {
  return new TelemetryFlowBuilder().withApiKey(keyId, keySecret).withEndpoint(endpoint).withService(serviceName);
}
