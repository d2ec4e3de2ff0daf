const { setImmediate: turn } = require('node:timers/promises');

// What every host does: two tenants' orders at the same time, with spans of its own and of a library that only knows
// OpenTelemetry's API, with metrics and logs. It tells what isotrace said, and which entries could be loaded.
exports.play = async ({ TracerRegistry }, { trace, logs }, load) => {
  const endpoints = JSON.parse(process.env.TENANTS);
  const registry = new TracerRegistry({
    platform: false,
    strict: true,
    service: { name: 'matrix' },
    configure: (tenant) => ({
      attributes: { 'tenant.id': tenant },
      destination: { endpoint: endpoints[tenant], headers: { authorization: `Bearer ${tenant}` } },
    }),
  });
  const { strategy } = registry.install();
  const library = trace.getTracer('library');
  const order = (tenant) =>
    registry.run(tenant, () =>
      registry.withSpan('order', async (span) => {
        span.setAttribute('owner', tenant);
        await turn();
        await library.startActiveSpan('query', async (inner) => {
          await turn();
          inner.setAttribute('owner', registry.current()?.tenantId ?? 'nobody');
          inner.end();
        });
        registry.current().metrics.counter('orders').add(1, { owner: tenant });
        registry.current().log.info('ordered', { owner: tenant });
        // OpenTelemetry 3 has them in its API, for libraries.
        logs?.getLogger('library').emit({ body: 'stored', attributes: { owner: tenant } });
        await turn();
      }),
    );
  const count = Number(process.env.ORDERS);
  await Promise.all(Array.from({ length: count }, () => Object.keys(endpoints).map(order)).flat());
  const { ok } = await registry.shutdown();

  const { version, exports: entries } = await load('isotrace/package.json');
  const loaded = {};
  for (const entry of Object.keys(entries)) {
    try {
      await load(entry.replace('.', 'isotrace'));
      loaded[entry] = 'loaded';
    } catch (error) {
      loaded[entry] = String(error.message).split('\n')[0];
    }
  }
  const hasLogs = logs !== undefined;
  process.stdout.write(`${JSON.stringify({ node: process.version, version, strategy, ok, hasLogs, loaded })}\n`);
};
