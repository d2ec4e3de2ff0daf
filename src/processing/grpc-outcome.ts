import type { GrpcResponse, GrpcResult } from '../infra/grpc-request.ts';
import { scrubMessage } from '../infra/scrub-message.ts';
import { readPartialSuccess } from './otlp-response.ts';
import { classifyError, type DeliveryOutcome, type RetryableReason } from './outcome.ts';
import { readRetryInfo } from './retry-info.ts';

/** google.golang.org/grpc/codes; the index is the code. */
const CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

type Code = (typeof CODES)[number];

/** RESOURCE_EXHAUSTED is in here too, but only together with a `RetryInfo`. */
const RETRYABLE: Readonly<Partial<Record<Code, RetryableReason>>> = {
  CANCELLED: 'unavailable',
  DEADLINE_EXCEEDED: 'timeout',
  RESOURCE_EXHAUSTED: 'throttled',
  ABORTED: 'unavailable',
  OUT_OF_RANGE: 'unavailable',
  UNAVAILABLE: 'unavailable',
  DATA_LOSS: 'unavailable',
};

/**
 * Judges one attempt by the OTLP/gRPC specification (sections "Failures" and "OTLP/gRPC Throttling").
 *
 * @param requestHeaders whose values are masked where the receiver's text repeats them
 */
export function classifyGrpc(
  result: GrpcResult,
  requestHeaders: Readonly<Record<string, string>> = {},
): DeliveryOutcome {
  if (result.kind === 'failed') return classifyError(result);
  const code = CODES[result.code];
  if (code === 'OK') return classifyDelivered(result, requestHeaders);
  const message = describeStatus(result, requestHeaders);
  if (code === 'UNAUTHENTICATED' || code === 'PERMISSION_DENIED') {
    return { status: 'failure', reason: 'unauthorized', message };
  }
  const reason = code && RETRYABLE[code];
  const retryInfo = reason && readRetryInfo(result.details);
  if (reason === undefined || (code === 'RESOURCE_EXHAUSTED' && retryInfo === undefined)) {
    return { status: 'failure', reason: 'rejected', message };
  }
  const retryAfterMillis = retryInfo?.delayMillis;
  return { status: 'retryable', reason, message, ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }) };
}

function classifyDelivered({ body }: GrpcResponse, requestHeaders: Readonly<Record<string, string>>): DeliveryOutcome {
  const partial = readPartialSuccess({ headers: {}, body });
  const message = scrubMessage(partial.message, requestHeaders);
  return { status: 'success', rejected: partial.rejected, ...(message === '' ? {} : { message }) };
}

function describeStatus({ code, message }: GrpcResponse, requestHeaders: Readonly<Record<string, string>>): string {
  const name = `gRPC ${CODES[code] ?? 'status'} (${code})`;
  const remote = scrubMessage(message, requestHeaders);
  return scrubMessage(remote === '' ? name : `${name}: ${remote}`);
}
