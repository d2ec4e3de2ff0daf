import { findGrpcIssue } from '../infra/grpc-library.ts';
import { type ProxyRules, proxyFor } from '../infra/proxy-rules.ts';
import { PROFILES, type ProfileName } from '../processing/profiles.ts';
import type { OtlpProtocol } from '../processing/span-sender.ts';
import { describeEndpoint, ENDPOINT_ACCEPTED, isUrlPath, parseEndpoint } from '../utils/endpoint.ts';
import { flatString } from '../utils/flat-string.ts';
import { type Headers, sanitizeHeaders } from '../utils/headers.ts';
import { integer, oneOf } from '../utils/option-checks.ts';
import { type Check, elementsOf, type IssueLog, OptionReader, REFUSED } from '../utils/option-reader.ts';
import { describeProxy, PROXY_ACCEPTED, parseProxy } from '../utils/proxy-url.ts';
import { describeKind, Secret } from '../utils/secret.ts';
import { TELEMETRY_SIGNALS, type TelemetrySignal } from '../utils/telemetry-signal.ts';
import type { DestinationOptions, DestinationPaths, HeaderFunction } from './destination-options.ts';
import { DestinationUrls, type SignalPaths } from './destination-urls.ts';
import { isAllowed, isExposed } from './endpoint-rules.ts';
import { TEMPORALITY } from './metrics-config.ts';
import { readRedact } from './redact-config.ts';
import type { EndpointPolicy } from './registry-options.ts';
import type { DestinationSettings } from './settings.ts';
import { TENANT_HEADER } from './tenant-header.ts';
import { readTls } from './tls-config.ts';

const MAX_DESTINATIONS = 16;

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({
    endpoint: true,
    protocol: true,
    signals: true,
    paths: true,
    headers: true,
    tenantHeader: true,
    temporality: true,
    tls: true,
    insecure: true,
    compression: true,
    timeoutMillis: true,
    isolateConnections: true,
    proxy: true,
    redact: true,
  } satisfies Record<keyof DestinationOptions, true>),
);
const KNOWN_PATHS: ReadonlySet<string> = new Set(
  Object.keys({ traces: true, metrics: true, logs: true } satisfies Record<keyof DestinationPaths, true>),
);

const ENDPOINT: Check<URL> = { accepted: ENDPOINT_ACCEPTED, parse: parseEndpoint, describe: describeEndpoint };
const PATH: Check<string> = {
  accepted: 'a path that begins with "/", without spaces and "#"',
  parse: (value) => (isUrlPath(value) ? value : undefined),
  describe: describeKind,
};
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
const SIGNAL = oneOf(...TELEMETRY_SIGNALS);
const PROTOCOL = oneOf('http/protobuf', 'http/json', 'grpc');
const FLAG = oneOf(true, false);
const COMPRESSION = oneOf('gzip', 'none');
const PROXY: Check<Secret<URL>> = {
  accepted: PROXY_ACCEPTED,
  parse: (value) => {
    const url = parseProxy(value);
    return url && new Secret(url);
  },
  describe: describeProxy,
};
const TIMEOUT = integer('destination.timeoutMillis');
const NO_PATHS: SignalPaths = Object.freeze({});
const NO_HEADERS: Secret<Headers> = new Secret(Object.freeze(Object.create(null)));

export interface DestinationRules {
  /** Which endpoints they may have. */
  readonly policy: EndpointPolicy;
  /** Says what timeout they have when none is given. */
  readonly profile: ProfileName;
  /** Whether they may name a proxy: only those of the platform tracer. */
  readonly mayProxy?: boolean;
}

/**
 * The acceptable ones of one destination or an array of them; `undefined` when none was given at all. `rules` say
 * what they may be.
 */
export function resolveDestinations(
  value: unknown,
  path: string,
  issues: IssueLog,
  rules: DestinationRules,
): readonly DestinationSettings[] | undefined {
  if (value === undefined) return undefined;
  const list = elementsOf(value, MAX_DESTINATIONS);
  if (list === undefined) {
    const destination = resolveDestination(value, path, issues, rules);
    return Object.freeze(destination === undefined ? [] : [destination]);
  }
  const destinations = list.map((element, index) => resolveDestination(element, `${path}[${index}]`, issues, rules));
  return Object.freeze(destinations.filter((destination) => destination !== undefined));
}

/**
 * A destination, or `undefined` when it has no acceptable endpoint, or nothing could be sent there as was asked for:
 * under the tenant's name, with the TLS identity, without showing credentials. Never throws, whatever the value is.
 */
function resolveDestination(
  value: unknown,
  path: string,
  issues: IssueLog,
  { mayProxy = false, policy, profile }: DestinationRules,
): DestinationSettings | undefined {
  if (value === undefined) {
    issues.add(path, 'an object', 'undefined');
    return undefined;
  }
  const reader = OptionReader.open(value, path, KNOWN, issues);
  if (reader === undefined) return undefined;
  const endpoint = readEndpoint(reader);
  const protocol = reader.read('protocol', PROTOCOL) ?? 'http/protobuf';
  const signals = readSignals(reader);
  const paths = readPaths(reader);
  const headers = readHeaders(reader);
  const tenantHeader = reader.readOrRefused('tenantHeader', TENANT_HEADER);
  const temporality = reader.read('temporality', TEMPORALITY);
  const tls = readTls(reader);
  const insecure = reader.read('insecure', FLAG) ?? false;
  const compression = reader.read('compression', COMPRESSION) ?? 'none';
  const timeoutMillis = reader.read('timeoutMillis', TIMEOUT);
  // What cannot be read as it was meant must not let more be shared.
  const isolateConnections = (reader.readOrRefused('isolateConnections', FLAG) ?? false) !== false;
  const proxy = mayProxy ? readProxy(reader, protocol) : refuseProxy(reader);
  const redact = readRedact(reader);
  if (protocol === 'grpc') reportGrpc(reader, endpoint, paths, headers);
  if (endpoint === undefined || signals.length === 0) return undefined;
  const targets = new DestinationUrls(endpoint, signals, protocol === 'grpc' ? undefined : paths);
  const urls = signals.map((signal) => new URL(targets.of(signal)?.reveal() ?? endpoint));
  const [first = endpoint] = urls;
  const asked = protocol === 'grpc' || policy === 'public' ? [first] : urls;
  const allowed = asked.every((url) => isAllowed(url, policy, reader));
  const exposed = isExposed(first, headers, insecure, reader);
  if (!allowed || exposed || tenantHeader === REFUSED || tls === REFUSED || proxy === REFUSED) return undefined;
  return Object.freeze({
    endpoint: flatString(protocol === 'grpc' ? first.origin : `${first.origin}${first.pathname}`),
    protocol,
    urls: targets,
    headers,
    tenantHeader,
    temporality,
    tls,
    addresses: policy === 'public' ? 'public' : 'any',
    compression,
    timeoutMillis: timeoutMillis ?? PROFILES[profile].timeoutMillis,
    timeoutGiven: timeoutMillis !== undefined,
    isolateConnections,
    proxy,
    redact,
  });
}

/** In the order of their names' list, each once. Of a list that is not acceptable nothing is taken: nothing may be sent. */
function readSignals(reader: OptionReader): readonly TelemetrySignal[] {
  if (reader.get('signals') === undefined) return TELEMETRY_SIGNALS;
  const given = reader.readList('signals', SIGNAL, MAX_DESTINATIONS);
  const signals = TELEMETRY_SIGNALS.filter((signal) => given?.includes(signal) === true);
  if (given !== undefined && signals.length === 0) {
    reader.issues.add(reader.pathOf('signals'), 'at least one signal', 'none');
  }
  return signals;
}

function readPaths(reader: OptionReader): SignalPaths {
  const paths = reader.open('paths', KNOWN_PATHS);
  if (paths === undefined) return NO_PATHS;
  return { traces: paths.read('traces', PATH), metrics: paths.read('metrics', PATH), logs: paths.read('logs', PATH) };
}

/** gRPC needs its package, and asks for a method by name: a path or query that was given would go nowhere. */
function reportGrpc(
  reader: OptionReader,
  endpoint: URL | undefined,
  paths: SignalPaths,
  headers: Secret<Headers> | HeaderFunction,
): void {
  const missing = findGrpcIssue(reader.pathOf('protocol'));
  if (missing !== undefined) reader.issues.add(missing.option, missing.accepted, missing.received);
  const path = paths.traces ?? paths.metrics ?? paths.logs;
  if (path !== undefined) reader.issues.add(reader.pathOf('paths'), 'no path for grpc', describeKind(path));
  // Every request would fail over them.
  for (const [name, value] of headers instanceof Secret ? Object.entries(headers.reveal()) : []) {
    if (name.endsWith('-bin') || PRINTABLE_ASCII.test(value)) continue;
    reader.issues.add(reader.pathOf(`headers.${name}`), 'printable ASCII for grpc', describeKind(value));
  }
  if (endpoint === undefined || (endpoint.pathname === '/' && endpoint.search === '')) return;
  reader.issues.add(
    reader.pathOf('endpoint'),
    'an endpoint without path and query for grpc',
    describeEndpoint(endpoint.href),
  );
}

/** A receiver that is to be reached through a proxy is not reached in another way. */
function readProxy(reader: OptionReader, protocol: OtlpProtocol): Secret<URL> | typeof REFUSED | undefined {
  const proxy = reader.readOrRefused('proxy', PROXY);
  if (proxy === undefined || proxy === REFUSED) return proxy;
  return isUsable(proxy, protocol, reader.pathOf('proxy'), reader.issues) ? proxy : REFUSED;
}

function refuseProxy(reader: OptionReader): undefined {
  if (reader.get('proxy') === undefined) return;
  reader.issues.add(reader.pathOf('proxy'), 'none: only destinations in platform may have a proxy', 'a proxy');
}

/** gRPC's library reaches proxies over plain connections only; the tunnel inside is encrypted all the same. */
function isUsable(proxy: Secret<URL>, protocol: OtlpProtocol, option: string, issues: IssueLog): boolean {
  if (protocol !== 'grpc' || proxy.reveal().protocol === 'http:') return true;
  issues.add(option, 'an http proxy for grpc', describeProxy(proxy.reveal().href));
  return false;
}

/** The platform tracer's destinations, each with the proxy that the environment has for it, unless it has its own. */
export function withProxies(
  destinations: readonly DestinationSettings[],
  rules: ProxyRules | undefined,
  issues: IssueLog,
): readonly DestinationSettings[] {
  if (rules === undefined) return destinations;
  const proxied = destinations.map((destination) => {
    const { endpoint, protocol } = destination;
    const proxy = destination.proxy ?? proxyFor(new URL(endpoint), protocol === 'grpc', rules);
    if (proxy === undefined) return destination;
    return isUsable(proxy, protocol, 'platform.destination.proxy', issues)
      ? Object.freeze({ ...destination, proxy })
      : undefined;
  });
  return Object.freeze(proxied.filter((destination) => destination !== undefined));
}

function readEndpoint(reader: OptionReader): URL | undefined {
  const endpoint = reader.read('endpoint', ENDPOINT);
  if (endpoint === undefined && reader.get('endpoint') === undefined) {
    reader.issues.add(reader.pathOf('endpoint'), ENDPOINT.accepted, 'undefined');
  }
  return endpoint;
}

function readHeaders(reader: OptionReader): Secret<Headers> | HeaderFunction {
  const raw = reader.get('headers');
  if (raw === undefined) return NO_HEADERS;
  if (typeof raw === 'function') return raw as HeaderFunction;
  const { headers, issues } = sanitizeHeaders(raw, reader.pathOf('headers'));
  reader.issues.addAll(issues);
  return new Secret(headers);
}
