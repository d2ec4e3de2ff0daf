import type { Attributes } from '@opentelemetry/api';
import type { TracerRegistry } from './core/registry.ts';
import type { TracerBase } from './core/tracer-base.ts';
import { MessageConsumer, type RunAsMessage } from './integration/consuming.ts';
import type { MessageFacts } from './integration/message-facts.ts';
import type { MessagingOptions } from './integration/messaging-options.ts';
import { publishing } from './integration/publishing.ts';
import { interceptProperty } from './processing/intercept-property.ts';

export type { RunAsMessage } from './integration/consuming.ts';
export type { MessagingOptions } from './integration/messaging-options.ts';

/** A header's value, as kafkajs has it. */
type KafkaHeader = Buffer | string | (Buffer | string)[] | undefined;

/** What isotrace uses of a message that kafkajs delivers. */
export interface KafkaMessage {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly offset: string;
  /** As `kafkajs` has it. */
  readonly headers?: Record<string, KafkaHeader> | undefined;
}

/** What the callbacks get of a message. */
export interface KafkaDelivery {
  readonly topic: string;
  readonly partition: number;
  readonly message: KafkaMessage;
}

/** What isotrace uses of the payload of `eachBatch`. */
export interface KafkaBatchPayload {
  readonly batch: { readonly topic: string; readonly partition: number; readonly messages: readonly KafkaMessage[] };
}

/** What isotrace uses of a producer of kafkajs, and of its transactions. */
export interface KafkaProducer {
  /** As `kafkajs` has it. */
  send(...args: never[]): Promise<unknown>;
  /** As `kafkajs` has it. */
  sendBatch(...args: never[]): Promise<unknown>;
  /** As `kafkajs` has it. */
  transaction?(...args: never[]): Promise<unknown>;
}

/** What {@link kafkajs} answers. */
export interface KafkaTracing {
  /**
   * From now on, what is sent through this producer and its transactions carries the trace of the tenant that sends it.
   * Answers the same producer.
   */
  producer<P extends KafkaProducer>(producer: P): P;
  /** Wraps `eachMessage`: it runs as each message's tenant, inside one CONSUMER span. */
  eachMessage<P extends KafkaDelivery>(handler: (payload: P) => Promise<void>): (payload: P) => Promise<void>;
  /**
   * Wraps `eachBatch`: each tenant with messages in the batch gets one span with links to them. If all are of one tenant
   * it runs as that tenant, else as none, and `run(message, fn)` runs `fn` as that of a message.
   */
  eachBatch<P extends KafkaBatchPayload>(
    handler: (payload: P, run: RunAsMessage<P['batch']['messages'][number]>) => Promise<void>,
  ): (payload: P) => Promise<void>;
}

interface NewMessage {
  readonly key?: unknown;
  readonly value?: unknown;
  readonly headers?: Record<string, unknown>;
}
interface TopicMessages {
  readonly topic: string;
  readonly messages: readonly NewMessage[];
}
type Send = (...args: unknown[]) => Promise<unknown>;

const SYSTEM = 'kafka';
/** Kafka's headers are bytes. */
const PROPAGATED = ['traceparent', 'tracestate', 'baggage', 'isotrace-mark'];
const MAX_KEY_LENGTH = 256;

/**
 * For kafkajs: messages carry the trace of their tenant in their headers. `tenant` gets topic, partition and message.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function kafkajs(registry: TracerRegistry<TracerBase>, options: MessagingOptions<KafkaDelivery>): KafkaTracing {
  const consumer = new MessageConsumer<KafkaDelivery>('kafkajs', registry, options);
  const intercept = (sender: KafkaProducer): void => {
    const { send, sendBatch, transaction } = sender as unknown as Record<string, Send | undefined>;
    if (send !== undefined) {
      interceptProperty(sender, 'send', function (this: unknown, record: TopicMessages, ...rest: unknown[]) {
        return publish(registry, [record], ([carried]) => Reflect.apply(send, this, [carried, ...rest]) as unknown);
      });
    }
    if (sendBatch !== undefined) {
      type Batch = { readonly topicMessages?: readonly TopicMessages[] } | undefined;
      interceptProperty(sender, 'sendBatch', function (this: unknown, given: Batch, ...rest: unknown[]) {
        const forward = (topicMessages: readonly TopicMessages[] | undefined): unknown =>
          Reflect.apply(sendBatch, this, [topicMessages === undefined ? given : { ...given, topicMessages }, ...rest]);
        const topicMessages = given?.topicMessages;
        return Array.isArray(topicMessages) ? publish(registry, topicMessages, forward) : forward(undefined);
      });
    }
    if (transaction !== undefined) {
      interceptProperty(sender, 'transaction', async function (this: unknown, ...args: unknown[]) {
        const begun = (await Reflect.apply(transaction, this, args)) as KafkaProducer;
        intercept(begun);
        return begun;
      });
    }
  };
  return {
    producer: (producer) => {
      intercept(producer);
      return producer;
    },
    eachMessage: (handler) => async (payload) => {
      const delivery = { message: payload, carrier: () => carrierOf(payload.message), facts: () => factsOf(payload) };
      await consumer.handle(delivery, () => handler(payload));
    },
    eachBatch: (handler) => async (payload) => {
      const { topic, partition, messages } = payload.batch;
      const deliveries = new Map(messages.map((message) => [message, { topic, partition, message }] as const));
      const batch = {
        messages: [...deliveries.values()],
        carrier: ({ message }: KafkaDelivery) => carrierOf(message),
        facts: () => ({ system: SYSTEM, destination: topic, attributes: partitionOf(partition) }),
      };
      await consumer.handleBatch(batch, (run) =>
        handler(payload, (message, fn) => {
          const delivery = deliveries.get(message);
          return delivery === undefined ? fn() : run(delivery, fn);
        }),
      );
    },
  };
}

function publish(
  registry: TracerRegistry<TracerBase>,
  records: readonly TopicMessages[],
  forward: (carried: readonly TopicMessages[]) => unknown,
): unknown {
  // What is not as kafkajs wants it, it refuses itself.
  if (!records.every((record) => Array.isArray(record?.messages))) return forward(records);
  const carried = records.map((record) => ({ ...record, messages: record.messages.map(withHeaders) }));
  const messages = carried.flatMap((record) => record.messages);
  const topics = new Set(carried.map(({ topic }) => topic));
  const [single] = messages.length === 1 ? messages : [];
  const message = {
    system: SYSTEM,
    destination: topics.size === 1 ? carried[0]?.topic : undefined,
    carriers: messages.map(({ headers }) => headers),
    ...(single === undefined ? { batchSize: messages.length } : { attributes: contentOf(single) }),
    finalAttributes: (answer: unknown) => (single === undefined ? undefined : positionOf(answer)),
  };
  return publishing(registry, message, () => forward(carried));
}

/** A copy with headers of its own; what it carries already is made readable. */
function withHeaders(message: NewMessage): NewMessage & { readonly headers: Record<string, unknown> } {
  const headers: Record<string, unknown> = { ...message?.headers };
  for (const name of PROPAGATED) if (Buffer.isBuffer(headers[name])) headers[name] = headers[name].toString();
  return { ...message, headers };
}

function carrierOf({ headers }: KafkaMessage): Record<string, string> {
  const carrier: Record<string, string> = {};
  for (const name of PROPAGATED) {
    const header = headers?.[name];
    if (typeof header === 'string' || Buffer.isBuffer(header)) carrier[name] = header.toString();
  }
  return carrier;
}

function factsOf({ topic, partition, message }: KafkaDelivery): MessageFacts {
  const attributes = {
    ...partitionOf(partition),
    ...offsetOf(message.offset),
    ...contentOf(message),
  };
  return { system: SYSTEM, destination: topic, attributes };
}

function contentOf({ key, value }: { readonly key?: unknown; readonly value?: unknown }): Attributes {
  const text = Buffer.isBuffer(key) ? key.toString() : key;
  return {
    ...(typeof text === 'string' && { 'messaging.kafka.message.key': text.slice(0, MAX_KEY_LENGTH) }),
    ...(value === null && { 'messaging.kafka.message.tombstone': true }),
  };
}

function partitionOf(partition: number): Attributes {
  return { 'messaging.destination.partition.id': String(partition) };
}

function offsetOf(offset: string | undefined): Attributes {
  const number = Number(offset);
  return offset !== undefined && Number.isSafeInteger(number) ? { 'messaging.kafka.offset': number } : {};
}

/** Where the one message went. */
function positionOf(answer: unknown): Attributes | undefined {
  const [metadata] = answer as readonly { readonly partition: number; readonly baseOffset?: string }[];
  return metadata && { ...partitionOf(metadata.partition), ...offsetOf(metadata.baseOffset) };
}
