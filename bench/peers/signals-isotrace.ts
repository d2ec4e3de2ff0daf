import { TracerRegistry } from 'isotrace';
import { eightAttributes } from '../support/workload.ts';
import type { SignalPeer } from './signal-peer.ts';

const HOUR_MILLIS = 3_600_000;

/** Records are encoded when they are logged: one that waits is an encoded one. */
export function openIsotraceSignals(endpoint: string): SignalPeer {
  const registry = new TracerRegistry({
    service: { name: 'bench' },
    configure: () => ({ destination: { endpoint, signals: ['logs'] } }),
    sampling: { ratio: 0 },
    batch: { delayMillis: HOUR_MILLIS, maxSize: 65_536, maxBytes: 64 * 1_048_576 },
    limits: { maxQueueSize: 1_000_000, maxQueueBytes: 1_073_741_824 },
  });
  const tracer = registry.get('bench');
  return {
    log: (kind, count) => {
      if (kind === 'plain') {
        for (let turn = 0; turn < count; turn++) tracer.log.info('order placed');
        return count;
      }
      return tracer.startActiveSpan('parent', (span) => {
        for (let turn = 0; turn < count; turn++) tracer.log.info('order placed', eightAttributes(turn));
        span.end();
        return count;
      });
    },
    encoded: async () => {},
    flush: async () => void (await registry.flush()),
    exported: () => tracer.stats().logs.exported,
  };
}
