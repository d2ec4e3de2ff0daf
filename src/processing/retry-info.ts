import { bytesOf, lastFields, readFields } from './proto-reader.ts';

/** That a receiver sent a `google.rpc.RetryInfo` already says that trying again may help. */
export interface RetryInfo {
  /** At most ten minutes; `undefined` when none, zero or less was given. */
  readonly delayMillis: number | undefined;
}

const MAX_MILLIS = 600_000;
/** google/rpc/status.proto, google/protobuf/any.proto, google/rpc/error_details.proto, google/protobuf/duration.proto. */
const STATUS_DETAILS = 3;
const ANY = { typeUrl: 1, value: 2 } as const;
const RETRY_DELAY = 1;
const DURATION = { seconds: 1, nanos: 2 } as const;
const RETRY_INFO = 'google.rpc.RetryInfo';

/** The first `RetryInfo` among the details of a `google.rpc.Status`; bytes that cannot be read have none. */
export function readRetryInfo(status: Uint8Array | undefined): RetryInfo | undefined {
  if (status === undefined) return undefined;
  let found: RetryInfo | undefined;
  try {
    readFields(status, (field, value) => {
      if (field !== STATUS_DETAILS || found !== undefined) return;
      const any = lastFields(bytesOf(value));
      const type = new TextDecoder().decode(bytesOf(any.get(ANY.typeUrl)));
      if (type === RETRY_INFO || type.endsWith(`/${RETRY_INFO}`)) found = { delayMillis: delayOf(any.get(ANY.value)) };
    });
  } catch {
    return undefined;
  }
  return found;
}

function delayOf(retryInfo: bigint | Uint8Array | undefined): number | undefined {
  const duration = lastFields(bytesOf(lastFields(bytesOf(retryInfo)).get(RETRY_DELAY)));
  const part = (field: number): number => {
    const value = duration.get(field);
    return typeof value === 'bigint' ? Number(value) : 0;
  };
  const millis = part(DURATION.seconds) * 1_000 + part(DURATION.nanos) / 1_000_000;
  return millis > 0 ? Math.min(millis, MAX_MILLIS) : undefined;
}
