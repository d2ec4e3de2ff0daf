import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { express as adapter, recordErrors } from '../../src/express.ts';
import { SDK_MAJOR } from '../support/host-sdk.ts';
import { startTenants } from '../support/tenant-receivers.ts';

const require = createRequire(import.meta.url);
const TENANTS = ['acme', 'bolt'] as const;
const INSTRUMENTATION = new HttpInstrumentation();

describe('an adapter in a process whose HTTP server is instrumented', () => {
  it('takes the waiting server span over instead of making a second one', async () => {
    const { registry, receivers } = await startTenants(TENANTS);
    const installation = registry.install({ instrumentations: [INSTRUMENTATION] });
    onTestFinished(() => installation.uninstall());
    const express = require('express') as typeof import('express');
    const http = require('node:http') as typeof import('node:http');
    const app = express();
    app.use(adapter(registry, { tenant: (request) => String(request.headers['x-user']) }));
    app.get('/orders/:id', (request, response) => {
      registry.current()?.startSpan('inside').end();
      if (request.params.id === '3') throw new Error('no such order');
      response.json({ tenant: registry.current()?.tenantId });
    });
    app.use(recordErrors());
    app.use(((_error, _request, response, _next) => {
      response.status(500).end();
    }) satisfies import('express').ErrorRequestHandler);
    const server = http.createServer(app);
    server.listen(0);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const ask = (id: number): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = { 'x-user': TENANTS[id % 2] as string };
        http
          .get({ port, path: `/orders/${id}`, headers, agent: false }, (response) => {
            response.resume().once('end', () => resolve(response.statusCode ?? 0));
          })
          .once('error', reject);
      });
    const statuses = await Promise.all(Array.from({ length: 20 }, (_, id) => ask(id)));
    expect(statuses.filter((status) => status === 500)).toHaveLength(1);
    server.close();
    await once(server, 'close');
    await registry.flush();
    for (const tenant of TENANTS) {
      const spans = receivers[tenant].spans();
      const servers = spans.filter(({ kind }) => kind === 2);
      expect(servers.map(({ name }) => name)).toEqual(Array.from({ length: 10 }, () => 'GET /orders/:id'));
      for (const { attributes, spanId } of servers) {
        expect(attributes['http.route']).toBe('/orders/:id');
        expect(spans.filter(({ name, parentSpanId }) => name === 'inside' && parentSpanId === spanId)).toHaveLength(1);
      }
    }
    const failed = receivers.bolt.spans().filter(({ status }) => status.code === 2);
    // The instrumentation's own span: from OpenTelemetry 3 on it writes the status there when the response ends.
    expect(failed.map(({ attributes }) => attributes['error.type'])).toEqual([SDK_MAJOR < 3 ? 'Error' : '500']);
  });
});
