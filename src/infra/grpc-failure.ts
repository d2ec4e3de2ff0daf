import { networkFailure } from './network-error.ts';
import type { TransportFailure } from './transport.ts';

export interface GrpcFailure {
  readonly reason: TransportFailure;
  readonly message: string;
}

/** How the library says that it could not connect. */
const NOT_CONNECTED = /^No connection established\. Last error: (?<error>.*?)(?:\. Resolution note:.*)?$/s;
/** A time stamp, which would make each message a new one. */
const TIME_STAMP = / \(\d{4}-\d\d-\d\dT[\d:.]+Z\)/g;
/** How it says that a stream ended without the receiver having given a status. */
const CUT_OFF =
  /^(?:Connection dropped|Stream refused by server|Received RST_STREAM with code|Bandwidth exhausted|Write error:|Write failed|Failed to start HTTP\/2 stream|Channel closed before|read E|write E)/;
const CODE = /\b(?:ERR_[A-Z0-9_]+|E[A-Z]{4,})\b/;
const TLS = /certificate|altname|SSL routines/i;
const CLOSED = /closed|disconnected|hang up|Failed to connect/i;

/**
 * Tells what the library found out itself from what the receiver said: both come as a status with a text, and only by
 * the text can it be known. `undefined` for the receiver's. One that imitates the text decides no more than how its own
 * refusal is called.
 */
export function localFailure(details: string): GrpcFailure | undefined {
  const error = NOT_CONNECTED.exec(details)?.groups?.['error'];
  if (error !== undefined) {
    const message = error.replace(TIME_STAMP, '').replace(/^Error: /, '');
    return { reason: connectFailure(message), message };
  }
  if (CUT_OFF.test(details)) return { reason: 'reset', message: details };
  return undefined;
}

function connectFailure(message: string): TransportFailure {
  if (TLS.test(message)) return 'tls';
  const code = CODE.exec(message)?.[0];
  if (code !== undefined) return networkFailure({ code });
  return CLOSED.test(message) ? 'reset' : 'protocol';
}
