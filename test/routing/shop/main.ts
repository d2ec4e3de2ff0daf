// npm run shop -- [requests] [host …]: the long form of test/routing/shop.test.ts.
import { findPostgres } from '../../support/postgres.ts';
import { runShop, type ShopHost } from './run-shop.ts';

const HOSTS: readonly ShopHost[] = ['own', 'node-sdk', 'sentry'];
const [count = '20000', ...wanted] = process.argv.slice(2);
const hosts = HOSTS.filter((host) => wanted.length === 0 || wanted.includes(host));
const programs = findPostgres();
if (programs === undefined) throw new Error('PostgreSQL is not installed');
for (const host of hosts) {
  const requests = Number(count);
  const result = await runShop({ host, requests, tenants: 50, concurrency: 200, programs });
  const { services, problems, ...figures } = result;
  process.stdout.write(`${host}: ${JSON.stringify({ requests, ...figures })}\n`);
  for (const problem of problems) process.stdout.write(`  ${problem}\n`);
  const { complete, elsewhere, duplicates, orphans } = figures;
  if (complete !== requests || elsewhere + duplicates + orphans + problems.length > 0) process.exitCode = 1;
  for (const { stats, strategy } of services) {
    process.stdout.write(`  ${strategy} ${JSON.stringify({ ...stats.lateBinding, ...stats.traces })}\n`);
  }
}
