import { findGrpcIssue } from '../infra/grpc-library.ts';
import { PROFILES, type ProfileName } from '../processing/profiles.ts';
import {
  appendPath,
  describeEndpoint,
  ENDPOINT_ACCEPTED,
  isUrlPath,
  parseEndpoint,
  replacePath,
} from '../utils/endpoint.ts';
import { type Headers, sanitizeHeaders } from '../utils/headers.ts';
import { integer, oneOf } from '../utils/option-checks.ts';
import { type Check, elementsOf, type IssueLog, OptionReader, REFUSED } from '../utils/option-reader.ts';
import { describeKind, Secret } from '../utils/secret.ts';
import { isAllowed, isExposed } from './endpoint-rules.ts';
import type { DestinationOptions, DestinationPaths, EndpointPolicy, HeaderFunction } from './options.ts';
import { readRedact } from './redact-config.ts';
import type { DestinationSettings } from './settings.ts';
import { TENANT_HEADER } from './tenant-header.ts';
import { readTls } from './tls-config.ts';

const MAX_DESTINATIONS = 16;
const TRACES_PATH = '/v1/traces';

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({
    endpoint: true,
    protocol: true,
    paths: true,
    headers: true,
    tenantHeader: true,
    tls: true,
    insecure: true,
    compression: true,
    timeoutMillis: true,
    isolateConnections: true,
    redact: true,
  } satisfies Record<keyof DestinationOptions, true>),
);
const KNOWN_PATHS: ReadonlySet<string> = new Set(
  Object.keys({ traces: true } satisfies Record<keyof DestinationPaths, true>),
);

const ENDPOINT: Check<URL> = { accepted: ENDPOINT_ACCEPTED, parse: parseEndpoint, describe: describeEndpoint };
const PATH: Check<string> = {
  accepted: 'a path that begins with "/", without spaces and "#"',
  parse: (value) => (isUrlPath(value) ? value : undefined),
  describe: describeKind,
};
const PROTOCOL = oneOf('http/protobuf', 'http/json', 'grpc');
const FLAG = oneOf(true, false);
const COMPRESSION = oneOf('gzip', 'none');
const TIMEOUT = integer('destination.timeoutMillis');
const NO_HEADERS: Secret<Headers> = new Secret(Object.freeze(Object.create(null)));

/**
 * The acceptable ones of one destination or an array of them; `undefined` when none was given at all. `policy` says
 * which endpoints they may have, `profile` what timeout they have when none is given.
 */
export function resolveDestinations(
  value: unknown,
  path: string,
  issues: IssueLog,
  policy: EndpointPolicy,
  profile: ProfileName = 'default',
): readonly DestinationSettings[] | undefined {
  if (value === undefined) return undefined;
  const list = elementsOf(value, MAX_DESTINATIONS);
  if (list === undefined) {
    const destination = resolveDestination(value, path, issues, policy, profile);
    return Object.freeze(destination === undefined ? [] : [destination]);
  }
  const destinations = list.map((element, index) =>
    resolveDestination(element, `${path}[${index}]`, issues, policy, profile),
  );
  return Object.freeze(destinations.filter((destination) => destination !== undefined));
}

/**
 * A destination, or `undefined` when it has no acceptable endpoint, or spans could not be sent there as was asked for:
 * under the tenant's name, with the TLS identity, without showing credentials. Never throws, whatever the value is.
 */
function resolveDestination(
  value: unknown,
  path: string,
  issues: IssueLog,
  policy: EndpointPolicy,
  profile: ProfileName,
): DestinationSettings | undefined {
  if (value === undefined) {
    issues.add(path, 'an object', 'undefined');
    return undefined;
  }
  const reader = OptionReader.open(value, path, KNOWN, issues);
  if (reader === undefined) return undefined;
  const endpoint = readEndpoint(reader);
  const protocol = reader.read('protocol', PROTOCOL) ?? 'http/protobuf';
  const tracesPath = reader.open('paths', KNOWN_PATHS)?.read('traces', PATH);
  const headers = readHeaders(reader);
  const tenantHeader = reader.readOrRefused('tenantHeader', TENANT_HEADER);
  const tls = readTls(reader);
  const insecure = reader.read('insecure', FLAG) ?? false;
  const compression = reader.read('compression', COMPRESSION) ?? 'none';
  const timeoutMillis = reader.read('timeoutMillis', TIMEOUT);
  // What cannot be read as it was meant must not let more be shared.
  const isolateConnections = (reader.readOrRefused('isolateConnections', FLAG) ?? false) !== false;
  const redact = readRedact(reader);
  if (protocol === 'grpc') reportGrpc(reader, endpoint, tracesPath);
  if (endpoint === undefined) return undefined;
  const traces = protocol === 'grpc' ? new URL(endpoint.origin) : tracesUrl(endpoint, tracesPath);
  const allowed = isAllowed(traces, policy, reader);
  const exposed = isExposed(traces, headers, insecure, reader);
  if (!allowed || exposed || tenantHeader === REFUSED || tls === REFUSED) return undefined;
  return Object.freeze({
    endpoint: protocol === 'grpc' ? traces.origin : `${traces.origin}${traces.pathname}`,
    protocol,
    urls: Object.freeze({ traces: new Secret(protocol === 'grpc' ? traces.origin : traces.href) }),
    headers,
    tenantHeader,
    tls,
    addresses: policy === 'public' ? 'public' : 'any',
    compression,
    timeoutMillis: timeoutMillis ?? PROFILES[profile].timeoutMillis,
    timeoutGiven: timeoutMillis !== undefined,
    isolateConnections,
    redact,
  });
}

function tracesUrl(endpoint: URL, tracesPath: string | undefined): URL {
  return tracesPath === undefined ? appendPath(endpoint, TRACES_PATH) : replacePath(endpoint, tracesPath);
}

/** gRPC needs its package, and asks for a method by name: a path or query that was given would go nowhere. */
function reportGrpc(reader: OptionReader, endpoint: URL | undefined, tracesPath: string | undefined): void {
  const missing = findGrpcIssue(reader.pathOf('protocol'));
  if (missing !== undefined) reader.issues.add(missing.option, missing.accepted, missing.received);
  if (tracesPath !== undefined) reader.issues.add(reader.pathOf('paths'), 'no path for grpc', describeKind(tracesPath));
  if (endpoint === undefined || (endpoint.pathname === '/' && endpoint.search === '')) return;
  reader.issues.add(
    reader.pathOf('endpoint'),
    'an endpoint without path and query for grpc',
    describeEndpoint(endpoint.href),
  );
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
