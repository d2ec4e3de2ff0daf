import { type Consumer, Kafka, logLevel, type Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type KafkaDelivery, type KafkaTracing, kafkajs } from '../../../src/kafkajs.ts';
import { type MessagingOptions, publishing } from '../../../src/messaging.ts';
import { type Kafka as Broker, findKafka, startKafka } from '../../support/kafka.ts';
import { CONSUMER, ERROR, type MessagingWorld, named, only, PRODUCER, startWorld } from './messaging-kit.ts';

const program = findKafka();

describe.skipIf(program === undefined)(
  "kafkajs with librdkafka's brokers (skipped where kcat is not installed)",
  () => {
    let broker: Broker;
    let serial = 0;

    beforeAll(async () => {
      if (program !== undefined) broker = await startKafka(program);
    });
    afterAll(() => broker?.stop());

    interface Shop {
      readonly world: MessagingWorld;
      readonly tracing: KafkaTracing;
      readonly producer: Producer;
      readonly topic: string;
      /** A consumer of the topic from its beginning. */
      consumer(): Promise<Consumer>;
      /** What consumers have failed with. */
      readonly crashes: unknown[];
    }

    async function openShop(options: Partial<MessagingOptions<KafkaDelivery>> = {}): Promise<Shop> {
      const world = await startWorld();
      serial += 1;
      const topic = `orders-${serial}`;
      const kafka = new Kafka({ clientId: 'shop', brokers: [broker.broker], logLevel: logLevel.NOTHING });
      const tenant = ({ message }: KafkaDelivery): string => String(message.headers?.['x-org']);
      const tracing = kafkajs(world.registry, { tenant, ...options });
      const producer = tracing.producer(kafka.producer({ createPartitioner: () => () => 0 }));
      await producer.connect();
      onTestFinished(() => producer.disconnect());
      const crashes: unknown[] = [];
      const consumer = async (): Promise<Consumer> => {
        const made = kafka.consumer({
          groupId: topic,
          maxWaitTimeInMs: 50,
          retry: { retries: 0, restartOnFailure: async () => false },
        });
        made.on('consumer.crash', ({ payload }) => crashes.push(payload.error));
        await made.connect();
        onTestFinished(() => made.disconnect());
        await made.subscribe({ topics: [topic], fromBeginning: true });
        return made;
      };
      return { world, tracing, producer, topic, consumer, crashes };
    }

    const message = (org: string, value: string): { value: string; headers: Record<string, string> } => ({
      value,
      headers: { 'x-org': org },
    });

    it('continues the trace of each tenant, with two tenants interleaved in one partition', async () => {
      const { world, tracing, producer, topic, consumer } = await openShop();
      const { registry } = world;
      const tenants = ['acme', 'globex'] as const;
      for (let number = 0; number < 10; number += 1) {
        const tenant = tenants[number % 2] ?? 'acme';
        const request = () => producer.send({ topic, messages: [message(tenant, String(number))] });
        await registry.get(tenant).withSpan(`request ${number}`, request);
      }
      const eachMessage = tracing.eachMessage(async (payload: KafkaDelivery) => {
        await new Promise(setImmediate);
        registry.withSpan(`charge ${payload.message.value}`, () => undefined);
      });
      await (await consumer()).run({ eachMessage });
      for (const [index, tenant] of tenants.entries()) {
        const spans = await world.until(tenant, (found) => named(found, `process ${topic}`).length === 5);
        const byId = new Map(spans.map((span) => [span.spanId, span]));
        const charges = spans.filter(({ name }) => name.startsWith('charge '));
        expect(charges.map(({ name }) => Number(name.slice(7)) % 2)).toEqual(Array(5).fill(index));
        for (const charge of charges) {
          const process = byId.get(charge.parentSpanId);
          const send = byId.get(process?.parentSpanId ?? '');
          expect([process?.kind, send?.kind]).toEqual([CONSUMER, PRODUCER]);
          expect(byId.get(send?.parentSpanId ?? '')?.name).toBe(charge.name.replace('charge', 'request'));
        }
        expect(spans).toHaveLength(20);
      }
    }, 30_000);

    it('names topic, partition, offset and key, and counts batches; a message passed on keeps its trace', async () => {
      const { world, tracing, producer, topic, consumer } = await openShop({ tenant: () => 'acme' });
      await world.registry.run('acme', async () => {
        await producer.send({ topic, messages: [{ key: 'k', value: null }] });
        await producer.sendBatch({
          topicMessages: [{ topic, messages: [message('acme', 'a'), message('acme', 'b')] }],
        });
      });
      const forwarded: unknown[] = [];
      const eachMessage = tracing.eachMessage(async (payload: KafkaDelivery) => {
        if (String(payload.message.value) !== 'b') return;
        const { headers = {} } = payload.message;
        forwarded.push(String(headers['traceparent']).split('-')[2]);
        await producer.send({ topic: `${topic}-later`, messages: [{ value: 'b', headers }] });
      });
      await (await consumer()).run({ eachMessage });
      const spans = await world.until('acme', (found) => found.length === 6);
      const [first] = named(spans, `process ${topic}`);
      const single = { 'messaging.system': 'kafka', 'messaging.destination.name': topic, 'messaging.kafka.offset': 0 };
      const content = { 'messaging.kafka.message.key': 'k', 'messaging.kafka.message.tombstone': true };
      const partition = { 'messaging.destination.partition.id': '0' };
      const [one, both] = named(spans, `send ${topic}`);
      const send = { 'messaging.operation.type': 'send', 'messaging.operation.name': 'send' };
      const process = { 'messaging.operation.type': 'process', 'messaging.operation.name': 'process' };
      expect(one?.attributes).toEqual({ ...single, ...content, ...partition, ...send });
      expect(first?.attributes).toEqual({ ...single, ...content, ...partition, ...process });
      expect(both?.attributes['messaging.batch.message_count']).toBe(2);
      const later = only(spans, `send ${topic}-later`);
      expect(forwarded).toEqual([both?.spanId]);
      expect(later.links.map(({ spanId }) => spanId)).toEqual([both?.spanId]);
    }, 30_000);

    it('gives each tenant in a batch a span with links to its own messages, and an error without its words', async () => {
      const { world, tracing, producer, topic, consumer } = await openShop();
      const { registry } = world;
      const values = { acme: ['a1', 'a2'], globex: ['g1'] };
      // One set of messages is what comes as one batch: written by each tenant, sent by nobody.
      const messages = Object.entries(values).flatMap(([tenant, texts]) => texts.map((text) => message(tenant, text)));
      for (const { headers } of messages) {
        const publication = { system: 'kafka', destination: topic, carriers: [headers] };
        publishing(registry.get(headers['x-org'] ?? ''), publication, () => undefined);
      }
      await producer.send({ topic, messages });
      const scopes: unknown[] = [];
      const eachBatch = tracing.eachBatch(async ({ batch }: { batch: KafkaBatch }, run) => {
        scopes.push(registry.current()?.tenantId);
        for (const each of batch.messages) {
          await run(each, async () => registry.withSpan(`charge ${each.value}`, () => undefined));
        }
        throw new RangeError('the secret of globex');
      });
      await (await consumer()).run({ eachBatch });
      for (const tenant of ['acme', 'globex'] as const) {
        const spans = await world.until(tenant, (found) => named(found, `process ${topic}`).length === 1);
        const sent = named(spans, `send ${topic}`).map(({ spanId }) => spanId);
        const process = only(spans, `process ${topic}`);
        const charges = spans.filter(({ name }) => name.startsWith('charge '));
        expect(process.links.map(({ spanId }) => spanId)).toEqual(sent);
        expect(process.attributes['messaging.batch.message_count']).toBe(values[tenant].length);
        expect(process.attributes['error.type']).toBe('RangeError');
        expect([process.status, process.events, process.parentSpanId]).toEqual([{ code: ERROR, message: '' }, [], '']);
        expect(charges.map(({ name }) => name)).toEqual(values[tenant].map((text) => `charge ${text}`));
        expect(charges.every(({ parentSpanId }) => parentSpanId === process.spanId)).toBe(true);
      }
      expect(scopes).toEqual([undefined]);
    }, 30_000);

    it('carries the trace of each tenant through a transaction, whose own methods stay', async () => {
      const { world, tracing, producer: plain, topic, consumer } = await openShop();
      const { registry } = world;
      // The topic is there before a transaction asks for its partitions.
      await plain.send({ topic, messages: [message('nobody', 'first')] });
      const kafka = new Kafka({ clientId: 'shop', brokers: [broker.broker], logLevel: logLevel.NOTHING });
      const options = { transactionalId: `tx-${topic}`, maxInFlightRequests: 1, createPartitioner: () => () => 0 };
      const producer = tracing.producer(kafka.producer(options));
      await producer.connect();
      onTestFinished(() => producer.disconnect());
      const transaction = await producer.transaction();
      await registry.run('acme', () => transaction.send({ topic, messages: [message('acme', 'a')] }));
      await registry.run('globex', () =>
        transaction.sendBatch({ topicMessages: [{ topic, messages: [message('globex', 'g')] }] }),
      );
      const offsets = { consumerGroupId: topic, topics: [{ topic, partitions: [{ partition: 0, offset: '1' }] }] };
      await transaction.sendOffsets(offsets);
      expect(transaction.isActive()).toBe(true);
      await transaction.commit();
      expect(transaction.isActive()).toBe(false);
      const late = registry.run('acme', () => transaction.send({ topic, messages: [message('acme', 'late')] }));
      await expect(late).rejects.toThrow(/TRANSACTING|transaction/i);
      const seen: unknown[] = [];
      const eachMessage = tracing.eachMessage(async (payload: KafkaDelivery) => {
        seen.push([String(payload.message.value), registry.current()?.tenantId]);
      });
      await (await consumer()).run({ eachMessage });
      for (const tenant of ['acme', 'globex'] as const) {
        const spans = await world.until(tenant, (found) => named(found, `process ${topic}`).length === 1);
        const [send, failed] = named(spans, `send ${topic}`);
        expect(only(spans, `process ${topic}`)).toMatchObject({ traceId: send?.traceId, parentSpanId: send?.spanId });
        expect([send?.status.code, failed?.status.code]).toEqual([0, tenant === 'acme' ? ERROR : undefined]);
      }
      expect(seen).toContainEqual(['a', 'acme']);
      expect(seen).toContainEqual(['g', 'globex']);
      expect(seen).not.toContainEqual(['late', expect.anything()]);
    }, 30_000);

    it('runs a batch of one tenant as that tenant, and hands kafkajs the very error that it records', async () => {
      const { world, tracing, producer, topic, consumer, crashes } = await openShop({ tenant: async () => 'globex' });
      await world.registry.run('globex', () => producer.send({ topic, messages: [{ value: '1' }, { value: '2' }] }));
      const failure = new RangeError('out of stock');
      const eachBatch = tracing.eachBatch(async () => {
        world.registry.withSpan('charge', () => undefined);
        throw failure;
      });
      await (await consumer()).run({ eachBatch });
      const spans = await world.until('globex', (found) => found.length === 3 && crashes.length === 1);
      const process = only(spans, `process ${topic}`);
      expect((crashes[0] as Error).cause ?? crashes[0]).toBe(failure);
      expect(process.status).toEqual({ code: ERROR, message: 'out of stock' });
      expect(process.links).toHaveLength(2);
      expect(only(spans, 'charge').parentSpanId).toBe(process.spanId);
    }, 30_000);
  },
);

describe('a producer of kafkajs', () => {
  it('hands on what it cannot read, for kafkajs to refuse', async () => {
    const { registry } = await startWorld();
    const send = async (record: unknown) => record;
    const traced = kafkajs(registry, { tenant: () => 'acme' }).producer({ send, sendBatch: send });
    expect(await registry.run('acme', () => traced.send(undefined))).toBe(undefined);
    expect(await registry.run('acme', () => traced.sendBatch({ acks: 1 }))).toEqual({ acks: 1 });
  });
});

interface KafkaBatch {
  readonly topic: string;
  readonly partition: number;
  readonly messages: KafkaDelivery['message'][];
}
