import type { BuilderConventions } from '../core/builder-conventions.ts';
import type { RetrySteps } from '../core/builder-options.ts';
import { configError } from '../core/config.ts';
import { createTracer } from '../core/create-tracer.ts';
import type { DestinationOptions, HeaderOptions, HeaderRecord } from '../core/destination-options.ts';
import type { SignalOptions, TracerOptions } from '../core/options.ts';
import type { Tracer } from '../core/tracer.ts';
import { TracerBuilder } from '../core/tracer-builder.ts';
import { processVariables } from '../infra/environment.ts';
import type { OtlpProtocol } from '../processing/span-sender.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { TelemetryFlowClient } from './telemetryflow-client.ts';
import { telemetryFlowConfig } from './telemetryflow-config.ts';
import {
  API_VERSION_HEADER,
  KEY_SECRET_HEADER,
  readSwitches,
  TELEMETRYFLOW_CONVENTIONS,
  TELEMETRYFLOW_DEFAULTS,
  type TelemetryFlowVariables,
  withEnvironmentVariable,
} from './telemetryflow-conventions.ts';

/** A client, or what is wrong. */
export type TelemetryFlowBuildResult =
  | { readonly ok: true; readonly client: TelemetryFlowClient; readonly tracer: Tracer }
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

interface Api {
  readonly useV2: boolean;
  readonly v2Only: boolean;
  readonly keySecretHeader: boolean;
}

const SIGNALS = ['traces', 'metrics', 'logs'] as const;
const [ENDPOINT_VARIABLE, ...KEY_VARIABLES] = ['ENDPOINT', 'API_KEY_ID', 'API_KEY_SECRET'].map(
  (name) => `${TELEMETRYFLOW_CONVENTIONS.variablePrefix}${name}`,
) as [string, ...string[]];

/**
 * TelemetryFlow's builder: its variables (`TELEMETRYFLOW_*`), keys (`tfk_`, `tfs_`), headers, paths and defaults on top of
 * {@link TracerBuilder}, whose steps it has. A key, an endpoint and the service's name are required.
 */
export class TelemetryFlowBuilder extends TracerBuilder {
  #api: Api = { useV2: true, v2Only: false, keySecretHeader: true };

  constructor(conventions: BuilderConventions = TELEMETRYFLOW_CONVENTIONS) {
    super(conventions);
    const { datacenter, environment } = TELEMETRYFLOW_DEFAULTS;
    this.withOptions({ environment }).withDatacenter(datacenter);
  }

  static override fromEnv(env?: TelemetryFlowVariables): TelemetryFlowBuilder {
    return new TelemetryFlowBuilder().withAutoConfiguration(env);
  }

  override clone(): this {
    const copy = super.clone();
    copy.#api = this.#api;
    return copy;
  }

  /** `http` is `http/protobuf`. */
  override withProtocol(protocol: OtlpProtocol | 'http'): this {
    return super.withProtocol(protocol === 'http' ? 'http/protobuf' : protocol);
  }

  /** Also in the order of their SDKs: metrics, logs, traces. */
  override withSignals(signals: SignalOptions | boolean, logs?: boolean, traces?: boolean): this {
    if (typeof signals !== 'boolean') return super.withSignals(signals);
    return super.withSignals({
      metrics: signals,
      ...(logs !== undefined && { logs }),
      ...(traces !== undefined && { traces }),
    });
  }

  /** Also in the order of their SDKs: enabled, retries, backoff in milliseconds. */
  override withRetry(steps: RetrySteps | boolean = {}, maxRetries?: number, backoffMillis?: number): this {
    return super.withRetry(typeof steps === 'boolean' ? { enabled: steps, maxRetries, backoffMillis } : steps);
  }

  /** Whether requests go to `/v2/traces`, `/v2/metrics` and `/v2/logs`, and say so in a header. Default: `true`. */
  withV2Api(enabled = true): this {
    return this.#change({ useV2: enabled });
  }

  /** As {@link withV2Api}; paths that begin with `/v1/` are refused. */
  withV2Only(): this {
    return this.#change({ useV2: true, v2Only: true });
  }

  /** Whether the secret is also in `X-TelemetryFlow-Key-Secret`, and not in `Authorization` alone. Default: `true`. */
  withKeySecretHeader(enabled = true): this {
    return this.#change({ keySecretHeader: enabled });
  }

  /** By `TELEMETRYFLOW_ENVIRONMENT`, else `ENV`, else `ENVIRONMENT`. An issue where none is set. */
  override withEnvironmentFromEnv(env: TelemetryFlowVariables = processVariables()): this {
    return super.withEnvironmentFromEnv(withEnvironmentVariable(env));
  }

  override withAutoConfiguration(env: TelemetryFlowVariables = processVariables()): this {
    const { issues, switches } = readSwitches(env);
    for (const [variable, found] of issues) this.settle(variable, found);
    const { USE_V2_API: useV2, V2_ONLY: v2Only } = switches;
    if (useV2 !== undefined) this.withV2Api(useV2);
    if (v2Only === true) this.withV2Only();
    return super.withAutoConfiguration(withEnvironmentVariable(env));
  }

  /** The client, and the tracer that it stands on. Never throws; nothing goes over the network yet. */
  override build(): TelemetryFlowBuildResult {
    const built = super.build();
    if (!built.ok) return built;
    const { tracer } = built;
    const { options } = this.assemble();
    const { tenantId } = tracer;
    const renew = (): Tracer => createTracer({ ...options, tenantId });
    const config = telemetryFlowConfig(options, this.draft, this.#api);
    return { ok: true, tracer, client: new TelemetryFlowClient(tracer, { config, renew }) };
  }

  /** @throws IsotraceError with code `config_invalid` and every problem in `issues` */
  mustBuild(): TelemetryFlowClient {
    const result = this.build();
    if (result.ok) return result.client;
    throw configError(result.issues);
  }

  protected override assemble(): { options: TracerOptions; issues: readonly ConfigIssue[] } {
    const { options, issues } = super.assemble();
    const { destination, environment, service } = options;
    const own = [...issues];
    const isTold = (option: string): boolean => own.some((issue) => issue.option === option);
    if (!isOne(destination) && !isTold('withEndpoint') && !this.problems.has(ENDPOINT_VARIABLE))
      own.push(missing('withEndpoint', 'a URL, or host:port'));
    if (!this.#hasCredentials(destination))
      own.push(missing('withApiKey', 'a key id that begins with "tfk_" and a secret that begins with "tfs_"'));
    if (service?.name === undefined) own.push(missing('withService', 'the name of the service'));
    if (!isOne(destination)) return { options, issues: own };
    if (this.#api.v2Only) own.push(...oldPaths(destination));
    const { batch, metrics, service: identity, destination: channel } = TELEMETRYFLOW_DEFAULTS;
    return {
      options: {
        ...options,
        service: { ...identity, ...service },
        batch: { ...batch, ...options.batch },
        metrics: { ...metrics, ...options.metrics },
        // Their name for it, beside that of today's semantic conventions.
        attributes: {
          ...(environment !== undefined && { 'deployment.environment': environment }),
          ...options.attributes,
        },
        destination: ofTheirs({ ...channel, ...destination }, this.#api),
      },
      issues: own,
    };
  }

  /** What is wrong with those that were given is told already. */
  #hasCredentials(destination: TracerOptions['destination']): boolean {
    const { credentials } = this.draft;
    if (credentials !== undefined || ['credentials', ...KEY_VARIABLES].some((source) => this.problems.has(source)))
      return true;
    return isOne(destination) && destination.headers !== undefined && hasAuthorization(destination.headers);
  }

  #change(change: Partial<Api>): this {
    this.#api = { ...this.#api, ...change };
    return this;
  }
}

function ofTheirs(destination: DestinationOptions, { keySecretHeader, useV2 }: Api): DestinationOptions {
  const { headers = {}, paths, protocol } = destination;
  const v2Paths = Object.fromEntries(SIGNALS.map((signal) => [signal, `/v2/${signal}`]));
  const change = (record: HeaderRecord): HeaderRecord => {
    const { [KEY_SECRET_HEADER]: secret, ...others } = record;
    return {
      ...others,
      ...(keySecretHeader && secret !== undefined && { [KEY_SECRET_HEADER]: secret }),
      ...(useV2 && { [API_VERSION_HEADER]: 'v2' }),
    };
  };
  return {
    ...destination,
    // gRPC has no paths.
    ...(useV2 && protocol !== 'grpc' && { paths: { ...v2Paths, ...paths } }),
    headers:
      typeof headers !== 'function'
        ? change(headers)
        : (tenantId) => {
            const given = headers(tenantId);
            return given instanceof Promise ? given.then(change) : change(given);
          },
  };
}

function isOne(destination: TracerOptions['destination']): destination is DestinationOptions {
  return destination !== undefined && !Array.isArray(destination);
}

function hasAuthorization(headers: HeaderOptions): boolean {
  return typeof headers === 'function' || Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
}

function oldPaths({ paths = {} }: DestinationOptions): ConfigIssue[] {
  return SIGNALS.filter((signal) => String(paths[signal]).startsWith('/v1/')).map((signal) => ({
    option: `destination.paths.${signal}`,
    accepted: 'a path that does not begin with /v1/, with withV2Only',
    received: '/v1/…',
  }));
}

function missing(option: string, accepted: string): ConfigIssue {
  return { option, accepted, received: 'undefined' };
}
