import { describe, expect, it } from 'vitest';
import { MEETS_SENTRY } from '../support/host-sdk.ts';
import { findPostgres } from '../support/postgres.ts';
import { runShop, type ShopHost } from './shop/run-shop.ts';

const programs = findPostgres();
if (programs === undefined) {
  process.stderr.write('SKIPPED: PostgreSQL is not installed (apt-get install postgresql), so the shop is not run\n');
}

// `npm run shop` is the same with 20,000 requests each.
const RUNS: readonly (readonly [ShopHost, string, number])[] = [
  ['own', 'own', 2_000],
  ['node-sdk', 'join', 600],
  ...(MEETS_SENTRY ? [['sentry', 'join', 300] as const] : []),
];

describe.runIf(programs !== undefined)(
  'a shop of two services with Express, PostgreSQL and undici, and 50 tenants',
  () => {
    it.each(RUNS)(
      'has one complete trace for each request at its tenant (%s)',
      { timeout: 400_000 },
      async (...run) => {
        const [host, strategy, requests] = run;
        const result = await runShop({ host, requests, tenants: 50, concurrency: 100, programs: programs as string });
        expect(result).toMatchObject({ complete: requests, problems: [], elsewhere: 0, duplicates: 0, orphans: 0 });
        for (const service of result.services) {
          expect(service).toMatchObject({ strategy, unwell: 0 });
          const { lateBinding, traces } = service.stats;
          expect(lateBinding).toMatchObject({ waiting: 0, unassigned: 0, expired: 0 });
          expect(lateBinding.bound).toBeGreaterThanOrEqual(requests);
          expect(traces).toMatchObject({ exported: traces.created, dropped: {} });
        }
        const exported = result.services.reduce((sum, { stats }) => sum + stats.traces.exported, 0);
        expect(result.spans).toBe(exported);
      },
    );
  },
);
