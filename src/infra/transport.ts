import type { Secret } from '../utils/secret.ts';
import type { StopSignal } from '../utils/stop-signal.ts';

/**
 * TLS identity of a destination. Two requests share connections only when these are equal, byte for byte.
 * Certificates are always verified. Treat the object as immutable: it may be remembered by reference.
 */
export interface TlsOptions {
  /** PEM of the authorities to trust instead of Node's own list. Default: that list. */
  readonly ca?: string | Buffer | undefined;
  /** PEM of the client certificate, for mutual TLS; with `key`. Default: none. */
  readonly cert?: string | Buffer | undefined;
  /** PEM of the client certificate's private key; with `cert`. Default: none. */
  readonly key?: string | Buffer | undefined;
  /** Name to ask for (SNI) and to verify. Default: the URL's host. */
  readonly serverName?: string | undefined;
}

/** Which addresses may be connected to. */
export type AddressRule = 'any' | 'public';

/** One attempt to deliver a body with `POST`. */
export interface TransportRequest {
  /** `http:` or `https:`. A user name or password in it is not sent. */
  readonly url: URL;
  /**
   * Copied before `send` returns. Headers that belong to the connection (`host`, `content-length`,
   * `connection`, `accept-encoding` …) are left out: the transport sets its own.
   */
  readonly headers: Readonly<Record<string, string>>;
  /** Not copied: leave it alone until the result is there. */
  readonly body: Uint8Array;
  /** Absolute limit for the whole attempt: waiting for a connection, connecting, sending, the full response. */
  readonly timeoutMillis: number;
  readonly tls?: TlsOptions | undefined;
  /**
   * `public`: connects to addresses of the public internet only. What the host's name leads to is checked when a
   * connection is made, and just what was checked is connected to; one address that is not public refuses them all.
   * Never shares a connection with `any`. Default `any`.
   */
  readonly addresses?: AddressRule | undefined;
  /** Requests with different keys never share a connection. */
  readonly isolationKey?: string | undefined;
  /**
   * Goes this way: through a tunnel to an `https` receiver, by asking the proxy for the whole URL of an `http` one. The
   * host's name is then looked up by the proxy. Never shares a connection with a request that goes another way.
   */
  readonly proxy?: Secret<URL> | undefined;
  readonly signal?: StopSignal | undefined;
}

/** Why an attempt got no status line. */
export type TransportFailure =
  /** The deadline passed. */
  | 'timeout'
  /** Nobody listens there, or there is no route. */
  | 'refused'
  /** The connection broke, a keep-alive connection that the server closed at the same moment included. */
  | 'reset'
  | 'dns'
  /** No trust: certificate, name, client certificate, or no TLS at the other end. */
  | 'tls'
  /** The other end, or the proxy, does not speak HTTP/1.1 or does not let us through, or the request cannot be expressed in it. */
  | 'protocol'
  /** The request is for public addresses only, and this is none. Nothing was sent. */
  | 'forbidden'
  /** The caller's signal, or `close()`. */
  | 'aborted';

/** A final status line arrived, whatever happened to the connection afterwards. */
export interface TransportResponse {
  readonly kind: 'response';
  /** 200 to 599; redirects are not followed. */
  readonly status: number;
  /** Lower-case names; only `content-type`, `content-encoding` and `retry-after`. */
  readonly headers: Readonly<Record<string, string>>;
  /** As sent by the server: never decompressed. */
  readonly body: Uint8Array;
  /** The body is incomplete: longer than the cap, cut by the deadline, the caller or a reset. */
  readonly truncated: boolean;
}

export interface TransportError {
  readonly kind: 'failed';
  readonly reason: TransportFailure;
  /** At most 512 characters, without header values and other credentials. */
  readonly message: string;
}

export type TransportResult = TransportResponse | TransportError;

/** `message` of what `close()` aborted or kept from being sent. */
export const CLOSED = 'the transport is closed';

/** Why a request cannot be sent at all, if so. */
export function refusal({ protocol }: URL, isClosed: boolean): TransportError | undefined {
  if (isClosed) return failed('aborted', CLOSED);
  if (/^https?:$/.test(protocol)) return undefined;
  return failed('protocol', 'the URL is neither http: nor https:');
}

export function failed(reason: TransportFailure, message: string): TransportError {
  return { kind: 'failed', reason, message };
}

/** Sends bytes over connections that all tenants share. */
export interface Transport {
  /** Never rejects. After `close()` every attempt is `aborted`. */
  send(request: TransportRequest): Promise<TransportResult>;
  /** Sockets that are connecting, in use or kept alive. */
  openSockets(): number;
  /** Aborts what is in flight and resolves when the last socket is closed. Never rejects; may be called twice. */
  close(): Promise<void>;
}
