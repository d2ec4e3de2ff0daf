// A host that has Datadog's tracer, which watches modules itself; with BRIDGE its provider owns OpenTelemetry's globals.
import { createRequire } from 'node:module';
import { propagation, trace } from '@opentelemetry/api';
import { ExpressInstrumentation } from '@opentelemetry/instrumentation-express';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';

// All that would talk to somebody else than the agent's trace endpoint.
Object.assign(process.env, {
  DD_INSTRUMENTATION_TELEMETRY_ENABLED: 'false',
  DD_REMOTE_CONFIGURATION_ENABLED: 'false',
  DD_TRACE_STARTUP_LOGS: 'false',
  DD_CRASHTRACKING_ENABLED: 'false',
  DD_TRACE_AGENT_URL: process.env.COLLECTOR,
});
const require = createRequire(new URL('../../../bench/peers/packages/dd-trace/', import.meta.url));
const tracer = require('dd-trace-5').init({ flushInterval: 0 });
const spans = [];
tracer._tracer._exporter.export = (trace) => spans.push(...trace);
if (process.env.BRIDGE === 'true') new tracer.TracerProvider().register();

globalThis.instrumentations = [new HttpInstrumentation(), new ExpressInstrumentation(), new UndiciInstrumentation()];
globalThis.hostSpans = () =>
  spans.map(({ name, trace_id, span_id, parent_id }) => ({
    name,
    spanContext: () => ({ traceId: trace_id.toString(16), spanId: span_id.toString(16) }),
    parentSpanContext: { spanId: parent_id.toString(16) },
  }));

// A span by OpenTelemetry's API, and another tenant's baggage, which is nobody else's when that is over.
globalThis.noted = [];
globalThis.inHandler = (registry) => {
  trace.getTracer('host').startActiveSpan('by hand', (span) => span.end());
  registry.get('c').withBaggage({ secret: 'of c' }, () => registry.withSpan('at c', () => {}));
  const { tenantId } = registry.current();
  globalThis.noted.push([tenantId, propagation.getActiveBaggage()?.getAllEntries() ?? []]);
};
