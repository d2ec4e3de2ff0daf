/** A store cannot answer. The message is for the one who asked: it holds nothing of the question or of credentials. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  /** Whether the same question may be answered later. */
  readonly retryable: boolean;

  /** For stores of one's own to reject with. */
  constructor(message: string, retryable: boolean, cause?: unknown) {
    super(message, { cause });
    this.retryable = retryable;
  }
}
