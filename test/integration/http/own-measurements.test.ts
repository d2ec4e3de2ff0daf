import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type HttpOptions, http } from '../../../src/http.ts';
import { receiver, registryOf, toReceiver } from '../../core/registry-kit.ts';
import { metricRequests, receivedPoints } from '../../support/received-metrics.ts';

async function served(options: Partial<HttpOptions<IncomingMessage>> = {}, registryOptions = {}) {
  const to = await receiver();
  const registry = registryOf({ configure: toReceiver(to), ...registryOptions });
  const trace = http(registry, {
    tenant: ({ headers }) => String(headers['x-org']),
    route: () => '/users/{id}',
    ...options,
  });
  const server = createServer(
    trace((request, response) => {
      response.statusCode = request.url?.endsWith('/bad') === true ? 500 : 200;
      response.end();
    }),
  ).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ask = (tenant: string, path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { 'x-org': tenant } }).then((response) => response.text());
  return { ask, registry, to };
}

describe('an adapter without a meter provider', () => {
  test('measures requests in the metrics of their tenant, by route and never by path', async () => {
    const { ask, registry, to } = await served();
    for (let id = 0; id < 20; id++) await ask(id % 2 === 0 ? 'acme' : 'globex', `/users/${id}`);
    await ask('acme', '/users/bad');
    await registry.flush();
    const durations = receivedPoints(to, 'http.server.request.duration');
    expect(
      durations
        .map(({ attributes, count }) => [attributes['http.route'], attributes['http.response.status_code'], count])
        .sort(),
    ).toEqual([
      ['/users/{id}', 200, 10],
      ['/users/{id}', 200, 10],
      ['/users/{id}', 500, 1],
    ]);
    expect(durations[0]).toMatchObject({
      unit: 's',
      scope: 'isotrace',
      attributes: { 'http.request.method': 'GET', 'url.scheme': 'http' },
    });
    expect(receivedPoints(to, 'http.server.active_requests').map(({ value }) => value)).toEqual([0, 0]);
    for (const { body } of metricRequests(to)) expect(Buffer.from(body).includes('/users/1')).toBe(false);
  });

  test('measures nothing for a tenant without metrics, and nothing where that is not wanted', async () => {
    for (const [options, registryOptions] of [
      [{ meterProvider: false as const }, {}],
      [{}, { signals: { metrics: false } }],
    ] as const) {
      const { ask, registry, to } = await served(options, registryOptions);
      await ask('acme', '/users/1');
      await registry.flush();
      expect(metricRequests(to)).toEqual([]);
    }
  });
});
