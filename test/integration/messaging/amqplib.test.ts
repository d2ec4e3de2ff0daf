import { type Channel, type ChannelModel, type ConfirmChannel, type ConsumeMessage, connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { amqplib } from '../../../src/amqplib.ts';
import type { MessagingOptions } from '../../../src/messaging.ts';
import { findRabbitMq, type RabbitMq, startRabbitMq } from '../../support/rabbitmq.ts';
import { CONSUMER, ERROR, type MessagingWorld, named, only, PRODUCER, startWorld } from './messaging-kit.ts';

const programs = findRabbitMq();

describe.skipIf(programs === undefined)('amqplib with a real RabbitMQ (skipped where that is not installed)', () => {
  let rabbit: RabbitMq | undefined;
  let connection: ChannelModel | undefined;
  let serial = 0;

  beforeAll(async () => {
    if (programs !== undefined) rabbit = await startRabbitMq(programs);
    if (rabbit !== undefined) connection = await connect(rabbit.url);
  }, 120_000);
  afterAll(async () => {
    await connection?.close();
    await rabbit?.stop();
  }, 30_000);

  interface Desk {
    readonly world: MessagingWorld;
    readonly channel: ConfirmChannel;
    readonly queue: string;
    send(tenant: string, text: string): void;
  }

  /** Skips, by name, where the broker did not start within its limit. */
  async function openDesk(
    skip: (note: string) => void,
    options: Partial<MessagingOptions<ConsumeMessage>> = {},
  ): Promise<Desk> {
    if (connection === undefined) skip('RabbitMQ did not start in time');
    const world = await startWorld();
    const tenant = (message: ConsumeMessage): string => message.properties.headers?.['x-org'] as string;
    const tracing = amqplib<ConsumeMessage>(world.registry, { tenant, ...options });
    const channel = tracing.channel(await (connection as ChannelModel).createConfirmChannel());
    channel.on('error', () => undefined);
    serial += 1;
    const { queue } = await channel.assertQueue(`orders-${serial}`, { durable: false });
    onTestFinished(() => channel.close().catch(() => undefined));
    const send = (org: string, text: string): void => {
      channel.sendToQueue(queue, Buffer.from(text), { headers: { 'x-org': org } });
    };
    return { world, channel, queue, send };
  }

  it('continues the trace of each tenant, with two tenants interleaved in one queue', async ({ skip }) => {
    const { world, channel, queue, send } = await openDesk(skip);
    const { registry } = world;
    for (let number = 0; number < 20; number += 1) {
      const tenant = number % 2 === 0 ? 'acme' : 'globex';
      registry.get(tenant).withSpan(`request ${number}`, () => send(tenant, String(number)));
    }
    const consume = async (message: ConsumeMessage | null): Promise<void> => {
      await new Promise(setImmediate);
      registry.withSpan(`charge ${message?.content.toString()}`, () => undefined);
      if (message !== null) channel.ack(message);
    };
    await channel.consume(queue, consume as (message: ConsumeMessage | null) => void);
    for (const [index, tenant] of (['acme', 'globex'] as const).entries()) {
      const spans = await world.until(tenant, (found) => named(found, `process ${queue}`).length === 10);
      const byId = new Map(spans.map((span) => [span.spanId, span]));
      const charges = spans.filter(({ name }) => name.startsWith('charge '));
      expect(charges.map(({ name }) => Number(name.slice(7))).sort((one, other) => one - other)).toEqual(
        Array.from({ length: 10 }, (_, turn) => turn * 2 + index),
      );
      for (const charge of charges) {
        const process = byId.get(charge.parentSpanId);
        const publish = byId.get(process?.parentSpanId ?? '');
        expect([process?.kind, publish?.kind]).toEqual([CONSUMER, PRODUCER]);
        expect(byId.get(publish?.parentSpanId ?? '')?.name).toBe(charge.name.replace('charge', 'request'));
      }
      expect(spans).toHaveLength(40);
    }
  });

  it('names exchange, routing key and queue by the conventions for RabbitMQ', async ({ skip }) => {
    const { world, channel, queue } = await openDesk(skip, { tenant: () => 'acme' });
    const { exchange } = await channel.assertExchange(`shop-${serial}`, 'direct', { durable: false });
    await channel.bindQueue(queue, exchange, 'eu');
    await channel.consume(queue, (message) => message && channel.ack(message));
    const options = { messageId: 'm-1', correlationId: 'c-1' };
    world.registry.run('acme', () => channel.publish(exchange, 'eu', Buffer.from('x'), options));
    const spans = await world.until('acme', (found) => found.length === 2);
    const shared = {
      'messaging.system': 'rabbitmq',
      'messaging.rabbitmq.destination.routing_key': 'eu',
      'messaging.message.id': 'm-1',
      'messaging.message.conversation_id': 'c-1',
    };
    expect(only(spans, `publish ${exchange}:eu`).attributes).toEqual({
      ...shared,
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'publish',
      'messaging.destination.name': `${exchange}:eu`,
    });
    expect(only(spans, `process ${exchange}:eu:${queue}`).attributes).toEqual({
      ...shared,
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.destination.name': `${exchange}:eu:${queue}`,
      'messaging.rabbitmq.message.delivery_tag': 1,
    });
  });

  it('ends the span of a confirmed message with the answer of the broker', async ({ skip }) => {
    const { world, channel, queue } = await openDesk(skip);
    const { registry } = world;
    await new Promise<void>((resolve) => {
      registry.run('acme', () => channel.sendToQueue(queue, Buffer.from('x'), {}, () => resolve()));
    });
    const closed = new Promise<void>((resolve) => {
      channel.once('close', () => resolve());
    });
    const failure = new Promise<unknown>((resolve) => {
      registry.run('acme', () => channel.publish('no such exchange', 'key', Buffer.from('x'), {}, resolve));
    });
    await closed;
    expect(await failure).toBeInstanceOf(Error);
    const spans = await world.until('acme', (found) => found.length === 2);
    expect(only(spans, `publish ${queue}`).status.code).toBe(0);
    expect(only(spans, 'publish no such exchange:key').status).toEqual({ code: ERROR, message: 'channel closed' });
  });

  it('records what a consumer rejects with; each delivery of a message has a span of its own', async ({ skip }) => {
    const { world, channel, queue, send } = await openDesk(skip);
    world.registry.run('globex', () => send('globex', 'x'));
    const consume = async (message: ConsumeMessage | null): Promise<void> => {
      if (message === null) return;
      try {
        await world.registry.get('globex').withSpan('charge', async () => {
          if (!message.fields.redelivered) throw new TypeError('no card');
        });
        channel.ack(message);
      } catch {
        channel.nack(message);
      }
    };
    await channel.consume(queue, consume as (message: ConsumeMessage | null) => void);
    const spans = await world.until('globex', (found) => named(found, `process ${queue}`).length === 2);
    expect(named(spans, 'charge').map(({ status }) => status.code)).toEqual([ERROR, 0]);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  });

  it('keeps the order of messages when tenants are known later', async ({ skip }) => {
    const waiting: (() => void)[] = [];
    const { world, channel, queue, send } = await openDesk(skip, {
      tenant: (message) => {
        const org = message.properties.headers?.['x-org'] as string;
        if (org === 'globex') return org;
        return new Promise<string>((resolve) => {
          waiting.push(() => resolve(org));
        });
      },
    });
    for (const org of ['acme', 'globex', 'acme', 'globex']) send(org, org);
    await channel.waitForConfirms();
    const ran: unknown[] = [];
    await channel.consume(queue, (message) => {
      ran.push([message?.content.toString(), world.registry.current()?.tenantId]);
    });
    while (waiting.length < 2) await new Promise(setImmediate);
    for (const answer of waiting.reverse()) answer();
    await world.until('globex', (found) => found.length === 2);
    await world.until('acme', (found) => found.length === 2);
    expect(ran).toEqual(['acme', 'globex', 'acme', 'globex'].map((org) => [org, org]));
  });

  it('sends and delivers as ever outside every tenant, and for a consumer that the broker cancels', async ({
    skip,
  }) => {
    const { world, channel, queue } = await openDesk(skip, { tenant: () => undefined });
    const got: unknown[] = [];
    await channel.consume(queue, (message) => {
      got.push(message && [message.content.toString(), message.properties.headers]);
    });
    (channel as Channel).sendToQueue(queue, Buffer.from('x'), { headers: { traceparent: 'mine' } });
    await channel.waitForConfirms();
    while (got.length < 1) await new Promise(setImmediate);
    await channel.deleteQueue(queue);
    while (got.length < 2) await new Promise(setImmediate);
    expect(got).toEqual([['x', { traceparent: 'mine' }], null]);
    expect([...(await world.spans('acme')), ...(await world.spans('globex'))]).toEqual([]);
  });
});
