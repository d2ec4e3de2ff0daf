import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { TracerRegistry } from 'isotrace';
import type { Handler } from './events.ts';

// Outside the handler: it lives as long as the instance, and keeps its connections.
export const registry = new TracerRegistry({
  service: { name: 'quotes' },
  profile: 'serverless',
  destination: { endpoint: process.env['ISOTRACE_ENDPOINT'] ?? 'http://localhost:4318' },
  configure: (tenantId) => ({ attributes: { 'tenant.id': tenantId } }),
});

/** Runs each invocation as its tenant, in a SERVER span, and delivers its telemetry before the instance is frozen. */
export function withTelemetry(handle: Handler): Handler {
  return async (event) => {
    const tracer = registry.get(event.requestContext.authorizer.jwt.claims.tenant);
    const [method = '', route = ''] = event.routeKey.split(' ');
    const options = { kind: SpanKind.SERVER, attributes: { 'http.request.method': method, 'http.route': route } };
    try {
      return await tracer.continueFrom(event.headers, { incoming: 'link' }, () =>
        tracer.withSpan(event.routeKey, options, async (span) => {
          const result = await handle(event);
          span.setAttribute('http.response.status_code', result.statusCode);
          if (result.statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
          return result;
        }),
      );
    } finally {
      const { pending } = await registry.flush({ timeoutMillis: 1_000 });
      if (pending > 0) console.warn(`${pending} spans wait for the next invocation`);
    }
  };
}
