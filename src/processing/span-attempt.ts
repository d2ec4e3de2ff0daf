import type { Clock } from '../utils/clock.ts';
import { describeError } from '../utils/errors.ts';
import type { Headers } from '../utils/headers.ts';
import type { Agenda } from './agenda.ts';
import { limitAttempt } from './attempt-limit.ts';
import type { DeliveryOutcome } from './outcome.ts';
import type { SpanSender, WireSettings } from './span-sender.ts';

/** Where a cargo's requests go. */
export interface SpanDestination extends WireSettings {
  /** Limit of one attempt, reading the headers included. */
  readonly timeoutMillis: number;
  /** The headers for one attempt, read anew each time; rejects when they cannot be had. */
  readonly headers: () => Headers | Promise<Headers>;
}

export interface AttemptParts {
  readonly destination: SpanDestination;
  readonly agenda: Agenda;
  readonly clock: Clock;
  readonly send: SpanSender;
}

const NO_HEADERS = 'the headers function did not answer in time';

/**
 * One try to deliver encoded spans, with the credentials of this moment. `contentType` is that of the body where it is
 * not the destination's own. Rejects only when `frame` throws.
 */
export async function attemptSpans(
  { agenda, clock, destination, send }: AttemptParts,
  frame: () => Uint8Array,
  signal: AbortSignal,
  contentType?: string,
): Promise<DeliveryOutcome> {
  const endsAt = clock.monotonic() + destination.timeoutMillis;
  let headers: Headers | 'timeout' | 'aborted';
  try {
    const given = destination.headers();
    headers = given instanceof Promise ? await limitAttempt(given, { agenda, endsAt, signal }) : given;
  } catch (error) {
    return { status: 'retryable', reason: 'hook', message: describeError(error) };
  }
  if (headers === 'aborted') return { status: 'retryable', reason: 'aborted', message: 'given up' };
  if (headers === 'timeout') return { status: 'retryable', reason: 'hook', message: NO_HEADERS };
  const timeoutMillis = Math.max(Math.ceil(endsAt - clock.monotonic()), 1);
  return send({ body: frame(), headers, timeoutMillis, signal, ...(contentType !== undefined && { contentType }) });
}
