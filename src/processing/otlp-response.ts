import { bytesOf, lastFields, type ProtoValue } from './proto-reader.ts';

/** What a collector says in the body of a successful answer about what it did not take. */
export interface PartialSuccess {
  /** Spans, data points or log records, at most `Number.MAX_SAFE_INTEGER`. */
  readonly rejected: number;
  /** Empty when the collector gave none. */
  readonly message: string;
}

/** What the sender needs of the answer; a `TransportResponse` has this shape. */
export interface OtlpResponse {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const NOTHING_REJECTED: PartialSuccess = { rejected: 0, message: '' };
/** A site, or the login before it, answers everything with success. */
const WEB_PAGE: PartialSuccess = { rejected: 0, message: 'the answer is a web page, and not that of an OTLP receiver' };

/**
 * Reads `partial_success` of an `Export…ServiceResponse`, protobuf or JSON, of any signal. Anything that
 * cannot be read says nothing was rejected: the status line has already said that the data arrived. Of a web page the
 * message says that it is one.
 */
export function readPartialSuccess(response: OtlpResponse): PartialSuccess {
  try {
    if (/^text\/html\b/i.test(contentType(response))) return WEB_PAGE;
    if (!isReadable(response)) return NOTHING_REJECTED;
    if (isJson(response)) return partialSuccessOfJson(readJson(response.body));
    if (!isProtobuf(response) && contentType(response) !== '') return NOTHING_REJECTED;
    const partial = lastFields(bytesOf(lastFields(response.body).get(1)));
    return { rejected: toCount(partial.get(1)), message: textOf(partial.get(2)) };
  } catch {
    return NOTHING_REJECTED;
  }
}

/** The text of an error answer: `google.rpc.Status` in protobuf or JSON, or plain text. May be empty. */
export function readErrorMessage(response: OtlpResponse): string {
  try {
    if (!isReadable(response)) return '';
    if (isJson(response)) {
      const message = field(readJson(response.body), 'message');
      return typeof message === 'string' ? message : '';
    }
    if (isProtobuf(response)) return textOf(lastFields(response.body).get(2));
    return /^text\/plain/i.test(contentType(response)) ? decode(response.body) : '';
  } catch {
    return '';
  }
}

function partialSuccessOfJson(value: unknown): PartialSuccess {
  const partial = field(value, 'partialSuccess');
  const rejected =
    field(partial, 'rejectedSpans') ?? field(partial, 'rejectedDataPoints') ?? field(partial, 'rejectedLogRecords');
  const message = field(partial, 'errorMessage');
  return {
    // Protobuf's JSON writes 64-bit integers as strings and readers accept numbers too.
    rejected: typeof rejected === 'number' || typeof rejected === 'string' ? toCount(BigInt(rejected)) : 0,
    message: typeof message === 'string' ? message : '',
  };
}

function toCount(value: ProtoValue | undefined): number {
  if (typeof value !== 'bigint' || value < 0n) return 0;
  return Number(value < BigInt(Number.MAX_SAFE_INTEGER) ? value : BigInt(Number.MAX_SAFE_INTEGER));
}

function textOf(value: ProtoValue | undefined): string {
  return decode(bytesOf(value));
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function readJson(bytes: Uint8Array): unknown {
  return JSON.parse(decode(bytes));
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function contentType({ headers }: OtlpResponse): string {
  return headers['content-type'] ?? '';
}

function isJson(response: OtlpResponse): boolean {
  return /^application\/json\b/i.test(contentType(response));
}

function isProtobuf(response: OtlpResponse): boolean {
  return /^application\/(x-)?protobuf\b/i.test(contentType(response));
}

/** We ask for no compression; who compresses nevertheless is not read, which also disarms bombs. */
function isReadable({ headers }: OtlpResponse): boolean {
  return (headers['content-encoding'] ?? 'identity') === 'identity';
}
