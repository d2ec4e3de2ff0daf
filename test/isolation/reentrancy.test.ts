import diagnosticsChannel from 'node:diagnostics_channel';
import type { TraceState } from '@opentelemetry/api';
import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Tracer, TracerRegistry } from '../../src/index.ts';
import { startReceiver } from '../support/otlp-receiver.ts';
import { SILENT } from '../support/tenant-receivers.ts';

async function receiver() {
  const started = await startReceiver();
  onTestFinished(() => started.close());
  return started;
}

function registryOf(options: ConstructorParameters<typeof TracerRegistry<Tracer>>[0]): TracerRegistry {
  const registry = new TracerRegistry<Tracer>({ logger: SILENT, platform: false, ...options });
  onTestFinished(async () => {
    await registry.shutdown({ timeoutMillis: 0 });
  });
  return registry;
}

const names = (spans: readonly { readonly name: string }[]): string[] => spans.map(({ name }) => name).sort();

describe('host code that ends a span while another is being queued', () => {
  it("puts nothing of one tenant into another's requests from a redactor", async () => {
    const [plain, redacted, other] = await Promise.all([receiver(), receiver(), receiver()]);
    const registry: TracerRegistry = registryOf({
      configure: (id) =>
        id === 'b'
          ? { destination: { endpoint: other.url } }
          : {
              destination: [
                { endpoint: plain.url },
                {
                  endpoint: redacted.url,
                  redact: {
                    custom: (_key, value) => {
                      registry.get('b').startSpan('of b').end();
                      return value;
                    },
                  },
                },
                { endpoint: redacted.url },
              ],
            },
    });
    registry
      .get('a')
      .startSpan('of a', { attributes: { key: 'value' } })
      .end();
    await registry.flush();
    expect(names(plain.spans())).toEqual(['of a']);
    expect(names(redacted.spans())).toEqual(['of a', 'of a']);
    expect([...new Set(names(other.spans()))]).toEqual(['of b']);
  });

  it('puts nothing of one tenant into another from a trace state', async () => {
    const [first, second] = await Promise.all([receiver(), receiver()]);
    const registry: TracerRegistry = registryOf({
      configure: (id) => ({ destination: { endpoint: id === 'a' ? first.url : second.url } }),
    });
    const traceState = {
      get: () => undefined,
      set: () => traceState,
      unset: () => traceState,
      serialize: () => {
        registry.get('b').startSpan('of b').end();
        return 'k=v';
      },
    } as TraceState;
    const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1, isRemote: true, traceState };
    registry.get('a').startSpan('of a', {}, trace.setSpanContext(ROOT_CONTEXT, parent)).end();
    await registry.flush();
    expect(names(first.spans())).toEqual(['of a']);
    expect([...new Set(names(second.spans()))]).toEqual(['of b']);
  });

  it('puts nothing of one tenant into another from a subscriber to what was dropped', async () => {
    const [first, second] = await Promise.all([receiver(), receiver()]);
    const registry: TracerRegistry = registryOf({
      configure: (id) =>
        id === 'b'
          ? { destination: { endpoint: second.url } }
          : {
              limits: { maxQueueSize: 1 },
              destination: [{ endpoint: first.url }, { endpoint: first.url }],
            },
    });
    const listener = (message: unknown): void => {
      if ((message as { tenantId: string }).tenantId === 'a') registry.get('b').startSpan('of b').end();
    };
    diagnosticsChannel.subscribe('isotrace:dropped', listener);
    onTestFinished(() => {
      diagnosticsChannel.unsubscribe('isotrace:dropped', listener);
    });
    const a = registry.get('a');
    for (let made = 0; made < 20; made += 1) a.startSpan(`a${made}`).end();
    await registry.flush();
    const { traces } = a.stats();
    expect(names(first.spans()).every((name) => name.startsWith('a'))).toBe(true);
    expect(traces.created).toBe(traces.exported + (traces.dropped.queue_full ?? 0));
    expect([...new Set(names(second.spans()))]).toEqual(['of b']);
  });
});
