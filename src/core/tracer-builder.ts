import type { Attributes, AttributeValue } from '@opentelemetry/api';
import { processVariables, readHostPlatform } from '../infra/environment.ts';
import type { OtlpProtocol } from '../processing/span-sender.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { describeKind } from '../utils/secret.ts';
import { BUILDER_CONVENTIONS, type BuilderConventions, type Identity } from './builder-conventions.ts';
import { assembleOptions, type BuilderDraft, draftOf, type RetrySteps, retryOptions } from './builder-options.ts';
import type { BuildResult, OptionsResult } from './builder-result.ts';
import { type BuilderValues, type BuilderVariable, readBuilderVariables, unsetIssue } from './builder-variables.ts';
import { configError, resolveStandaloneSettings } from './config.ts';
import { createTracer } from './create-tracer.ts';
import { CredentialSource, Credentials } from './credentials.ts';
import type { DestinationPaths } from './destination-options.ts';
import type { SignalOptions, TracerOptions } from './options.ts';
import type { Tracer } from './tracer.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Gathers the options of a tracer step by step, checks them all at the end, and can be cloned for every tenant. Of two
 * steps that set the same, the last counts. No step throws: what is not acceptable is an issue of the result.
 *
 * `with…FromEnv` read variables at once and report those that are not set; {@link withAutoConfiguration} reads
 * whatever is set. Their names are in `docs/builder.md`.
 */
export class TracerBuilder {
  readonly #conventions: BuilderConventions;
  #draft: BuilderDraft = {};
  /** By the step that has the problem, so that a later call of the same step mends it. */
  #issues: ReadonlyMap<string, readonly ConfigIssue[]> = new Map();

  constructor(conventions: BuilderConventions = BUILDER_CONVENTIONS) {
    this.#conventions = conventions;
  }

  /** A builder that was told what the variables say. */
  static fromEnv(env?: Variables): TracerBuilder {
    return new TracerBuilder().withAutoConfiguration(env);
  }

  /** A builder of its own that was told the same; what either is told later, the other does not know. */
  clone(): this {
    const copy = new (this.constructor as new (conventions: BuilderConventions) => this)(this.#conventions);
    copy.#draft = this.#draft;
    copy.#issues = this.#issues;
    return copy;
  }

  /** Whose tracer {@link TracerBuilder.build} makes. */
  withTenant(tenantId: string): this {
    return this.#set({ tenantId });
  }

  /** Any other options; the steps come over them, whenever they are called. */
  withOptions(options: TracerOptions): this {
    return this.#set({ options: { ...this.#draft.options, ...options } });
  }

  /** Of a destination whose credentials stay as they are, or of one whose credentials are replaced at times. */
  withCredentials(credentials: Credentials | CredentialSource): this {
    const fits = credentials instanceof Credentials || credentials instanceof CredentialSource;
    if (fits) return this.#settle('credentials', []).#set({ credentials });
    const received = describeKind(credentials);
    return this.#settle('credentials', [
      { option: 'credentials', accepted: 'Credentials or CredentialSource', received },
    ]);
  }

  /** The key for the destination, checked by the builder's conventions. */
  withApiKey(keyId: string, keySecret: string): this {
    const result = Credentials.parse({ keyId, keySecret, rules: this.#conventions.credentials });
    if (!result.ok) return this.#settle('credentials', result.issues);
    return this.#settle('credentials', []).#set({ credentials: result.credentials });
  }

  /** By `API_KEY_ID` and `API_KEY_SECRET`, after the prefix of the conventions. An issue where they are not set. */
  withApiKeyFromEnv(env?: Variables): this {
    return this.#fromEnv('API_KEY_ID', env, (id) =>
      this.#fromEnv('API_KEY_SECRET', env, (secret) => this.withApiKey(id, secret)),
    );
  }

  /** A URL, or `host:port`, which is reached over TLS unless {@link withInsecure} says otherwise. */
  withEndpoint(endpoint: string): this {
    return this.#set({ endpoint });
  }

  /** By `ENDPOINT`, after the prefix of the conventions. An issue where it is not set. */
  withEndpointFromEnv(env?: Variables): this {
    return this.#fromEnv('ENDPOINT', env, (text) => this.withEndpoint(text));
  }

  /** The path of one signal in place of what is appended to the endpoint. */
  withTracesEndpoint(path: string): this {
    return this.#path({ traces: path });
  }

  /** As {@link TracerBuilder.withTracesEndpoint}, for metrics. */
  withMetricsEndpoint(path: string): this {
    return this.#path({ metrics: path });
  }

  /** As {@link TracerBuilder.withTracesEndpoint}, for logs. */
  withLogsEndpoint(path: string): this {
    return this.#path({ logs: path });
  }

  /** How OTLP is sent. Default: `http/protobuf`. */
  withProtocol(protocol: OtlpProtocol): this {
    return this.#set({ protocol });
  }

  /** Short for `withProtocol('grpc')`. */
  withGrpc(): this {
    return this.withProtocol('grpc');
  }

  /** Short for `withProtocol('http/protobuf')`. */
  withHttp(): this {
    return this.withProtocol('http/protobuf');
  }

  /** Whether credentials may be sent without TLS, and `host:port` means `http`. */
  withInsecure(insecure = true): this {
    return this.#set({ insecure });
  }

  /** Whether requests are compressed, with gzip. Default without this step: they are not. */
  withCompression(compression: boolean | 'gzip' | 'none' = true): this {
    return this.#set({ compression: typeof compression === 'boolean' ? (compression ? 'gzip' : 'none') : compression });
  }

  /** Of one request, in milliseconds. */
  withTimeout(timeoutMillis: number): this {
    return this.#set({ timeoutMillis });
  }

  /** When a request that failed is sent again, and whether at all. */
  withRetry(steps: RetrySteps = {}): this {
    return this.#set({ retry: retryOptions(steps ?? {}) });
  }

  /** How long a batch waits to fill, in milliseconds, and how many spans it holds at most. */
  withBatchSettings(delayMillis: number, maxSize?: number): this {
    return this.#set({ batch: { ...this.#draft.batch, delayMillis, ...(maxSize !== undefined && { maxSize }) } });
  }

  /** Spans a second that the tenant may have on average; `0`: no limit. */
  withRateLimit(spansPerSecond: number): this {
    return this.#set({ spansPerSecond: spansPerSecond === 0 ? undefined : spansPerSecond });
  }

  /** What the resource says about the service. */
  withService(name: string, version?: string): this {
    return this.#service({ name, ...(version !== undefined && { version }) });
  }

  /** By `SERVICE_NAME` and `SERVICE_VERSION`, after the prefix of the conventions. An issue where there is no name. */
  withServiceFromEnv(env?: Variables): this {
    const { SERVICE_VERSION: version } = this.#read(['SERVICE_VERSION'], env);
    return this.#fromEnv('SERVICE_NAME', env, (name) => this.withService(name, version));
  }

  /** The resource attribute `service.namespace`. */
  withServiceNamespace(namespace: string): this {
    return this.#service({ namespace });
  }

  /** By `SERVICE_NAMESPACE`, after the prefix of the conventions. An issue where it is not set. */
  withServiceNamespaceFromEnv(env?: Variables): this {
    return this.#fromEnv('SERVICE_NAMESPACE', env, (text) => this.withServiceNamespace(text));
  }

  /** The resource attribute `deployment.environment.name`. */
  withEnvironment(environment: string): this {
    return this.#set({ environment });
  }

  /** By `ENVIRONMENT`, after the prefix of the conventions. An issue where it is not set. */
  withEnvironmentFromEnv(env?: Variables): this {
    return this.#fromEnv('ENVIRONMENT', env, (text) => this.withEnvironment(text));
  }

  /** A resource attribute. */
  withCustomAttribute(key: string, value: AttributeValue): this {
    return this.withCustomAttributes({ [key]: value });
  }

  /** Resource attributes. */
  withCustomAttributes(attributes: Attributes): this {
    return this.#set({ attributes: { ...this.#draft.attributes, ...attributes } });
  }

  /** Which signals are sent; one that is not named stays as it was. */
  withSignals(signals: SignalOptions): this {
    return this.#set({ signals: { ...this.#draft.signals, ...signals } });
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

  /** Whether points of metrics name a recent span of the tenant. */
  withExemplars(exemplars = true): this {
    return this.#set({ exemplars });
  }

  /** The collector's id, where the conventions say: in the resource, in headers, or both. */
  withCollectorId(id: string): this {
    return this.#identity({ id });
  }

  /** By `COLLECTOR_ID`, after the prefix of the conventions. An issue where it is not set. */
  withCollectorIdFromEnv(env?: Variables): this {
    return this.#fromEnv('COLLECTOR_ID', env, (text) => this.withCollectorId(text));
  }

  /** As {@link TracerBuilder.withCollectorId}, its name. */
  withCollectorName(name: string): this {
    return this.#identity({ name });
  }

  /** By `COLLECTOR_NAME`, after the prefix of the conventions. An issue where it is not set. */
  withCollectorNameFromEnv(env?: Variables): this {
    return this.#fromEnv('COLLECTOR_NAME', env, (text) => this.withCollectorName(text));
  }

  /** As {@link TracerBuilder.withCollectorId}, a description. */
  withCollectorDescription(description: string): this {
    return this.#identity({ description });
  }

  /** As {@link TracerBuilder.withCollectorId}, the name of its host. */
  withCollectorHostname(hostname: string): this {
    return this.#identity({ hostname });
  }

  /** A tag of the collector, in the resource. */
  withCollectorTag(name: string, value: string): this {
    return this.withCollectorTags({ [name]: value });
  }

  /** Tags of the collector, in the resource. */
  withCollectorTags(tags: Readonly<Record<string, string>>): this {
    return this.#identity({ tags: { ...this.#draft.identity?.tags, ...tags } });
  }

  /** As {@link TracerBuilder.withCollectorId}, where it stands. */
  withDatacenter(datacenter: string): this {
    return this.#identity({ datacenter });
  }

  /** By `DATACENTER`, after the prefix of the conventions. An issue where it is not set. */
  withDatacenterFromEnv(env?: Variables): this {
    return this.#fromEnv('DATACENTER', env, (text) => this.withDatacenter(text));
  }

  /** Whether what `withCollector`, its like and {@link withDatacenter} say is in the resource, and not in headers only. */
  withEnrichResources(enrichResources = true): this {
    return this.#set({ enrichResources });
  }

  /** Takes each variable that is set; none has to be. */
  withAutoConfiguration(env?: Variables): this {
    const values = this.#read(undefined, env);
    const { API_KEY_ID: id, API_KEY_SECRET: secret } = values;
    if (id !== undefined || secret !== undefined) this.withApiKey(id ?? '', secret ?? '');
    return this.#set(draftOf(values, this.#draft));
  }

  /** What `configure` of a registry may return for a tenant. Never throws. */
  options(): OptionsResult {
    const { options, issues } = this.assemble();
    const resolved = resolveStandaloneSettings({ ...options, ...this.#tenant() }, readHostPlatform().platform);
    const all = [...issues, ...resolved.issues];
    return all.length > 0 ? { ok: false, issues: all } : { ok: true, options };
  }

  /** A tracer without a registry. Never throws. */
  build(): BuildResult {
    const result = this.options();
    if (!result.ok) return result;
    return { ok: true, tracer: createTracer({ ...result.options, ...this.#tenant() }) };
  }

  /** @throws IsotraceError with code `config_invalid` and every problem in `issues` */
  buildOrThrow(): Tracer {
    const result = this.build();
    if (result.ok) return result.tracer;
    throw configError(result.issues);
  }

  /** What the steps stand for, and what is wrong with them so far. For builders of other conventions to add to. */
  protected assemble(): { options: TracerOptions; issues: readonly ConfigIssue[] } {
    return { options: assembleOptions(this.#draft, this.#conventions), issues: [...this.#issues.values()].flat() };
  }

  #tenant(): { tenantId?: string } {
    const { tenantId } = this.#draft;
    return tenantId === undefined ? {} : { tenantId };
  }

  #set(change: BuilderDraft): this {
    this.#draft = { ...this.#draft, ...change };
    return this;
  }

  #service(change: NonNullable<BuilderDraft['service']>): this {
    return this.#set({ service: { ...this.#draft.service, ...change } });
  }

  #path(change: DestinationPaths): this {
    return this.#set({ paths: { ...this.#draft.paths, ...change } });
  }

  #identity(change: Identity): this {
    return this.#set({ identity: { ...this.#draft.identity, ...change } });
  }

  /** Takes the place of what was wrong with an earlier call of the same step. */
  #settle(step: string, issues: readonly ConfigIssue[]): this {
    this.#issues = new Map([...this.#issues, [step, issues]]);
    return this;
  }

  #fromEnv(name: BuilderVariable, env: Variables | undefined, use: (text: string) => this): this {
    const value = this.#read([name], env)[name];
    if (value !== undefined) return use(String(value));
    const variable = `${this.#conventions.variablePrefix}${name}`;
    if ((this.#issues.get(variable) ?? []).length > 0) return this;
    return this.#settle(variable, [unsetIssue(variable, name)]);
  }

  #read(names: readonly BuilderVariable[] | undefined, env: Variables = processVariables()): BuilderValues {
    const { variablePrefix } = this.#conventions;
    return readBuilderVariables(env, variablePrefix, names, (variable, issues) => this.#settle(variable, issues));
  }
}
