import { TracerRegistry } from 'isotrace';
import { median } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';

const COUNTS = [100, 1_000, 10_000] as const;
const LOOKUPS = 200_000;

/** What does `registry.get` cost, beside a `Map` that answers the same questions in the same process? */
export const lookup: Question = {
  name: 'lookup',
  title: 'registry.get',
  peers: () => ['isotrace'],
  rounds: 3,
  rows: COUNTS.map(variantOf).flatMap((variant) => [
    { variant, figure: 'Map.get', unit: 'ns' },
    { variant, figure: 'warm get', unit: 'ns' },
    { variant, figure: 'warm get ÷ Map.get', unit: '×', goal: { value: 3 } },
    { variant, figure: 'cold get', unit: 'µs', goal: { value: 60 } },
  ]),
  async measure({ short, variant }: Task): Promise<Figures> {
    const count = COUNTS.find((candidate) => variantOf(candidate) === variant) ?? COUNTS[0];
    const ids = Array.from({ length: count }, (_, index) => `tenant-${index}`);
    const registry = new TracerRegistry({
      maxTenants: 2 * count,
      configure: (id) => ({
        destination: { endpoint: 'http://127.0.0.1:9', headers: { authorization: `Bearer ${id}` } },
      }),
    });
    const cold = coldGets(registry, ids);
    const map = new Map<string, object>(ids.map((id) => [id, registry.get(id)]));
    const order = randomOrder(ids);
    const [mapNanos, getNanos, ratios]: [number[], number[], number[]] = [[], [], []];
    for (let repetition = 0; repetition < (short ? 5 : 15); repetition++) {
      const ofMap = nanosPerLookup(order, (id) => map.get(id));
      const ofRegistry = nanosPerLookup(order, (id) => registry.get(id));
      // The first is for the compiler.
      if (repetition === 0) continue;
      mapNanos.push(ofMap);
      getNanos.push(ofRegistry);
      ratios.push(ofRegistry / ofMap);
    }
    await registry.shutdown({ timeoutMillis: 1_000 });
    return {
      'Map.get': median(mapNanos),
      'warm get': median(getNanos),
      'warm get ÷ Map.get': median(ratios),
      'cold get': cold,
    };
  },
};

function variantOf(count: number): string {
  return `${count.toLocaleString('en')} tenants`;
}

/** Median time of making a tenant, in microseconds. */
function coldGets(registry: TracerRegistry, ids: readonly string[]): number {
  const nanos = ids.map((id) => {
    const startedAt = process.hrtime.bigint();
    registry.get(id);
    return Number(process.hrtime.bigint() - startedAt);
  });
  return median(nanos) / 1_000;
}

function randomOrder(ids: readonly string[]): string[] {
  return Array.from({ length: LOOKUPS }, () => ids[Math.floor(Math.random() * ids.length)] as string);
}

function nanosPerLookup(order: readonly string[], get: (id: string) => object | undefined): number {
  let found = 0;
  const startedAt = process.hrtime.bigint();
  for (const id of order) if (get(id) !== undefined) found += 1;
  const nanos = Number(process.hrtime.bigint() - startedAt);
  if (found !== order.length) throw new Error('a tenant was not found');
  return nanos / found;
}
