import { trace } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { TracerRegistry } from '../../../src/index.ts';
import { type ConsumingOptions, consuming, consumingBatch, publishing } from '../../../src/messaging.ts';
import { SILENT } from '../../support/tenant-receivers.ts';
import { CONSUMER, ERROR, only, PRODUCER, startWorld } from './messaging-kit.ts';

interface Message {
  readonly org: string | undefined;
  readonly headers: Record<string, string>;
}

const options: ConsumingOptions<Message> = {
  tenant: ({ org }) => org,
  carrier: ({ headers }) => headers,
  facts: () => ({ system: 'memory', destination: 'orders' }),
};

/** As a publisher of a tenant writes it. */
function write(registry: TracerRegistry, tenant: string, org: string | undefined = tenant): Message {
  const headers: Record<string, string> = {};
  const publication = { system: 'memory', destination: 'orders', carriers: [headers] };
  publishing(registry.get(tenant), publication, () => undefined);
  return { org, headers };
}

describe('consuming', () => {
  it('stays synchronous with a synchronous tenant, and lets the very same error through', async () => {
    const world = await startWorld();
    const { registry } = world;
    const failure = Object.freeze({ code: 'E_STOCK', message: 'none' });
    const handler = consuming(registry, options, (_message: Message, fails: boolean) => {
      if (fails) throw failure;
      return registry.current()?.tenantId;
    });
    expect(handler(write(registry, 'acme'), false)).toBe('acme');
    expect(() => handler(write(registry, 'globex'), true)).toThrow(failure as unknown as Error);
    const atGlobex = await world.spans('globex');
    const process = only(atGlobex, 'process orders');
    expect([process.kind, process.parentSpanId]).toEqual([CONSUMER, only(atGlobex, 'send orders').spanId]);
    expect([process.status, process.attributes['error.type']]).toEqual([{ code: ERROR, message: 'none' }, 'Object']);
  });

  it('continues what was published for the same tenant as far as `incoming` says', async () => {
    for (const incoming of ['parent', 'link', 'ignore'] as const) {
      const world = await startWorld();
      void consuming(world.registry, { ...options, incoming }, () => undefined)(write(world.registry, 'acme'));
      const spans = await world.spans('acme');
      const send = only(spans, 'send orders');
      const process = only(spans, 'process orders');
      expect(process.parentSpanId).toBe(incoming === 'parent' ? send.spanId : '');
      expect(process.links.map(({ spanId }) => spanId)).toEqual(incoming === 'link' ? [send.spanId] : []);
    }
  });

  it('takes a mark for none when the trace or the tenant beside it is another', async () => {
    const world = await startWorld();
    const { registry } = world;
    const handler = consuming(registry, options, () => undefined);
    const forged = write(registry, 'acme');
    forged.headers['traceparent'] = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const stolen = { ...write(registry, 'acme'), org: 'globex' };
    for (const message of [forged, stolen]) void handler(message);
    expect(only(await world.spans('acme'), 'process orders').parentSpanId).toBe('');
    expect(only(await world.spans('globex'), 'process orders').parentSpanId).toBe('');
    expect(JSON.stringify(stolen.headers)).not.toContain('acme');
  });

  it('gives messages without a tenant to the platform only when told to, and always handles them', async () => {
    for (const unassigned of ['drop', 'platform'] as const) {
      const world = await startWorld();
      const { receivers } = world;
      const platform = { destination: { endpoint: receivers.globex.url } };
      const registry = new TracerRegistry({ platform, configure: () => ({}), logger: SILENT });
      let handled = 0;
      const count = (): void => {
        handled += 1;
      };
      const fails = (): string => {
        throw new Error('no such field');
      };
      void consuming(registry, { ...options, unassigned }, count)({ org: undefined, headers: {} });
      void consuming(registry, { ...options, unassigned, tenant: fails }, count)({ org: 'acme', headers: {} });
      await registry.shutdown();
      expect(handled).toBe(2);
      expect(receivers.globex.spans().map(({ name }) => name)).toEqual(
        unassigned === 'drop' ? [] : ['process orders', 'process orders'],
      );
    }
  });

  it('handles a message once, whatever the callbacks do', async () => {
    const world = await startWorld();
    const broken = (): never => {
      throw new Error('broken');
    };
    let handled = 0;
    const hostile = { ...options, carrier: broken, facts: broken, attributes: broken };
    void consuming(world.registry, hostile, () => handled++)(write(world.registry, 'acme'));
    expect(handled).toBe(1);
  });

  it('stays below a span that instrumentation began for the message, and gives it its tenant', async () => {
    const world = await startWorld();
    const { registry } = world;
    const message = write(registry, 'acme');
    const { uninstall } = registry.install();
    trace.getTracer('queue').startActiveSpan('receive', { kind: CONSUMER - 1 }, (span) => {
      void consuming(registry, options, () => undefined)(message);
      span.end();
    });
    uninstall();
    const spans = await world.spans('acme');
    expect(only(spans, 'process orders').parentSpanId).toBe(only(spans, 'receive').spanId);
  });

  it('names options that are not acceptable', () => {
    const wrong = {
      tenant: 'acme',
      incoming: 'all',
      foreign: 1,
      unassigned: 'keep',
      attributes: {},
      tenantTimeoutMillis: 0,
    };
    const registry = new TracerRegistry({ configure: () => ({}), logger: SILENT });
    consuming(registry, { ...options, ...wrong, color: 'red' } as never, () => undefined);
    consuming(registry, undefined as never, () => undefined);
    const paths = registry.health().issues.map(({ option }) => option);
    const named = [
      'tenant',
      'incoming',
      'foreign',
      'unassigned',
      'attributes',
      'tenantTimeoutMillis',
      'color',
      'tenant',
    ];
    expect(paths.sort()).toEqual(named.map((name) => `consuming.${name}`).sort());
    const strict = new TracerRegistry({ strict: true, configure: () => ({}) });
    expect(() => consuming(strict, { ...options, ...wrong } as never, () => undefined)).toThrow('consuming.tenant');
  });

  it('gives up on a tenant after its time, and handles the message for nobody', async () => {
    const world = await startWorld();
    const slow = { ...options, tenant: () => new Promise<string>(() => {}), tenantTimeoutMillis: 1 };
    const handler = consuming(world.registry, slow, () => world.registry.current()?.tenantId ?? 'nobody');
    expect(await handler({ org: 'acme', headers: {} })).toBe('nobody');
  });
});

describe('publishing', () => {
  it('has one span for all messages, and records what sending fails with', async () => {
    const world = await startWorld();
    const carriers = [{}, new Map<string, string>()] as const;
    const failure = new RangeError('full');
    const message = { system: 'memory', destination: 'orders', batchSize: 2, carriers };
    const sending = world.registry.run('acme', () =>
      publishing(world.registry, message, () => Promise.reject(failure)),
    );
    await expect(sending).rejects.toBe(failure);
    const [send] = await world.spans('acme');
    expect([send?.kind, send?.status.code, send?.attributes['error.type']]).toEqual([PRODUCER, ERROR, 'RangeError']);
    const parents = [(carriers[0] as { traceparent?: string }).traceparent, carriers[1].get('traceparent')];
    expect(parents).toEqual(Array(2).fill(`00-${send?.traceId}-${send?.spanId}-03`));
  });

  it('only sends outside every tenant, and for a tenant that does not exist', async () => {
    const { registry } = await startWorld();
    const carrier = {};
    const message = { system: 'memory', destination: 'orders', carriers: [carrier] };
    expect(publishing(registry, message, () => 1)).toBe(1);
    expect(registry.run('nobody', () => publishing(registry, message, () => 2))).toBe(2);
    expect(publishing({} as never, message, () => 3)).toBe(3);
    expect(carrier).toEqual({});
  });
});

describe('consumingBatch', () => {
  it('handles an empty batch, and one of which nobody knows the tenant', async () => {
    const world = await startWorld();
    const handler = consumingBatch(world.registry, options, (messages: readonly Message[], run) => {
      for (const message of messages) run(message, () => undefined);
      return messages.length;
    });
    expect([handler([]), handler([{ org: undefined, headers: {} }])]).toEqual([0, 1]);
    expect([...(await world.spans('acme')), ...(await world.spans('globex'))]).toEqual([]);
  });

  it('records what fails for one message on the span of its tenant alone', async () => {
    const world = await startWorld();
    const messages = [write(world.registry, 'acme'), write(world.registry, 'globex'), write(world.registry, 'acme')];
    const failure = new RangeError('the secret of globex');
    const handler = consumingBatch(world.registry, options, (batch: readonly Message[], run) => {
      for (const message of batch) {
        try {
          run(message, () => {
            if (message.org === 'globex') throw failure;
          });
        } catch (error) {
          expect(error).toBe(failure);
        }
      }
    });
    void handler(messages);
    const atAcme = only(await world.spans('acme'), 'process orders');
    const atGlobex = only(await world.spans('globex'), 'process orders');
    expect([atAcme.status.code, atAcme.links.length, atAcme.attributes['messaging.batch.message_count']]).toEqual([
      0, 2, 2,
    ]);
    expect([atGlobex.status.message, atGlobex.links.length]).toEqual(['the secret of globex', 1]);
  });
});
