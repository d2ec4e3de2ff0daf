import { TracerRegistry } from 'isotrace';

const registry = new TracerRegistry({
  service: { name: 'basic' },
  destination: { endpoint: process.env['ISOTRACE_ENDPOINT'] ?? 'http://localhost:4318' },
  configure: (tenantId) => ({ attributes: { 'tenant.id': tenantId } }),
});

// Made once, recorded for whoever is calling.
const priceOf = registry.trace('price', async (item: string) => {
  if (item === 'unicorn') throw new RangeError('a unicorn has no price');
  return item.length * 10;
});

async function checkout(items: readonly string[]): Promise<number> {
  return registry.withSpan('checkout', { attributes: { 'cart.items': items.length } }, async (span) => {
    const prices = await Promise.all(items.map((item) => priceOf(item).catch(() => 0)));
    const total = prices.reduce((sum, price) => sum + price, 0);
    span.setAttribute('cart.total', total);
    registry.current()?.log.info('checked out', { 'cart.total': total });
    return total;
  });
}

// All tenants at once, in one process: their work is interleaved, their traces are not.
const given = process.argv.slice(2);
const tenants = given.length > 0 ? given : ['acme', 'globex'];
await Promise.all(
  tenants.map((tenantId) => registry.run(tenantId, () => checkout(['bread', `cheese for ${tenantId}`, 'unicorn']))),
);

const { ok, tenants: reports } = await registry.shutdown();
for (const { tenantId, delivered } of reports) console.log(`${tenantId}: ${delivered} delivered`);
if (!ok) process.exitCode = 1;
