import { SpanKind } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { RecordingSpan } from '../../src/processing/span.ts';
import type { SpanHost } from '../../src/processing/span-host.ts';
import { systemClock } from '../../src/utils/clock.ts';
import { Guard } from '../../src/utils/guard.ts';

const host: SpanHost<RecordingSpan> = {
  owner: { owner: undefined, tenantId: 'a', boundary: 'isolate' } as never,
  clock: systemClock,
  guard: new Guard({ clock: systemClock, level: 'balanced' }),
  spanLimits: {
    attributeCountLimit: 128,
    attributeValueLengthLimit: 8_192,
    eventCountLimit: 128,
    linkCountLimit: 128,
    attributePerEventCountLimit: 128,
    attributePerLinkCountLimit: 128,
  },
  resource: () => resourceFromAttributes({}),
  spanEnding: () => {},
  spanEnded: () => {},
};

/** A span that has ended, of no tenant in particular. */
export function endedSpan(
  name: string,
  attributes: Record<string, unknown> = {},
  traceId = 'ab'.repeat(16),
): RecordingSpan {
  const span = new RecordingSpan(host, {
    name,
    kind: SpanKind.INTERNAL,
    context: { traceId, spanId: 'cd'.repeat(8), traceFlags: 1 },
    parentContext: undefined,
    scope: { index: 0, name: 'test' },
    startTime: undefined,
    attributes,
    links: undefined,
  });
  span.end();
  return span;
}

/** A span whose ids cannot be sent. */
export function unserializableSpan(): RecordingSpan {
  return endedSpan('broken', {}, 'no hex');
}
