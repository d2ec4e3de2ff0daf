// A program of a user that needs the required peers only: the main API, and every entry that needs no other package.
import { type Tracer as ApiTracer, type Attributes, type Span, trace } from '@opentelemetry/api';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import {
  Tracer as BaseTracer,
  createSpanProcessor,
  createTracer,
  currentTracer,
  type RegistryOptions,
  type Tracer,
  TracerBuilder,
  TracerRegistry,
  traced,
  WithAgents,
} from 'isotrace';
import { amqplib } from 'isotrace/amqplib';
import { bullmq } from 'isotrace/bullmq';
import { createCommandBus } from 'isotrace/commands';
import type { createCommandClient } from 'isotrace/commands-client';
import { SegmentRing, startDashboard } from 'isotrace/dashboard';
import type { HoneyHiveTracer } from 'isotrace/honeyhive';
import { http } from 'isotrace/http';
import { kafkajs } from 'isotrace/kafkajs';
import { koa } from 'isotrace/koa';
import { consuming, publishing } from 'isotrace/messaging';
import { pinoStream } from 'isotrace/pino';
import { prometheusHandler } from 'isotrace/prometheus';
import { createQueryBus } from 'isotrace/queries';
import { newBuilder } from 'isotrace/telemetryflow';
import { createTestRegistry } from 'isotrace/testing';
import { captureScope, type createWorkerTracer } from 'isotrace/workers';

const options: RegistryOptions<Tracer> = {
  service: { name: 'shop' },
  configure: async (tenantId) => ({
    destination: { endpoint: `http://localhost:4318/${tenantId}`, headers: () => ({ authorization: tenantId }) },
  }),
};
export const registry = new TracerRegistry(options);
class AgentTracer extends WithAgents(BaseTracer) {}
export const agents = new TracerRegistry({ ...options, tracer: AgentTracer });
export const workflow = agents.get('acme').traceAgent;

const tracer: Tracer = registry.get('acme');
export const api: ApiTracer = tracer;
export const processor: SpanProcessor = createSpanProcessor(registry);
const attributes: Attributes = { 'cart.items': 3 };
export const answer: Promise<number> = tracer.withSpan('checkout', { attributes }, async (span: Span) => {
  span.setAttribute('paid', true);
  tracer.metrics.counter('orders').add(1);
  tracer.log.info('paid');
  return 42;
});
export const pay: (amount: number) => string = registry.trace('pay', (amount: number) => `paid ${amount}`);
export const plain: (text: string) => number = traced((text: string) => text.length);
// @ts-expect-error: a number is no text
plain(3);
// @ts-expect-error: there is no such option
export const refused: RegistryOptions<Tracer> = { destinations: [] };

export const alone = createTracer({ destination: { endpoint: 'http://localhost:4318' } });
export const built = new TracerBuilder().withService('shop').build();
export const current = currentTracer()?.tenantId ?? trace.getActiveSpan()?.spanContext().traceId;

const tenant = (): string => 'acme';
const store = new SegmentRing({ maxBytes: 8 * 1_048_576 });
export const entries = [
  amqplib(registry, { tenant }),
  bullmq(registry, { tenant }),
  kafkajs(registry, { tenant }),
  koa(registry, { tenant }),
  http(registry, { tenant: (request) => request.headers.host }),
  consuming(
    registry,
    { tenant, carrier: () => ({}), facts: () => ({ system: 'memory' }) },
    (message: string) => message,
  ),
  publishing(registry, { system: 'memory', destination: 'tasks', carriers: [] }, () => 3),
  pinoStream(registry),
  prometheusHandler(registry),
  createCommandBus({ registry, tenantId: 'acme' }),
  createQueryBus({ store }, { tenants: ['acme'] }),
  startDashboard({ port: 0, store }),
  newBuilder(),
  createTestRegistry(),
  captureScope(tracer),
];
export type Others = [typeof createCommandClient, typeof createWorkerTracer, HoneyHiveTracer];
