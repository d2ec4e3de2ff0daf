import { type SpanStatus, SpanStatusCode } from '@opentelemetry/api';
import { cutString } from '../utils/cut-string.ts';

/**
 * What a span's status becomes by `setStatus` (OpenTelemetry specification, "Set Status"): `OK` is final, only an error
 * has a message, `UNSET` and whatever is no status change nothing.
 */
export function nextStatus(current: SpanStatus, given: SpanStatus, maxLength: number): SpanStatus {
  const { code, message } = given;
  if (code !== SpanStatusCode.OK && code !== SpanStatusCode.ERROR) return current;
  if (current.code === SpanStatusCode.OK) return current;
  const isTold = code === SpanStatusCode.ERROR && typeof message === 'string';
  return isTold ? { code, message: cutString(message, maxLength) } : { code };
}
