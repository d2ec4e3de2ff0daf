import { types } from 'node:util';
import type { TracerRegistry } from './core/registry.ts';
import type { TracerBase } from './core/tracer-base.ts';
import { MessageConsumer } from './integration/consuming.ts';
import type { MessageFacts } from './integration/message-facts.ts';
import type { MessagingOptions } from './integration/messaging-options.ts';
import { beginPublishing, type Publication } from './integration/publishing.ts';
import { interceptProperty } from './processing/intercept-property.ts';

export type { MessagingOptions } from './integration/messaging-options.ts';

/** What isotrace uses of a message of amqplib. */
export interface AmqpMessage {
  readonly content: Buffer;
  readonly fields: { readonly deliveryTag: number; readonly exchange: string; readonly routingKey: string };
  readonly properties: {
    readonly headers?: Readonly<Record<string, unknown>> | undefined;
    readonly messageId?: unknown;
    readonly correlationId?: unknown;
  };
}

/** What isotrace uses of a channel of amqplib's promise or callback interface. */
export interface AmqpChannel {
  /** As `amqplib` has it. */
  publish(...args: never[]): boolean;
  /** As `amqplib` has it. */
  consume(...args: never[]): unknown;
}

/** What {@link amqplib} answers. */
export interface AmqpTracing {
  /**
   * From now on, what is published through this channel carries the trace of the tenant that publishes it, and consumers
   * that are added run as each message's tenant, inside one CONSUMER span. It ends when the consumer has returned or the
   * promise that it answered has settled; acknowledging stays with the consumer. On a confirm channel, the span of a
   * message that is published with a callback ends with the broker's answer. Answers the same channel.
   */
  channel<C extends AmqpChannel>(channel: C): C;
}

interface PublishOptions {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly messageId?: string;
  readonly correlationId?: string;
}
type Callback = (error: unknown, ...rest: unknown[]) => unknown;
type Consumer<Message> = (this: unknown, message: Message | null, ...rest: unknown[]) => unknown;

const SYSTEM = 'rabbitmq';

/**
 * For amqplib and RabbitMQ: messages carry the trace of their tenant in their headers. `tenant` gets the message. What is
 * fetched with `get` is not traced: see `consuming` of `isotrace/messaging`.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function amqplib<Message extends AmqpMessage = AmqpMessage>(
  registry: TracerRegistry<TracerBase>,
  options: MessagingOptions<Message>,
): AmqpTracing {
  const consumer = new MessageConsumer<Message>('amqplib', registry, options);
  return {
    channel: (channel) => {
      const { publish, consume } = channel as unknown as Record<'publish' | 'consume', (...args: unknown[]) => unknown>;
      const isConfirming = typeof (channel as { waitForConfirms?: unknown }).waitForConfirms === 'function';
      // `sendToQueue` publishes through `publish`.
      interceptProperty(channel, 'publish', function (this: unknown, ...args: unknown[]): unknown {
        const [exchange, routingKey, content, given, confirmed, ...rest] = args;
        const headers: Record<string, unknown> = { ...(given as PublishOptions | undefined)?.headers };
        const opts = { ...(given as PublishOptions | undefined), headers };
        const call = beginPublishing(registry, publicationOf(exchange, routingKey, opts));
        if (call === undefined) return Reflect.apply(publish, this, args);
        const waits = isConfirming && typeof confirmed === 'function';
        const answered: Callback = (error, ...more) => {
          call.end(error === null || error === undefined ? undefined : { error });
          return (confirmed as Callback)(error, ...more);
        };
        const forwarded = [exchange, routingKey, content, opts, waits ? answered : confirmed, ...rest];
        try {
          const isWritten = call.run(() => Reflect.apply(publish, this, forwarded));
          if (!waits) call.end();
          return isWritten;
        } catch (error) {
          call.end({ error });
          throw error;
        }
      });
      interceptProperty(channel, 'consume', function (this: unknown, ...args: unknown[]): unknown {
        const [queue, handler, ...rest] = args;
        const isHandler = typeof handler === 'function';
        const traced = isHandler ? inOrder(consumer, String(queue), handler as Consumer<Message>) : handler;
        return Reflect.apply(consume, this, [queue, traced, ...rest]);
      });
      return channel;
    },
  };
}

/** Starts the handler for one message after the other, as the channel would, also where tenants are known later. */
function inOrder<Message extends AmqpMessage>(
  consumer: MessageConsumer<Message>,
  queue: string,
  handler: Consumer<Message>,
): Consumer<Message> {
  let waiting: Promise<unknown> | undefined;
  return function (this: unknown, message, ...rest): unknown {
    const proceed = (): unknown => Reflect.apply(handler, this, [message, ...rest]);
    // The broker has cancelled the consumer.
    const begin = (tenantId: string | undefined): unknown =>
      message === null
        ? proceed()
        : consumer.process(
            { message, carrier: () => message.properties.headers, facts: () => factsOf(message, queue) },
            tenantId,
            proceed,
          );
    const answer = message === null ? undefined : consumer.ask(message);
    if (waiting === undefined && !types.isPromise(answer)) return begin(answer);
    const turn = Promise.all([answer, waiting]);
    const started = turn.then(([tenantId]) => ({ result: begin(tenantId) }));
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    waiting = settled;
    void settled.then(() => {
      if (waiting === settled) waiting = undefined;
    });
    return started.then(({ result }) => result);
  };
}

function publicationOf(
  exchange: unknown,
  routingKey: unknown,
  options: PublishOptions & { headers: object },
): Publication {
  const { headers, messageId, correlationId } = options;
  const names = [exchange, routingKey].filter(isName);
  return {
    system: SYSTEM,
    operation: 'publish',
    destination: names.length > 0 ? names.join(':') : 'amq.default',
    messageId,
    carriers: [headers],
    attributes: messageAttributes(routingKey, correlationId),
  };
}

/** The destination of a consumer is exchange, routing key and queue, without what is empty or said twice. */
function factsOf({ fields, properties }: AmqpMessage, queue: string): MessageFacts {
  const { exchange, routingKey, deliveryTag } = fields;
  const names = [exchange, routingKey, routingKey === queue ? '' : queue].filter(isName);
  return {
    system: SYSTEM,
    destination: names.join(':'),
    messageId: isName(properties.messageId) ? properties.messageId : undefined,
    attributes: {
      ...messageAttributes(routingKey, properties.correlationId),
      'messaging.rabbitmq.message.delivery_tag': deliveryTag,
    },
  };
}

function messageAttributes(routingKey: unknown, correlationId: unknown): Record<string, string> {
  return {
    ...(isName(routingKey) && { 'messaging.rabbitmq.destination.routing_key': routingKey }),
    ...(isName(correlationId) && { 'messaging.message.conversation_id': correlationId }),
  };
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
