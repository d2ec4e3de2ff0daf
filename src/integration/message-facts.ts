import type { Attributes, Context, Span } from '@opentelemetry/api';
import { context as contextApi, SpanStatusCode } from '@opentelemetry/api';
import type { CallFailure, CallScope } from '../processing/call-scope.ts';
import { errorMessage, errorType } from '../processing/exception.ts';

/** What the semantic conventions for messaging say of one operation. */
export interface MessageFacts {
  /** `messaging.system`, such as `'rabbitmq'`. */
  readonly system: string;
  /** `messaging.destination.name`: the queue or topic; none for an operation on several. */
  readonly destination?: string | undefined;
  /** `messaging.operation.name`, as the library calls it. Default: `'send'` or `'process'`. */
  readonly operation?: string | undefined;
  /** `messaging.message.id`; of single messages only. */
  readonly messageId?: string | undefined;
  /** `messaging.batch.message_count`; of operations on batches only. */
  readonly batchSize?: number | undefined;
  /** More, of this messaging system. */
  readonly attributes?: Attributes | undefined;
}

/** The attributes by OpenTelemetry's semantic conventions for messaging spans (in development, of August 2026). */
export function messageAttributes(facts: MessageFacts, type: 'send' | 'process'): Attributes {
  const { system, destination, operation = type, messageId, batchSize, attributes } = facts;
  return {
    'messaging.system': system,
    'messaging.operation.type': type,
    'messaging.operation.name': operation,
    ...(destination !== undefined && { 'messaging.destination.name': destination }),
    ...(messageId !== undefined && { 'messaging.message.id': messageId }),
    ...(batchSize !== undefined && { 'messaging.batch.message_count': batchSize }),
    ...attributes,
  };
}

/** `{messaging.operation.name} {destination}`, or the former alone. */
export function messageSpanName({ operation, destination }: MessageFacts, type: 'send' | 'process'): string {
  const name = operation ?? type;
  return destination === undefined ? name : `${name} ${destination}`;
}

export interface MessageCallOptions {
  /** Whether what was thrown is an error; libraries also throw to say what is to become of a message. Default: all is. */
  readonly isError?: ((error: unknown) => boolean) | undefined;
  /** What is known only when it is over. What it throws is contained. */
  readonly finalAttributes?: ((value: unknown) => Attributes | undefined) | undefined;
  /** Whether the error may say something of other tenants, so that only its class is recorded. */
  readonly isShared?: boolean;
}

/** Sending or processing a message: its span is active in it, records how it fails, and ends with it, once. */
export class MessageCall implements CallScope {
  readonly #span: Span;
  readonly #context: Context;
  readonly #options: MessageCallOptions;

  constructor(span: Span, context: Context, options: MessageCallOptions = {}) {
    this.#span = span;
    this.#context = context;
    this.#options = options;
  }

  run<T>(fn: () => T): T {
    return contextApi.with(this.#context, fn);
  }

  end(failure?: CallFailure, value?: unknown): void {
    if (failure !== undefined) this.fail(failure.error, this.#options.isShared);
    else this.#complete(value);
    this.#span.end();
  }

  /** Records what went wrong. */
  fail(error: unknown, isShared = false): void {
    if (!this.#isError(error)) return;
    if (!isShared) this.#span.recordException(error as Error);
    const message = isShared ? '' : errorMessage(error);
    this.#span.setAttribute('error.type', errorType(error) ?? '_OTHER');
    this.#span.setStatus({ code: SpanStatusCode.ERROR, ...(message !== '' && { message }) });
  }

  #isError(error: unknown): boolean {
    try {
      return this.#options.isError?.(error) ?? true;
    } catch {
      return true;
    }
  }

  #complete(value: unknown): void {
    try {
      const attributes = this.#options.finalAttributes?.(value);
      if (attributes !== undefined) this.#span.setAttributes(attributes);
    } catch {
      // What the library answered is not as expected; the span does without it.
    }
  }
}
