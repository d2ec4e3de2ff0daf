import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { context as contextApi, propagation, trace } from '@opentelemetry/api';
import { ExpressInstrumentation } from '@opentelemetry/instrumentation-express';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { afterEach, describe, expect, it } from 'vitest';
import type { DecodedSpan } from '../support/otlp-decoder.ts';
import { startTenants } from '../support/tenant-receivers.ts';

const require = createRequire(import.meta.url);
const TENANTS = ['acme', 'bolt', 'coil'] as const;

// Once for all attempts: a module that is loaded already is patched by those that have seen it being loaded only.
const instrumentations = [new HttpInstrumentation(), new ExpressInstrumentation(), new UndiciInstrumentation()];

afterEach(() => {
  trace.disable();
  propagation.disable();
});

describe('instrumented code', () => {
  it('has each request traced by its own tenant, from the server span on', async () => {
    const { registry, receivers } = await startTenants(TENANTS, { registry: { batch: { maxSize: 50 } } });
    const installed = registry.install({ instrumentations });
    expect(installed).toMatchObject({ strategy: 'own', found: 'none' });
    const express = require('express') as typeof import('express');
    const http = require('node:http') as typeof import('node:http');
    const backend = http.createServer((request, response) => {
      response.end(JSON.stringify(request.headers));
    });
    backend.listen(0);
    await once(backend, 'listening');
    const backendUrl = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
    const app = express();
    app.use((request, _response, next) => registry.run(String(request.query['user']), next));
    app.get('/orders/:id', async (request, response) => {
      await nextTurn();
      const headers = (await (await fetch(`${backendUrl}/stock/${request.params.id}`)).json()) as object;
      response.json(headers);
    });
    const server = http.createServer(app);
    server.listen(0);
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const answers = await contextApi.with(trace.deleteSpan(contextApi.active()), () =>
      Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          const tenant = TENANTS[index % TENANTS.length];
          return (await fetch(`${url}/orders/${index}?user=${tenant}`)).json() as Promise<Record<string, string>>;
        }),
      ),
    );
    expect(answers.every(({ traceparent }) => traceparent !== undefined)).toBe(true);
    server.close();
    await once(server, 'close');
    backend.close();
    await once(backend, 'close');
    installed.uninstall();
    await registry.flush();
    for (const tenant of TENANTS) {
      const spans = receivers[tenant].spans();
      const servers = spans.filter(({ name }) => name === 'GET /orders/:id');
      expect(servers).toHaveLength(20);
      for (const span of servers) {
        const trace = spans.filter(({ traceId }) => traceId === span.traceId);
        const names = trace.map(({ name }) => name).sort();
        expect(names).toContain('GET');
        expect(orphans(trace, span)).toEqual([]);
      }
    }
    expect(registry.stats().lateBinding.waiting).toBe(0);
  });
});

function orphans(spans: readonly DecodedSpan[], root: DecodedSpan): string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  return spans.filter((span) => span !== root && !ids.has(span.parentSpanId)).map(({ name }) => name);
}
