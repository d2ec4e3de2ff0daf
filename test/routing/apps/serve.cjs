// What both applications do: two tenants' requests through Express, and from there by undici to another server.
const { once } = require('node:events');

exports.serve = async ({ express, createServer, TracerRegistry }) => {
  const registry = globalThis.registry ?? new TracerRegistry(optionsOf(process.env.COLLECTOR));
  registry.install({ strategy: process.env.STRATEGY, instrumentations: globalThis.instrumentations });
  const backend = createServer((request, response) => response.end(request.headers.traceparent));
  const app = express();
  app.use((request, _response, next) => registry.run(request.headers['x-tenant'], next));
  app.get('/orders/:id', async (_request, response) => {
    globalThis.inHandler?.(registry);
    response.send(await (await fetch(url(backend))).text());
  });
  const server = createServer(app);
  for (const each of [backend, server]) {
    each.listen(0, '127.0.0.1');
    await once(each, 'listening');
  }
  const parents = [];
  for (const tenant of ['a', 'b', 'a', 'b']) {
    const answer = await fetch(`${url(server)}/orders/1`, { headers: { 'x-tenant': tenant } });
    parents.push([tenant, await answer.text()]);
  }
  const { installation } = registry.health();
  for (const each of [backend, server]) {
    each.close();
    await once(each, 'close');
  }
  await registry.shutdown();
  await globalThis.finish?.();
  const host = (globalThis.hostSpans?.() ?? []).map((span) => {
    const { traceId, spanId } = span.spanContext();
    return { name: span.name, traceId, spanId, parentSpanId: span.parentSpanContext?.spanId ?? '' };
  });
  process.stdout.write(
    `${JSON.stringify({ host, installation, noted: globalThis.noted, parents, stats: registry.stats() })}\n`,
  );
};

exports.optionsOf = optionsOf;

function optionsOf(collector) {
  return {
    configure: (id) => ({ destination: { endpoint: `${collector}/${id}` } }),
    platform: { destination: { endpoint: `${collector}/platform` } },
  };
}

function url(server) {
  return `http://127.0.0.1:${server.address().port}`;
}
