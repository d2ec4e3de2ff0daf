import { WithContext } from './context.ts';
import { WithEnrichment } from './enrichment.ts';
import { WithLogs } from './logs.ts';
import { WithMetrics } from './metrics.ts';
import { WithOperations } from './operations.ts';
import { WithOutgoing } from './outgoing.ts';
import { TracerBase } from './tracer-base.ts';

/** One tenant's isolated telemetry. Get it from a registry, or from `createTracer`; extend it with mixins of your own. */
export class Tracer extends WithLogs(
  WithMetrics(WithOutgoing(WithEnrichment(WithContext(WithOperations(TracerBase))))),
) {}
