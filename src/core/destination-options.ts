import type { TlsOptions } from '../infra/transport.ts';
import type { Temporality } from '../processing/metric-model.ts';
import type { RedactOptions } from '../processing/redaction.ts';
import type { OtlpProtocol } from '../processing/span-sender.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';

/** Where telemetry goes, and how. */
export interface DestinationOptions {
  /**
   * Base URL of an OTLP receiver, `http` or `https`; `/v1/traces`, `/v1/metrics` and `/v1/logs` are appended, except for
   * `grpc`, which has no path. Without user name and password: credentials belong in `headers`. Required. Variables:
   * `OTEL_EXPORTER_OTLP_ENDPOINT`, and `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`,
   * `OTEL_EXPORTER_OTLP_LOGS_ENDPOINT`, which are used as they are; all variables for one signal make a destination for
   * that signal alone.
   */
  endpoint: string;
  /**
   * How requests are sent; `grpc` needs the package `@grpc/grpc-js`. Default: `'http/protobuf'`. Variables:
   * `OTEL_EXPORTER_OTLP_PROTOCOL`, `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL`, `OTEL_EXPORTER_OTLP_METRICS_PROTOCOL`,
   * `OTEL_EXPORTER_OTLP_LOGS_PROTOCOL`.
   */
  protocol?: OtlpProtocol | undefined;
  /**
   * What is sent there: a list of at least one of `'traces'`, `'metrics'` and `'logs'`. Default: all three.
   */
  signals?: readonly TelemetrySignal[] | undefined;
  /** Replaces the path of the endpoint, with what was appended, for one signal. Not for `grpc`. */
  paths?: DestinationPaths | undefined;
  /**
   * Credentials and other headers, or a function that is asked when they are needed. Names are tokens, values latin1
   * text without line breaks; others, and those that the transport sets itself, are left out. Default: none.
   * Variables: `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_TRACES_HEADERS`, `OTEL_EXPORTER_OTLP_METRICS_HEADERS`,
   * `OTEL_EXPORTER_OTLP_LOGS_HEADERS`.
   */
  headers?: HeaderOptions | undefined;
  /**
   * Name of a header that carries the tenant's id, such as `X-Scope-OrgID`; it comes over the same name in `headers`.
   * Without it nothing is sent: a name that cannot be used, or a tenant id with other than visible ASCII characters
   * and spaces inside, makes the destination not acceptable. Default: none.
   */
  tenantHeader?: string | undefined;
  /**
   * Authorities to trust instead of Node's own, the client's certificate and key (both or neither), the name to verify.
   * What is not acceptable in it makes the destination not acceptable. Default: none.
   */
  tls?: TlsOptions | undefined;
  /**
   * Whether `headers` may be sent over `http:` to a host that is not loopback, where others may read them; if not, such
   * a destination is not acceptable. Default: `false`. Variables: `OTEL_EXPORTER_OTLP_INSECURE`,
   * `OTEL_EXPORTER_OTLP_TRACES_INSECURE`, `OTEL_EXPORTER_OTLP_METRICS_INSECURE`,
   * `OTEL_EXPORTER_OTLP_LOGS_INSECURE`.
   */
  insecure?: boolean | undefined;
  /** As `metrics.temporality`, for this destination. Default: that of the tenant. */
  temporality?: Temporality | undefined;
  /**
   * Compression of requests. Default: `'none'`. Variables: `OTEL_EXPORTER_OTLP_COMPRESSION`,
   * `OTEL_EXPORTER_OTLP_TRACES_COMPRESSION`, `OTEL_EXPORTER_OTLP_METRICS_COMPRESSION`,
   * `OTEL_EXPORTER_OTLP_LOGS_COMPRESSION`.
   */
  compression?: 'gzip' | 'none' | undefined;
  /**
   * Deadline of one attempt in milliseconds, with the body of the answer: 1 to 600,000. Default: 10,000. Variables:
   * `OTEL_EXPORTER_OTLP_TIMEOUT`, `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT`, `OTEL_EXPORTER_OTLP_METRICS_TIMEOUT`,
   * `OTEL_EXPORTER_OTLP_LOGS_TIMEOUT`, `OTEL_BSP_EXPORT_TIMEOUT`.
   */
  timeoutMillis?: number | undefined;
  /**
   * Whether the tenant's requests have connections of their own, shared with no other tenant. Costs sockets: for
   * receivers that tell tenants by connection, or where sharing is not allowed. Default: `false`; when what is given is not acceptable, `true`.
   */
  isolateConnections?: boolean | undefined;
  /**
   * Proxy on the way to the receiver, for destinations in `platform` only: `http://user:password@host:port`, or `https`
   * except for `grpc`. `NO_PROXY` does not count for it. One that cannot be used makes the destination not acceptable.
   * Tenants' requests never go through a proxy. Default: none. Variables: `HTTPS_PROXY`, `HTTP_PROXY`, `grpc_proxy`,
   * `NO_PROXY`, also in the other case, for all destinations of the platform tracer.
   */
  proxy?: string | undefined;
  /** What is hidden at this destination only, after the tenant's own `redact`; `true` is short for `{}`. Default: none. */
  redact?: RedactOptions | true | undefined;
}

/** The path of each signal, in place of what is appended to the endpoint. */
export interface DestinationPaths {
  /** Begins with `/`; may have a query. Default: the path of the endpoint and `/v1/traces`. */
  traces?: string | undefined;
  /** As `traces`. Default: the path of the endpoint and `/v1/metrics`. */
  metrics?: string | undefined;
  /** As `traces`. Default: the path of the endpoint and `/v1/logs`. */
  logs?: string | undefined;
}

/** Header values by name. */
export type HeaderRecord = Readonly<Record<string, string>>;
/** Headers of a destination: fixed, or asked for at every attempt. */
export type HeaderOptions = HeaderRecord | HeaderFunction;
/** Returns the headers of a tenant; what it returns is checked like a record, each time. */
export type HeaderFunction = (tenantId: string) => HeaderRecord | Promise<HeaderRecord>;
