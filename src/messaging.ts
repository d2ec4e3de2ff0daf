import type { TracerRegistry } from './core/registry.ts';
import type { TracerBase } from './core/tracer-base.ts';
import { type BatchDelivery, MessageConsumer, type RunAsMessage } from './integration/consuming.ts';
import type { MessageFacts } from './integration/message-facts.ts';
import type { MessagingOptions } from './integration/messaging-options.ts';

export type { RunAsMessage } from './integration/consuming.ts';
export type { MessageFacts } from './integration/message-facts.ts';
export type { MessagingOptions } from './integration/messaging-options.ts';
export { type Publication, publishing } from './integration/publishing.ts';

/** What messages of a queue are to {@link consuming}; the functions are called for each. */
export interface ConsumingOptions<Message> extends MessagingOptions<Message> {
  /** The headers of a message, as its publisher's {@link publishing} wrote them. */
  readonly carrier: (message: Message) => unknown;
  /** Where a message comes from. */
  readonly facts: (message: Message) => MessageFacts;
}

/**
 * Wraps the handler of a queue that has no adapter of its own: it runs as each message's tenant, inside one CONSUMER span
 * that ends when its result is over. What it throws or rejects with is recorded and comes out as the very same value. With
 * an asynchronous `tenant` it is called later and answers a promise.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function consuming<Message, Rest extends readonly unknown[], T>(
  registry: TracerRegistry<TracerBase>,
  options: ConsumingOptions<Message>,
  handler: (message: Message, ...rest: Rest) => T,
): (message: Message, ...rest: Rest) => T | Promise<Awaited<T>> {
  const { carrier, facts, ...messaging } = { ...options };
  const consumer = new MessageConsumer<Message>('consuming', registry, messaging);
  return (message, ...rest) =>
    consumer.handle({ message, carrier: () => carrier(message), facts: () => facts(message) }, () =>
      handler(message, ...rest),
    );
}

/**
 * The same for a handler of batches. Each tenant with messages in a batch gets one span with links to them. If all are of
 * one tenant the handler runs as that tenant, else as none, and `run(message, fn)` runs `fn` as that of a message.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function consumingBatch<Message, T>(
  registry: TracerRegistry<TracerBase>,
  options: ConsumingOptions<Message>,
  handler: (messages: readonly Message[], run: RunAsMessage<Message>) => T,
): (messages: readonly Message[]) => T | Promise<Awaited<T>> {
  const { carrier, facts, ...messaging } = { ...options };
  const consumer = new MessageConsumer<Message>('consumingBatch', registry, messaging);
  return (messages) => {
    const batch: BatchDelivery<Message> = { messages, carrier, facts: () => factsOf(messages, facts) };
    return consumer.handleBatch(batch, (run) => handler(messages, run));
  };
}

/** What is said of a whole batch is what its first message says, without its id. */
function factsOf<Message>(messages: readonly Message[], facts: (message: Message) => MessageFacts): MessageFacts {
  const [first] = messages;
  if (first === undefined) return { system: 'unknown' };
  const { messageId: _one, ...shared } = facts(first);
  return shared;
}
