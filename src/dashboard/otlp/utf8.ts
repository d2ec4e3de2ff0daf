import { MalformedOtlpError } from './malformed.ts';

/** Throws {@link MalformedOtlpError} on bytes that are none. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new MalformedOtlpError('the body is no UTF-8');
  }
}
