/** Bytes or JSON that are no OTLP request. The message is short, holds nothing of the content and may be shown. */
export class MalformedOtlpError extends Error {
  override readonly name = 'MalformedOtlpError';
}
