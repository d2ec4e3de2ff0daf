import type { IncomingHttpHeaders } from 'node:http';

/**
 * How a receiver treats a request. All modes work over OTLP/HTTP and, unless it is said otherwise, over gRPC, where the
 * nearest thing that the protocol can express is meant.
 */
export type ReceiverFault =
  | { readonly mode: 'ok' }
  /** Good, but late. */
  | { readonly mode: 'delay'; readonly millis: number }
  /** Reads the request and never answers. */
  | { readonly mode: 'hang' }
  /** Reads the header and nothing more, and never answers. */
  | { readonly mode: 'hang-before-body' }
  /** Good, but reads the upload in pieces with a pause before each. */
  | { readonly mode: 'slow-read'; readonly intervalMillis: number }
  /** Answers with this HTTP status; over gRPC as a proxy would that knows no gRPC. */
  | {
      readonly mode: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array;
    }
  /** gRPC only: a status of its own. */
  | {
      readonly mode: 'grpc-status';
      readonly code: number;
      readonly message?: string;
      /** Adds a `google.rpc.RetryInfo`. */
      readonly retryInfoSeconds?: number;
    }
  /** 429 or 503 with a `Retry-After`; over gRPC RESOURCE_EXHAUSTED or UNAVAILABLE with a RetryInfo, undecodable for a text. */
  | { readonly mode: 'throttle'; readonly status?: 429 | 503; readonly retryAfter: number | string }
  | { readonly mode: 'redirect'; readonly status: 301 | 302 | 303 | 307 | 308; readonly location: string }
  | { readonly mode: 'partial-success'; readonly rejected: number; readonly message?: string }
  /** Sends the header at once, then one byte each interval, forever. */
  | { readonly mode: 'slow-body'; readonly status?: number; readonly intervalMillis?: number }
  /** Resets the connection as soon as the header is read. */
  | { readonly mode: 'reset-before-body' }
  | { readonly mode: 'reset-before-status' }
  /** Sends the header, then resets the connection. */
  | {
      readonly mode: 'reset-after-status';
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Sends the header and the beginning of a body, then resets the connection. */
  | { readonly mode: 'reset-mid-body'; readonly status?: number }
  /** Closes the connection in good order, but without an answer. */
  | { readonly mode: 'close-before-status' }
  /** Announces a longer body than it sends before it closes in good order. */
  | { readonly mode: 'cut-body'; readonly status?: number }
  /** Keeps the spans, then resets the connection in place of an answer. */
  | { readonly mode: 'stored-then-reset' }
  | { readonly mode: 'big-body'; readonly bytes: number; readonly status?: number }
  /** A compressed body that nobody asked for, of so many bytes once it is inflated. */
  | { readonly mode: 'gzip-bomb'; readonly bytes: number }
  /** 200 with bytes that are no message. */
  | { readonly mode: 'malformed-body' }
  /** 200 with a page for people, as captive portals send it. */
  | { readonly mode: 'web-page' }
  /** HTTP only: answers with bytes that are no HTTP. For gRPC see the faults of connections. */
  | { readonly mode: 'garbage' }
  /** Answers before the upload was read, which it then never reads. */
  | { readonly mode: 'early-answer'; readonly status: number }
  /** Good, and closes the connection right after, without announcing it. */
  | { readonly mode: 'ok-then-close' }
  /** Good, and announces that the connection takes no further requests: `connection: close`, GOAWAY. */
  | {
      readonly mode: 'goaway';
      /** gRPC: never closes the connection. */
      readonly stays?: boolean;
    }
  /** gRPC: RST_STREAM with this code of HTTP/2. HTTP: resets the connection. */
  | { readonly mode: 'rst-stream'; readonly code?: number }
  /** HTTP only: 102 and 103 before the good answer. */
  | { readonly mode: 'informational' }
  /** HTTP only: 100, for which nobody asked, before the good answer. */
  | { readonly mode: 'unasked-continue' }
  /** HTTP only: good, and a second answer that nobody asked for on the same connection, after some time. */
  | { readonly mode: 'two-answers' };

export type FaultMode = ReceiverFault['mode'];

/** What is known of a request before its body. */
export interface RequestHead {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** From the header `x-tenant`, or a path that begins with `/t/<tenant>/`. */
  readonly tenantId: string | undefined;
}

/** Decides for each request when its header has been read. */
export interface FaultPlan {
  next(head: RequestHead): ReceiverFault;
}

const OK: ReceiverFault = { mode: 'ok' };

/** The first `times` requests meet the fault. */
export function failing(times: number, fault: ReceiverFault, then: ReceiverFault = OK): FaultPlan {
  let left = times;
  return {
    next: () => {
      left -= 1;
      return left >= 0 ? fault : then;
    },
  };
}

/** Each request meets one of the faults with this probability, the same ones in every run. */
export function randomly(probability: number, faults: readonly ReceiverFault[], seed: number): FaultPlan {
  const random = seededRandom(seed);
  return {
    next: () => (random() < probability ? (faults[Math.floor(random() * faults.length)] ?? OK) : OK),
  };
}

/** Numbers in `[0, 1)`, the same for the same seed (Mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Whether the sender is told with a 2xx status, or OK, that the receiver has the spans. */
export function isAcknowledged(fault: ReceiverFault): boolean {
  switch (fault.mode) {
    case 'ok':
    case 'delay':
    case 'slow-read':
    case 'partial-success':
    case 'gzip-bomb':
    case 'malformed-body':
    case 'web-page':
    case 'ok-then-close':
    case 'goaway':
    case 'informational':
    case 'unasked-continue':
    case 'two-answers':
      return true;
    case 'status':
      return fault.status >= 200 && fault.status < 300;
    case 'slow-body':
    case 'reset-after-status':
    case 'reset-mid-body':
    case 'cut-body':
    case 'big-body':
      return (fault.status ?? 200) < 300;
    default:
      return false;
  }
}

/** As {@link isAcknowledged} over gRPC, where the status is the end of the answer. */
export function isAcknowledgedByGrpc(fault: ReceiverFault): boolean {
  if (fault.mode === 'grpc-status') return fault.code === 0;
  return ['ok', 'delay', 'slow-read', 'partial-success', 'ok-then-close', 'goaway'].includes(fault.mode);
}
