import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

export type BodyOutcome =
  | { readonly outcome: 'read'; readonly bytes: Buffer }
  | { readonly outcome: 'too-large' }
  | { readonly outcome: 'overloaded' }
  | { readonly outcome: 'malformed' }
  | { readonly outcome: 'aborted' };

/** How much of all bodies may be in memory at a time. */
export class BodyBudget {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  take(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes <= this.#maxBytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/**
 * Reads a body, `gzip` or plain, and stops as soon as it has more than `maxBytes`: what a small body would inflate to
 * is never in memory as a whole. Never rejects.
 */
export function readBody(
  request: IncomingMessage,
  gzip: boolean,
  maxBytes: number,
  budget: BodyBudget,
): Promise<BodyOutcome> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return Promise.resolve({ outcome: 'too-large' });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let received = 0;
    const gunzip = gzip ? createGunzip() : undefined;
    const body: Readable = gunzip === undefined ? request : request.pipe(gunzip);
    const end = (outcome: BodyOutcome): void => {
      budget.give(length);
      length = 0;
      chunks.length = 0;
      request.off('data', countReceived);
      body.off('data', take);
      if (gunzip !== undefined) {
        request.unpipe(gunzip);
        gunzip.destroy();
      }
      resolve(outcome);
    };
    const countReceived = (chunk: Buffer): void => {
      received += chunk.length;
      if (received > maxBytes) end({ outcome: 'too-large' });
    };
    const take = (chunk: Buffer): void => {
      length += chunk.length;
      const fits = budget.take(chunk.length);
      if (length > maxBytes) end({ outcome: 'too-large' });
      else if (fits) chunks.push(chunk);
      else end({ outcome: 'overloaded' });
    };
    if (gunzip !== undefined) request.on('data', countReceived);
    body.on('data', take);
    body.once('end', () => end({ outcome: 'read', bytes: Buffer.concat(chunks) }));
    gunzip?.once('error', () => end({ outcome: 'malformed' }));
    request.once('error', () => end({ outcome: 'aborted' }));
    request.once('aborted', () => end({ outcome: 'aborted' }));
  });
}
