import { cutString, printBigInt } from './cut-string.ts';

/** What went wrong, as a stable string to branch on. */
export type IsotraceErrorCode =
  /** Options were rejected under `strict: true`; `issues` lists every problem. */
  | 'config_invalid'
  /** A user-supplied hook (`configure`, `headers`, exporter …) failed, hung or returned something unusable. */
  | 'hook_failed'
  /** A wait ended at its deadline. */
  | 'deadline_exceeded';

/** One problem found in the options. */
export interface ConfigIssue {
  /** Path of the option, such as `batch.maxSize`. */
  readonly option: string;
  /** What would have been accepted, in words. */
  readonly accepted: string;
  /** What was received, shortened; secrets are masked. */
  readonly received: string;
}

/** The only error class that isotrace throws or reports. Recognise it by `code`. */
export class IsotraceError extends Error {
  override readonly name = 'IsotraceError';
  /** What tells errors apart; messages may change. */
  readonly code: IsotraceErrorCode;
  /** Every problem, where there were several; else empty. */
  readonly issues: readonly ConfigIssue[];

  constructor(
    code: IsotraceErrorCode,
    message: string,
    options?: { cause?: unknown; issues?: readonly ConfigIssue[] },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.issues = options?.issues ?? [];
  }
}

/** A short, safe text for any thrown value; never throws, whatever the value is. */
export function describeError(error: unknown, maxLength = 512): string {
  let text: string;
  try {
    if (error instanceof Error) text = `${print(error.name)}: ${print(error.message)}`;
    else if (typeof error === 'bigint') text = printBigInt(error);
    else if (Array.isArray(error)) text = `an array of ${error.length}`;
    else text = String(error);
  } catch {
    text = 'an error that cannot be described';
  }
  return text.length > maxLength ? `${cutString(text, maxLength)}…` : text;
}

/** An error's fields may be anything; a large array, say, must not be written out. */
function print(field: unknown): string {
  return typeof field === 'string' ? field : `(${typeof field})`;
}
