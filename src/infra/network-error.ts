import { describeError } from '../utils/errors.ts';
import type { TransportFailure } from './transport.ts';

/** `code` of the error for an address that the request's rule does not allow. */
export const FORBIDDEN_ADDRESS = 'ISOTRACE_FORBIDDEN_ADDRESS';

/** `code` of the error for a proxy that lets nobody through, or not with these credentials. */
export const PROXY_DENIED = 'ISOTRACE_PROXY_DENIED';
/** `code` of the error for a proxy that cannot reach the receiver at the moment. */
export const PROXY_FAILED = 'ISOTRACE_PROXY_FAILED';

const REASONS: Readonly<Record<string, TransportFailure>> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'refused',
  EHOSTDOWN: 'refused',
  ENETUNREACH: 'refused',
  ENETDOWN: 'refused',
  EADDRNOTAVAIL: 'refused',
  EACCES: 'refused',
  EPERM: 'refused',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  ETIMEDOUT: 'timeout',
  [FORBIDDEN_ADDRESS]: 'forbidden',
  [PROXY_DENIED]: 'protocol',
  [PROXY_FAILED]: 'refused',
  UND_ERR_SOCKET: 'reset',
  // OpenSSL's error for an answer that is no TLS at all.
  EPROTO: 'tls',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls',
  HOSTNAME_MISMATCH: 'tls',
  INVALID_CA: 'tls',
  INVALID_PURPOSE: 'tls',
};

/** Turns an error of Node's sockets, OpenSSL or undici into a reason. */
export function networkFailure(error: unknown): TransportFailure {
  const code = codeOf(error);
  if (code === undefined) return 'protocol';
  const known = REASONS[code];
  if (known) return known;
  if (code.startsWith('EAI_')) return 'dns';
  if (/^(ERR_(TLS|SSL|OSSL)_|CERT_|CRL_|UNABLE_TO_)/.test(code)) return 'tls';
  // Any other code of the operating system (ECONNRESET, EPIPE, EMFILE …) may pass; the rest will not.
  return /^E(?!RR_)[A-Z0-9]+$/.test(code) ? 'reset' : 'protocol';
}

/** The error's text; when all addresses of a host failed, that of the first. */
export function networkMessage(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return networkMessage(error.errors[0]);
  return error instanceof Error && error.message !== '' ? error.message : describeError(error);
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
