import type { Attributes } from '@opentelemetry/api';
import type { OtlpProtocol } from '../processing/span-sender.ts';
import type { BuilderConventions, Identity, IdentityPart } from './builder-conventions.ts';
import type { BuilderValues } from './builder-variables.ts';
import { CredentialSource, type Credentials } from './credentials.ts';
import type { DestinationOptions, DestinationPaths, HeaderRecord } from './destination-options.ts';
import type { RetryOptions, TracerOptions } from './options.ts';

/** What a builder was told so far; never changed, each step makes another. */
export interface BuilderDraft {
  readonly tenantId?: string | undefined;
  /** Options that no step stands for; the steps come over them. */
  readonly options?: TracerOptions | undefined;
  readonly credentials?: Credentials | CredentialSource | undefined;
  readonly endpoint?: string | undefined;
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
  readonly spansPerSecond?: number | undefined;
  readonly retry?: TracerOptions['retry'];
  readonly exemplars?: boolean | undefined;
  readonly identity?: Identity | undefined;
  /** Whether the identity is in the resource too, and not in headers only. Default: true. */
  readonly enrichResources?: boolean | undefined;
}

/** The options of a tracer that a draft stands for; not checked yet. */
export function assembleOptions(draft: BuilderDraft, conventions: BuilderConventions): TracerOptions {
  const { options = {}, service, environment, signals, batch, spansPerSecond, retry, exemplars } = draft;
  const attributes = { ...options.attributes, ...identityAttributes(draft, conventions), ...draft.attributes };
  const destination = assembleDestination(draft, conventions) ?? options.destination;
  return {
    ...options,
    ...(service && { service: { ...options.service, ...service } }),
    ...(environment !== undefined && { environment }),
    ...(Object.keys(attributes).length > 0 && { attributes }),
    ...(destination && { destination }),
    ...(signals && { signals: { ...options.signals, ...signals } }),
    ...(batch && { batch: { ...options.batch, ...batch } }),
    ...(spansPerSecond !== undefined && { limits: { ...options.limits, spansPerSecond } }),
    ...(retry !== undefined && { retry }),
    ...(exemplars !== undefined && { metrics: { ...options.metrics, exemplars } }),
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
    retry: retryOf(values),
    batch: merged(draft.batch, { delayMillis: values.BATCH_TIMEOUT, maxSize: values.BATCH_MAX_SIZE }),
    spansPerSecond: values.RATE_LIMIT === 0 ? undefined : values.RATE_LIMIT,
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

export function retryOptions({ enabled = true, maxRetries = 3, backoffMillis = 5_000 }: RetrySteps): RetryOptions {
  if (!enabled) return { giveUpMillis: 0 };
  return { initialMillis: backoffMillis, maxMillis: 2 * backoffMillis, giveUpMillis: maxRetries * backoffMillis };
}

function retryOf({ RETRY_ENABLED: enabled, MAX_RETRIES: maxRetries, RETRY_BACKOFF: backoffMillis }: BuilderValues) {
  const given = enabled !== undefined || maxRetries !== undefined || backoffMillis !== undefined;
  return given ? retryOptions({ enabled, maxRetries, backoffMillis }) : undefined;
}

function merged<T extends object>(before: T | undefined, change: T): T | undefined {
  const known = withoutUndefined(change);
  return Object.keys(known).length === 0 ? undefined : { ...before, ...known };
}

function withoutUndefined<T extends object>(record: T): T {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T;
}

function assembleDestination(draft: BuilderDraft, conventions: BuilderConventions): DestinationOptions | undefined {
  const { credentials, endpoint, protocol, insecure, compression, timeoutMillis, paths } = draft;
  if (endpoint === undefined) return undefined;
  const identity = identityHeaders(draft, conventions);
  return {
    endpoint: withScheme(endpoint, insecure ?? false),
    ...(protocol !== undefined && { protocol }),
    ...(insecure !== undefined && { insecure }),
    ...(compression !== undefined && { compression }),
    ...(timeoutMillis !== undefined && { timeoutMillis }),
    ...(paths !== undefined && { paths }),
    ...headersOf(credentials, identity),
  };
}

/** `host:port`, as gRPC's endpoints are often written. */
function withScheme(endpoint: string, insecure: boolean): string {
  if (typeof endpoint !== 'string' || endpoint.includes('://')) return endpoint;
  return `${insecure ? 'http' : 'https'}://${endpoint}`;
}

function headersOf(
  credentials: Credentials | CredentialSource | undefined,
  identity: HeaderRecord,
): Pick<DestinationOptions, 'headers'> {
  if (credentials instanceof CredentialSource) {
    const { headers } = credentials;
    return { headers: Object.keys(identity).length === 0 ? headers : () => ({ ...identity, ...headers() }) };
  }
  const headers = { ...identity, ...credentials?.headers() };
  return Object.keys(headers).length === 0 ? {} : { headers };
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
