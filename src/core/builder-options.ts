import type { Attributes } from '@opentelemetry/api';
import type { OtlpProtocol } from '../processing/span-sender.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { isOptionsObject } from '../utils/option-reader.ts';
import { describeKind } from '../utils/secret.ts';
import type { BuilderConventions, Identity, IdentityPart } from './builder-conventions.ts';
import type { BuilderValues } from './builder-variables.ts';
import { CredentialSource, type Credentials } from './credentials.ts';
import type { DestinationOptions, DestinationPaths, HeaderOptions, HeaderRecord } from './destination-options.ts';
import type { RetryOptions, TracerOptions } from './options.ts';

/** What a builder was told so far; never changed, each step makes another. */
export interface BuilderDraft {
  readonly tenantId?: string | undefined;
  /** Options that no step stands for; the steps come over them. */
  readonly options?: TracerOptions | undefined;
  readonly credentials?: Credentials | CredentialSource | undefined;
  readonly endpoint?: string | undefined;
  /** Where neither a step nor an option names one. */
  readonly defaultEndpoint?: string | undefined;
  readonly protocol?: OtlpProtocol | undefined;
  readonly insecure?: boolean | undefined;
  readonly compression?: 'gzip' | 'none' | undefined;
  readonly timeoutMillis?: number | undefined;
  readonly paths?: DestinationPaths | undefined;
  readonly service?: TracerOptions['service'];
  readonly environment?: string | undefined;
  readonly attributes?: Attributes | undefined;
  readonly signals?: TracerOptions['signals'];
  readonly batch?: TracerOptions['batch'];
  /** `0`: no limit. */
  readonly spansPerSecond?: number | undefined;
  readonly retry?: RetryPlan | undefined;
  readonly exemplars?: boolean | undefined;
  readonly identity?: Identity | undefined;
  /** Whether the identity is in the resource too, and not in headers only. Default: true. */
  readonly enrichResources?: boolean | undefined;
}

/** The options of a tracer that a draft stands for, not checked yet; and the steps that have no effect in it. */
export function assembleOptions(
  draft: BuilderDraft,
  conventions: BuilderConventions,
): { readonly options: TracerOptions; readonly issues: readonly ConfigIssue[] } {
  const { options = {}, service, environment, signals, batch, spansPerSecond, retry, exemplars } = draft;
  const attributes = { ...options.attributes, ...identityAttributes(draft, conventions), ...draft.attributes };
  const { destination, issues } = assembleDestination(draft, conventions);
  const { spansPerSecond: _limit, ...limits } = options.limits ?? {};
  return {
    options: {
      ...options,
      ...(service && { service: { ...options.service, ...service } }),
      ...(environment !== undefined && { environment }),
      ...(Object.keys(attributes).length > 0 && { attributes }),
      ...(destination && { destination }),
      ...(signals && { signals: { ...options.signals, ...signals } }),
      ...(batch && { batch: { ...options.batch, ...batch } }),
      ...(spansPerSecond === 0 && options.limits !== undefined && { limits }),
      ...(spansPerSecond !== undefined && spansPerSecond !== 0 && { limits: { ...options.limits, spansPerSecond } }),
      ...(retry !== undefined && { retry: { ...options.retry, ...retryOptions(retry) } }),
      ...(exemplars !== undefined && { metrics: { ...options.metrics, exemplars } }),
    },
    issues,
  };
}

/** What the variables change in a draft. */
export function draftOf(values: BuilderValues, draft: BuilderDraft): BuilderDraft {
  return withoutUndefined({
    tenantId: values.TENANT,
    endpoint: values.ENDPOINT,
    protocol: values.PROTOCOL,
    insecure: values.INSECURE,
    compression: values.COMPRESSION,
    timeoutMillis: values.TIMEOUT,
    service: merged(draft.service, {
      name: values.SERVICE_NAME,
      version: values.SERVICE_VERSION,
      namespace: values.SERVICE_NAMESPACE,
    }),
    environment: values.ENVIRONMENT,
    enrichResources: values.ENRICH_RESOURCES,
    identity: merged(draft.identity, {
      id: values.COLLECTOR_ID,
      name: values.COLLECTOR_NAME,
      hostname: values.COLLECTOR_HOSTNAME,
      datacenter: values.DATACENTER,
    }),
    signals: merged(draft.signals, {
      traces: values.ENABLE_TRACES,
      metrics: values.ENABLE_METRICS,
      logs: values.ENABLE_LOGS,
    }),
    exemplars: values.ENABLE_EXEMPLARS,
    retry: retryOf(values, draft.retry),
    batch: merged(draft.batch, { delayMillis: values.BATCH_TIMEOUT, maxSize: values.BATCH_MAX_SIZE }),
    paths: merged(draft.paths, {
      traces: values.TRACES_ENDPOINT,
      metrics: values.METRICS_ENDPOINT,
      logs: values.LOGS_ENDPOINT,
    }),
    spansPerSecond: values.RATE_LIMIT,
  });
}

/** When what could not be sent is sent again, in the terms of a builder's step. */
export interface RetrySteps {
  /** `false`: a request is sent once. Default: `true`. */
  enabled?: boolean | undefined;
  /** A request is given up so many times `backoffMillis` after its first attempt. Default: 3. */
  maxRetries?: number | undefined;
  /** Upper end of the first delay in milliseconds; later ones are up to twice as long. Default: 5,000. */
  backoffMillis?: number | undefined;
}

/** The same, complete. */
export interface RetryPlan {
  readonly enabled: boolean;
  readonly maxRetries: number;
  readonly backoffMillis: number;
}

/** What is not said otherwise. */
export const DEFAULT_RETRY: RetryPlan = Object.freeze({
  enabled: true,
  maxRetries: 3,
  backoffMillis: 5_000,
});

function retryOptions({ enabled, maxRetries, backoffMillis }: RetryPlan): RetryOptions {
  if (!enabled) return { giveUpMillis: 0 };
  return { initialMillis: backoffMillis, maxMillis: 2 * backoffMillis, giveUpMillis: maxRetries * backoffMillis };
}

function retryOf(values: BuilderValues, before: RetryPlan | undefined): RetryPlan | undefined {
  const { RETRY_ENABLED: enabled, MAX_RETRIES: maxRetries, RETRY_BACKOFF: backoffMillis } = values;
  return merged<RetrySteps>(before ?? DEFAULT_RETRY, { enabled, maxRetries, backoffMillis }) as RetryPlan | undefined;
}

function merged<T extends object>(before: T | undefined, change: T): T | undefined {
  const known = withoutUndefined(change);
  return Object.keys(known).length === 0 ? undefined : { ...before, ...known };
}

function withoutUndefined<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;
}

function assembleDestination(
  draft: BuilderDraft,
  conventions: BuilderConventions,
): { readonly destination: TracerOptions['destination']; readonly issues: readonly ConfigIssue[] } {
  const { credentials, protocol, insecure, compression, timeoutMillis, paths } = draft;
  const given = draft.options?.destination;
  const endpoint = draft.endpoint ?? (given === undefined ? draft.defaultEndpoint : undefined);
  const steps = {
    ...(protocol !== undefined && { protocol }),
    ...(insecure !== undefined && { insecure }),
    ...(compression !== undefined && { compression }),
    ...(timeoutMillis !== undefined && { timeoutMillis }),
    ...(paths !== undefined && { paths }),
  };
  const identity = identityHeaders(draft, conventions);
  const isAsked = credentials !== undefined || Object.keys(steps).length > 0;
  if (endpoint === undefined && !isAsked && (Object.keys(identity).length === 0 || !isOptionsObject(given)))
    return { destination: given, issues: [] };
  // Headers, TLS and the like of one endpoint are not for another.
  const base = endpoint === undefined ? given : { endpoint: withScheme(endpoint, insecure ?? false) };
  if (!isOptionsObject(base)) {
    const accepted = 'an endpoint, or one destination in withOptions, for the steps that are about it';
    return { destination: given, issues: [{ option: 'withEndpoint', accepted, received: describeKind(base) }] };
  }
  const one = base as DestinationOptions;
  // What is no headers at all is told when everything is checked.
  const isReadable = one.headers === undefined || typeof one.headers === 'function' || isOptionsObject(one.headers);
  if (!isReadable) return { destination: { ...one, ...steps }, issues: [] };
  const headers = headersOf(credentials, identity, one.headers);
  return { destination: { ...one, ...steps, ...headers }, issues: [] };
}

/** `host:port`, as gRPC's endpoints are often written. */
function withScheme(endpoint: string, insecure: boolean): string {
  if (typeof endpoint !== 'string' || endpoint.includes('://')) return endpoint;
  return `${insecure ? 'http' : 'https'}://${endpoint}`;
}

/** Those of the options, over them who sends, and over both the credentials. */
function headersOf(
  credentials: Credentials | CredentialSource | undefined,
  identity: HeaderRecord,
  given: HeaderOptions | undefined,
): Pick<DestinationOptions, 'headers'> {
  const isAlone = given === undefined && Object.keys(identity).length === 0;
  if (credentials === undefined && isAlone) return {};
  if (isAlone && credentials instanceof CredentialSource) return { headers: credentials.headers };
  const over = (headers: HeaderRecord): HeaderRecord => ({
    ...lowerCased(headers),
    ...identity,
    ...credentials?.headers(),
  });
  if (typeof given === 'function') {
    return {
      headers: (tenantId) => {
        const headers = given(tenantId);
        return headers instanceof Promise ? headers.then(over) : over(headers as HeaderRecord);
      },
    };
  }
  return { headers: credentials instanceof CredentialSource ? () => over(given ?? {}) : over(given ?? {}) };
}

/** As the names of credentials' headers are, so that one takes the other's place. */
function lowerCased(headers: HeaderRecord): HeaderRecord {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function identityHeaders(draft: BuilderDraft, { headers }: BuilderConventions): HeaderRecord {
  const { identity, options } = draft;
  const parts = { ...identity, environment: draft.environment ?? options?.environment };
  const found: Record<string, string> = {};
  for (const [part, header] of Object.entries(headers) as [IdentityPart | 'environment', string][]) {
    const value = parts[part];
    if (value !== undefined) found[header] = value;
  }
  return found;
}

function identityAttributes(draft: BuilderDraft, { attributes }: BuilderConventions): Attributes {
  const { enrichResources = true, identity } = draft;
  if (!enrichResources || identity === undefined) return {};
  const { tags = {}, ...parts } = identity;
  const found: Attributes = {};
  for (const [part, value] of Object.entries(parts)) found[attributes[part as IdentityPart]] = value;
  for (const [name, value] of Object.entries(tags)) found[`${attributes.tagPrefix}${name}`] = value;
  return found;
}
