import type { Attributes, Span } from '@opentelemetry/api';
import { SpanStatusCode } from '@opentelemetry/api';
import { parseAuthority } from './http-authority.ts';

/** How a call over gRPC ended, as the library tells it. */
export interface RpcStatus {
  readonly code: number;
  readonly details?: string | null | undefined;
}

/** The names of gRPC's status codes, by number. */
const STATUS_NAMES = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED'],
  ...['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
];
/** What is an error on the side of the server; the others are the client's (gRPC semantic conventions). */
const SERVER_ERRORS: ReadonlySet<string> = new Set([
  ...['UNKNOWN', 'DEADLINE_EXCEEDED', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS'],
]);
export const CANCELLED = 1;
export const DEADLINE_EXCEEDED = 4;

/** The fully qualified name of a method, `package.Service/Method`, by its path. */
export function rpcMethod(path: string): string {
  return path.startsWith('/') ? path.slice(1) : path;
}

/** The attributes of the span of a call when it starts, on either side. */
export function rpcAttributes(method: string, server: RpcEndpoint | undefined): Attributes {
  return {
    'rpc.system.name': 'grpc',
    'rpc.method': method,
    ...(server !== undefined && { 'server.address': server.address }),
    ...(server?.port !== undefined && { 'server.port': server.port }),
  };
}

/** What a stream sent and received. The conventions have no name for it since they gave up events for messages. */
export interface RpcMessages {
  sent: number;
  received: number;
}

/** How a call ended, as its span and its measurements say it. */
export function rpcOutcome(side: 'client' | 'server', { code }: RpcStatus): Attributes {
  const name = STATUS_NAMES[code] ?? String(code);
  const isError = side === 'client' ? code !== 0 : SERVER_ERRORS.has(name) || STATUS_NAMES[code] === undefined;
  return { 'rpc.status_code': name, ...(isError && { 'error.type': name }) };
}

/** Ends the span of a call. */
export function endRpcSpan(
  span: Span,
  outcome: Attributes,
  status: RpcStatus,
  messages: RpcMessages | undefined,
): void {
  span.setAttributes(outcome);
  if (messages !== undefined) {
    span.setAttributes({
      'isotrace.rpc.messages.sent': messages.sent,
      'isotrace.rpc.messages.received': messages.received,
    });
  }
  if (outcome['error.type'] !== undefined) {
    const { details } = status;
    const message = typeof details === 'string' && details !== '' ? { message: details } : {};
    span.setStatus({ code: SpanStatusCode.ERROR, ...message });
  }
  span.end();
}

export interface RpcEndpoint {
  readonly address: string;
  readonly port: number | undefined;
}

/**
 * The server that a channel's target names (gRPC naming: `dns:host:port`, `dns://resolver/host:port`, `ipv4:…`,
 * `ipv6:[…]:port`, `unix:/path`), or that a plain authority does.
 */
export function parseRpcTarget(target: unknown): RpcEndpoint | undefined {
  if (typeof target !== 'string') return undefined;
  const scheme = /^(dns|ipv4|ipv6|passthrough|xds|unix|unix-abstract):/.exec(target)?.[1];
  const rest = scheme === undefined ? target : target.slice(scheme.length + 1);
  const path = rest.replace(/^\/\/[^/]*\//, scheme?.startsWith('unix') === true ? '/' : '');
  if (scheme?.startsWith('unix') === true) return { address: path, port: undefined };
  // Of several addresses the first.
  const [first = ''] = path.split(',');
  return parseAuthority(first) ?? parseAuthority(`[${first}]`);
}

/** For `propagateTo`. */
export function rpcUrl(server: RpcEndpoint | undefined, method: string): URL | undefined {
  if (server === undefined) return undefined;
  const host = server.address.includes(':') ? `[${server.address}]` : server.address;
  const text = `grpc://${host}${server.port === undefined ? '' : `:${server.port}`}/${method}`;
  return URL.canParse(text) ? new URL(text) : undefined;
}
