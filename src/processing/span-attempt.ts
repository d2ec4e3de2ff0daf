import type { Clock } from '../utils/clock.ts';
import { describeError } from '../utils/errors.ts';
import type { Headers } from '../utils/headers.ts';
import type { StopSignal } from '../utils/stop-signal.ts';
import type { Agenda } from './agenda.ts';
import { type CutShort, limitAttempt } from './attempt-limit.ts';
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
 * not the destination's own. Throws or rejects only when `frame` throws.
 */
export function attemptSpans(
  parts: AttemptParts,
  frame: () => Uint8Array,
  signal: StopSignal,
  contentType?: string,
): Promise<DeliveryOutcome> {
  const { clock, destination, send } = parts;
  const endsAt = clock.monotonic() + destination.timeoutMillis;
  const attempt = (headers: Headers): Promise<DeliveryOutcome> => {
    const timeoutMillis = Math.max(Math.ceil(endsAt - clock.monotonic()), 1);
    return send({ body: frame(), headers, timeoutMillis, signal, ...(contentType !== undefined && { contentType }) });
  };
  let headers: Headers | Promise<Headers>;
  try {
    headers = destination.headers();
  } catch (error) {
    return Promise.resolve(hookFailure(describeError(error)));
  }
  // Without a promise of its own where the headers are there: it would cost each request.
  return headers instanceof Promise ? attemptLater(parts, headers, { endsAt, signal }, attempt) : attempt(headers);
}

async function attemptLater(
  { agenda }: AttemptParts,
  given: Promise<Headers>,
  limit: { readonly endsAt: number; readonly signal: StopSignal },
  attempt: (headers: Headers) => Promise<DeliveryOutcome>,
): Promise<DeliveryOutcome> {
  let headers: Headers | CutShort;
  try {
    headers = await limitAttempt(given, { agenda, ...limit });
  } catch (error) {
    return hookFailure(describeError(error));
  }
  if (headers === 'aborted') return { status: 'retryable', reason: 'aborted', message: 'given up' };
  return headers === 'timeout' ? hookFailure(NO_HEADERS) : attempt(headers);
}

function hookFailure(message: string): DeliveryOutcome {
  return { status: 'retryable', reason: 'hook', message };
}
