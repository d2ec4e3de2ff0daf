import { scrubMessage } from '../infra/scrub-message.ts';
import type { TransportError, TransportResponse, TransportResult } from '../infra/transport.ts';
import { readErrorMessage, readPartialSuccess } from './otlp-response.ts';
import { parseRetryAfter } from './retry-after.ts';

/** What an attempt means for the data that it carried. Messages are safe to log: at most 512 characters, masked. */
export type DeliveryOutcome =
  | {
      readonly status: 'success';
      /** Items that the receiver did not take; never to be sent again. Not yet held against the batch's size. */
      readonly rejected: number;
      /** The receiver's warning, also without rejected items. */
      readonly message?: string;
    }
  | {
      readonly status: 'retryable';
      readonly reason: RetryableReason;
      readonly message: string;
      /** Wait at least this long, as the receiver asked; at most ten minutes. */
      readonly retryAfterMillis?: number;
    }
  | { readonly status: 'failure'; readonly reason: FailureReason; readonly message: string };

export type RetryableReason =
  /** 429. */
  | 'throttled'
  /** 502, 503 or 504. */
  | 'unavailable'
  | 'timeout'
  | 'refused'
  | 'reset'
  | 'dns'
  /** We gave up ourselves, for a shutdown. */
  | 'aborted'
  /** The user's exporter or headers function failed. */
  | 'hook';

export type FailureReason =
  /** The receiver refuses this data for good. */
  | 'rejected'
  /** 413: smaller batches may pass. */
  | 'too_large'
  /** 401 or 403: other credentials may pass. */
  | 'unauthorized'
  /** The endpoint is not what was configured: TLS, a redirect, no HTTP, no public address. The data may be good. */
  | 'config';

/**
 * Judges one attempt by the OTLP/HTTP specification (section "Failures" and "Partial Success"). Once a
 * 2xx status has arrived the data counts as delivered, whatever the body looks like or the connection did.
 *
 * @param requestHeaders whose values are masked where the receiver's text repeats them
 */
export function classifyHttp(
  result: TransportResult,
  nowEpochMillis: number,
  requestHeaders: Readonly<Record<string, string>> = {},
): DeliveryOutcome {
  if (result.kind === 'failed') return classifyError(result);
  if (result.status < 300) return classifySuccess(result, requestHeaders);
  const message = describeStatus(result, requestHeaders);
  switch (result.status) {
    case 429:
      return retryable('throttled', message, result, nowEpochMillis);
    case 502:
    case 503:
    case 504:
      return retryable('unavailable', message, result, nowEpochMillis);
    case 413:
      return { status: 'failure', reason: 'too_large', message };
    case 401:
    case 403:
      return { status: 'failure', reason: 'unauthorized', message };
    case 407:
      // From a proxy: the data never came to the receiver.
      return { status: 'failure', reason: 'config', message };
    default:
      return { status: 'failure', reason: result.status < 400 ? 'config' : 'rejected', message };
  }
}

/** What an attempt without a status means, whatever the protocol. */
export function classifyError({ reason, message }: TransportError): DeliveryOutcome {
  if (reason === 'tls' || reason === 'protocol' || reason === 'forbidden') {
    return { status: 'failure', reason: 'config', message };
  }
  return { status: 'retryable', reason, message };
}

function classifySuccess(
  response: TransportResponse,
  requestHeaders: Readonly<Record<string, string>>,
): DeliveryOutcome {
  const partial = readPartialSuccess(response);
  const message = scrubMessage(partial.message, requestHeaders);
  return { status: 'success', rejected: partial.rejected, ...(message === '' ? {} : { message }) };
}

function retryable(
  reason: RetryableReason,
  message: string,
  { headers }: TransportResponse,
  nowEpochMillis: number,
): DeliveryOutcome {
  const retryAfterMillis = parseRetryAfter(headers['retry-after'], nowEpochMillis);
  return { status: 'retryable', reason, message, ...(retryAfterMillis === undefined ? {} : { retryAfterMillis }) };
}

function describeStatus(response: TransportResponse, requestHeaders: Readonly<Record<string, string>>): string {
  const remote = scrubMessage(readErrorMessage(response), requestHeaders);
  return scrubMessage(remote === '' ? `HTTP ${response.status}` : `HTTP ${response.status}: ${remote}`);
}
