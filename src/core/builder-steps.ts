import type { Attributes, AttributeValue } from '@opentelemetry/api';
import type { OtlpProtocol } from '../processing/span-sender.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { isInstance } from '../utils/is-instance.ts';
import { describeKind } from '../utils/secret.ts';
import { BUILDER_CONVENTIONS, type BuilderConventions, type Identity } from './builder-conventions.ts';
import { BuilderIssues, copyGiven } from './builder-issues.ts';
import { type BuilderDraft, DEFAULT_RETRY, type RetryPlan, type RetrySteps } from './builder-options.ts';
import type { BuilderVariable } from './builder-variables.ts';
import { CredentialSource, Credentials } from './credentials.ts';
import type { DestinationPaths } from './destination-options.ts';
import type { SignalOptions, TracerOptions } from './options.ts';

/**
 * The steps of a builder that say one thing each. Of two that set the same, the last counts, also for what is wrong with
 * it. No step throws: what is not acceptable is an issue of the result.
 */
export abstract class BuilderSteps {
  /** What this builder's receiver expects. */
  protected readonly conventions: BuilderConventions;
  /** What it was told so far. */
  protected draft: BuilderDraft = {};
  /** What is wrong with that so far. */
  protected problems: BuilderIssues = new BuilderIssues();

  constructor(conventions: BuilderConventions = BUILDER_CONVENTIONS) {
    this.conventions = conventions;
  }

  /** Whose tracer is built: 1 to 128 printable characters. Without this step: `default`. */
  withTenant(tenantId: string): this {
    return this.tell({ tenantId }, 'TENANT');
  }

  /**
   * Any other options; the steps come over them, whenever they are called. Of a destination in them, unless there are
   * several, everything stays that no step says; {@link withEndpoint} takes the place of all of it.
   */
  withOptions(options: TracerOptions): this {
    const copy = this.#copy('withOptions', options);
    return this.tell({ options: { ...this.draft.options, ...copy } });
  }

  /** The credentials of the destination: fixed ones, or a source whose credentials are replaced while the process runs. */
  withCredentials(credentials: Credentials | CredentialSource): this {
    const isEither = isInstance(credentials, Credentials) || isInstance(credentials, CredentialSource);
    if (isEither) return this.#credentials(credentials);
    const accepted = 'Credentials or CredentialSource';
    return this.settle('credentials', [{ option: 'credentials', accepted, received: describeKind(credentials) }]);
  }

  /** The key for the destination, checked by the builder's conventions. */
  withApiKey(keyId: string, keySecret: string): this {
    const result = Credentials.parse({ keyId, keySecret, rules: this.conventions.credentials });
    return result.ok ? this.#credentials(result.credentials) : this.settle('credentials', result.issues);
  }

  /** A URL, or `host:port`, which is reached over TLS unless {@link withInsecure} says otherwise. */
  withEndpoint(endpoint: string): this {
    return this.tell({ endpoint }, 'ENDPOINT');
  }

  /** The path for traces, with `/` in front, in place of `/v1/traces` at the end of the endpoint. Not for `grpc`. */
  withTracesEndpoint(path: string): this {
    return this.#path({ traces: path }, 'TRACES_ENDPOINT');
  }

  /** As {@link withTracesEndpoint}, for metrics. */
  withMetricsEndpoint(path: string): this {
    return this.#path({ metrics: path }, 'METRICS_ENDPOINT');
  }

  /** As {@link withTracesEndpoint}, for logs. */
  withLogsEndpoint(path: string): this {
    return this.#path({ logs: path }, 'LOGS_ENDPOINT');
  }

  /** How OTLP is sent. Default: `http/protobuf`. */
  withProtocol(protocol: OtlpProtocol): this {
    return this.tell({ protocol }, 'PROTOCOL');
  }

  /** Short for `withProtocol('grpc')`. */
  withGrpc(): this {
    return this.withProtocol('grpc');
  }

  /** Short for `withProtocol('http/protobuf')`. */
  withHttp(): this {
    return this.withProtocol('http/protobuf');
  }

  /** Whether credentials may be sent without TLS, and `host:port` means `http`. Without an argument: they may. */
  withInsecure(insecure = true): this {
    return this.tell({ insecure }, 'INSECURE');
  }

  /** Whether requests are compressed. Without an argument: with gzip; without this step: not at all. */
  withCompression(compression: boolean | 'gzip' | 'none' = true): this {
    const given = typeof compression === 'boolean' ? (compression ? 'gzip' : 'none') : compression;
    return this.tell({ compression: given }, 'COMPRESSION');
  }

  /** Deadline of one attempt in milliseconds: 1 to 600,000. Without this step: 10,000. */
  withTimeout(timeoutMillis: number): this {
    return this.tell({ timeoutMillis }, 'TIMEOUT');
  }

  /**
   * Whether, how soon and how long a request that failed is sent again; what is not named stays as it was, except that it
   * is sent again. Without this step: for 5 minutes.
   */
  withRetry(steps: RetrySteps = {}): this {
    const { enabled = true, ...copy } = this.#copy('withRetry', steps);
    const retry = { ...(this.draft.retry ?? DEFAULT_RETRY), ...(defined(copy) as Partial<RetryPlan>), enabled };
    const named: BuilderVariable[] = ['RETRY_ENABLED'];
    if (copy.maxRetries !== undefined) named.push('MAX_RETRIES');
    if (copy.backoffMillis !== undefined) named.push('RETRY_BACKOFF');
    return this.tell({ retry }, ...named);
  }

  /**
   * `batch.delayMillis` (0 to 3,600,000; without this step 5,000) and `batch.maxSize` (1 to 65,536; 512); `undefined`
   * changes nothing.
   */
  withBatchSettings(delayMillis?: number, maxSize?: number): this {
    const named: BuilderVariable[] = [];
    if (delayMillis !== undefined) named.push('BATCH_TIMEOUT');
    if (maxSize !== undefined) named.push('BATCH_MAX_SIZE');
    return this.tell({ batch: { ...this.draft.batch, ...defined({ delayMillis, maxSize }) } }, ...named);
  }

  /** Spans a second on average, up to 1,000,000; more are dropped and counted. `0`, or without this step: no limit. */
  withRateLimit(spansPerSecond: number): this {
    return this.tell({ spansPerSecond }, 'RATE_LIMIT');
  }

  /** The resource attributes `service.name` and `service.version`. */
  withService(name: string, version?: string): this {
    if (version === undefined) return this.#service({ name }, 'SERVICE_NAME');
    return this.#service({ name, version }, 'SERVICE_NAME', 'SERVICE_VERSION');
  }

  /** The resource attribute `service.namespace`. */
  withServiceNamespace(namespace: string): this {
    return this.#service({ namespace }, 'SERVICE_NAMESPACE');
  }

  /** The resource attribute `deployment.environment.name`. */
  withEnvironment(environment: string): this {
    return this.tell({ environment }, 'ENVIRONMENT');
  }

  /** Adds a resource attribute; it comes over what other steps make of the same key. */
  withCustomAttribute(key: string, value: AttributeValue): this {
    return this.#named('withCustomAttribute', key, () => this.withCustomAttributes({ [key]: value }));
  }

  /** Adds resource attributes, as {@link withCustomAttribute} adds one. */
  withCustomAttributes(attributes: Attributes): this {
    const copy = this.#copy('withCustomAttributes', attributes);
    return this.tell({ attributes: { ...this.draft.attributes, ...copy } });
  }

  /** Which signals are sent; one that is not named stays as it was. */
  withSignals(signals: SignalOptions): this {
    const copy = defined(this.#copy('withSignals', signals));
    const named = (['traces', 'metrics', 'logs'] as const).filter((signal) => copy[signal] !== undefined);
    const variables = named.map((signal) => `ENABLE_${signal.toUpperCase()}` as BuilderVariable);
    return this.tell({ signals: { ...this.draft.signals, ...copy } }, ...variables);
  }

  /** Sends traces; neither metrics nor logs. */
  withTracesOnly(): this {
    return this.withSignals({ traces: true, metrics: false, logs: false });
  }

  /** Sends metrics; neither traces nor logs. */
  withMetricsOnly(): this {
    return this.withSignals({ traces: false, metrics: true, logs: false });
  }

  /** Sends logs; neither traces nor metrics. */
  withLogsOnly(): this {
    return this.withSignals({ traces: false, metrics: false, logs: true });
  }

  /** Whether points of metrics name a recent span of the tenant. Without an argument: they do; without this step: not. */
  withExemplars(exemplars = true): this {
    return this.tell({ exemplars }, 'ENABLE_EXEMPLARS');
  }

  /** The collector's id, where the conventions say: in the resource, in headers, or both. */
  withCollectorId(id: string): this {
    return this.#identity({ id }, 'COLLECTOR_ID');
  }

  /** As {@link withCollectorId}, its name. */
  withCollectorName(name: string): this {
    return this.#identity({ name }, 'COLLECTOR_NAME');
  }

  /** As {@link withCollectorId}, a description. */
  withCollectorDescription(description: string): this {
    return this.#identity({ description });
  }

  /** As {@link withCollectorId}, the name of its host. */
  withCollectorHostname(hostname: string): this {
    return this.#identity({ hostname }, 'COLLECTOR_HOSTNAME');
  }

  /** A tag of the collector, in the resource. */
  withCollectorTag(name: string, value: string): this {
    return this.#named('withCollectorTag', name, () => this.withCollectorTags({ [name]: value }));
  }

  /** Tags of the collector, in the resource. */
  withCollectorTags(tags: Readonly<Record<string, string>>): this {
    const copy = this.#copy('withCollectorTags', tags) as Record<string, string>;
    return this.#identity({ tags: { ...this.draft.identity?.tags, ...copy } });
  }

  /** As {@link withCollectorId}, where it stands. */
  withDatacenter(datacenter: string): this {
    return this.#identity({ datacenter }, 'DATACENTER');
  }

  /** Whether what the steps about the collector and {@link withDatacenter} say is in the resource. Without this step: yes. */
  withEnrichResources(enrichResources = true): this {
    return this.tell({ enrichResources }, 'ENRICH_RESOURCES');
  }

  /** Takes a step; what was wrong with variables that say the same does not count any more. */
  protected tell(change: BuilderDraft, ...variables: readonly BuilderVariable[]): this {
    this.draft = { ...this.draft, ...change };
    for (const name of variables) {
      const variable = `${this.conventions.variablePrefix}${name}`;
      if (this.problems.has(variable)) this.settle(variable, []);
    }
    return this;
  }

  /** Takes the place of what was wrong with an earlier call of the same step, or with the variable. */
  protected settle(source: string, issues: readonly ConfigIssue[]): this {
    this.problems = this.problems.with(source, issues);
    return this;
  }

  #copy<T extends object>(step: string, given: T): Partial<T> {
    const { copy, issues } = copyGiven(step, given);
    this.settle(step, issues);
    return copy;
  }

  #named(step: string, name: unknown, take: () => this): this {
    const isName = typeof name === 'string';
    this.settle(step, isName ? [] : [{ option: step, accepted: 'a name', received: describeKind(name) }]);
    return isName ? take() : this;
  }

  #credentials(credentials: Credentials | CredentialSource): this {
    return this.settle('credentials', []).tell({ credentials }, 'API_KEY_ID', 'API_KEY_SECRET');
  }

  #service(change: NonNullable<BuilderDraft['service']>, ...variables: readonly BuilderVariable[]): this {
    return this.tell({ service: { ...this.draft.service, ...change } }, ...variables);
  }

  #path(change: DestinationPaths, variable: BuilderVariable): this {
    return this.tell({ paths: { ...this.draft.paths, ...change } }, variable);
  }

  #identity(change: Identity, ...variables: readonly BuilderVariable[]): this {
    return this.tell({ identity: { ...this.draft.identity, ...change } }, ...variables);
  }
}

function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}
