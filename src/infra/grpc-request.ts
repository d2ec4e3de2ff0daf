import type { Secret } from '../utils/secret.ts';
import type { StopSignal } from '../utils/stop-signal.ts';
import type { AddressRule, TlsOptions, TransportError } from './transport.ts';

/** One unary call. */
export interface GrpcRequest {
  /** `http:` or `https:` with host and port; the rest of it plays no part. */
  readonly url: URL;
  /** The method: `/package.Service/Method`. */
  readonly path: string;
  /**
   * Metadata by name. Names that belong to the connection or to gRPC (`host`, `content-type`, `te`, `grpc-…`) are
   * left out; the value of a name that ends in `-bin` is base64. One that gRPC cannot carry (anything but printable
   * ASCII) fails the attempt as `protocol`.
   */
  readonly headers: Readonly<Record<string, string>>;
  /** The serialized message. Not copied: leave it alone until the result is there. */
  readonly body: Uint8Array;
  readonly compression: 'gzip' | 'none';
  /** Absolute limit for the whole attempt; the receiver is told what is left of it. */
  readonly timeoutMillis: number;
  readonly tls?: TlsOptions | undefined;
  /** As for HTTP: `public` connects to addresses of the public internet only. Default `any`. */
  readonly addresses?: AddressRule | undefined;
  /** Calls with different keys never share a connection. */
  readonly isolationKey?: string | undefined;
  /** Goes this way: through a tunnel; of an `http` proxy only. */
  readonly proxy?: Secret<URL> | undefined;
  readonly signal?: StopSignal | undefined;
}

/** The call ended with a status, the receiver's own or one that gRPC derives from its HTTP answer. */
export interface GrpcResponse {
  readonly kind: 'status';
  /** 0 to 16; a careless receiver can send any number. */
  readonly code: number;
  /** The receiver's text, as it came. */
  readonly message: string;
  /** `grpc-status-details-bin`: a `google.rpc.Status`. */
  readonly details: Uint8Array | undefined;
  /** The serialized response message, decompressed; empty unless the code is 0. */
  readonly body: Uint8Array;
}

export type GrpcResult = GrpcResponse | TransportError;

/** Makes calls over connections that all tenants share. */
export interface GrpcTransport {
  /** Never rejects. After `close()` every attempt is `aborted`. */
  send(request: GrpcRequest): Promise<GrpcResult>;
  /** Sockets that are connecting, in use or kept alive. */
  openSockets(): number;
  /** Aborts what is in flight and resolves when the last socket is closed. Never rejects; may be called twice. */
  close(): Promise<void>;
}
