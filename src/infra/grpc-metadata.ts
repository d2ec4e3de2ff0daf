import type { Metadata } from '@grpc/grpc-js';
import type { GrpcLibrary } from './grpc-library.ts';

/** HTTP/2 allows no header of the connection, and the library would give up all calls on it over one. */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);

/** Throws for what gRPC cannot carry; the error names neither header nor value. */
export function createMetadata(library: GrpcLibrary, headers: Readonly<Record<string, string>>): Metadata {
  const metadata = new library.Metadata();
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (CONNECTION_HEADERS.has(lower) || lower.startsWith('grpc-')) continue;
    try {
      metadata.set(lower, lower.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
    } catch {
      throw new TypeError('a header cannot be sent over gRPC: values are printable ASCII');
    }
  }
  return metadata;
}
