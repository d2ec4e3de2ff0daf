import type { Attributes } from '@opentelemetry/api';
import { loadPeer, type OpenPeer, type PeerTenant } from './peers/peer.ts';
import { CpuMeter, expectEqual, nextTurn } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { startReceiver } from './support/receiver.ts';
import { manyAttributes } from './support/workload.ts';

const TENANTS = [1, 10, 100, 1_000, 10_000] as const;
const ATTRIBUTES = [0, 1, 2, 4, 8, 16, 32, 64] as const;

/** Spans between two turns of the event loop. */
const SLICE = 512;
/** Spans until what was encoded is let go: at least so many, and so many requests of each tenant. */
const WINDOW = 16 * SLICE;
const REQUESTS_OF_TENANT = 4;
const SPANS_OF_REQUEST = 4;

/** How does the cost of a span grow with the number of tenants, and with that of its attributes? */
export const growth: Question = {
  name: 'growth',
  title: 'One span, recorded and encoded, as tenants and attributes grow: CPU',
  rounds: 3,
  shortVariants: [tenantsVariant(100), attributesVariant(16)],
  rows: [...TENANTS.map(tenantsVariant), ...ATTRIBUTES.map(attributesVariant)].map((variant) => ({
    ...{ variant, figure: 'CPU', unit: 'ns' },
  })),
  async measure({ peer, short, variant }: Task): Promise<Figures> {
    const receiver = await startReceiver();
    const library = (await loadPeer(peer)).open({ mode: 'encode', endpoint: receiver.url });
    const tenantCount = TENANTS.find((count) => tenantsVariant(count) === variant);
    const attributeCount = ATTRIBUTES.find((count) => attributesVariant(count) === variant) ?? 0;
    const tenants = Array.from({ length: tenantCount ?? 1 }, (_, index) => library.tenant(`tenant-${index}`));
    const work =
      tenantCount === undefined ? children(tenants[0] as PeerTenant, attributeCount) : new Visits(tenants).slice;
    const cpu = new CpuMeter();
    const windowSpans = Math.max(WINDOW, tenants.length * REQUESTS_OF_TENANT * SPANS_OF_REQUEST);
    const measured = Math.ceil((short ? 16_384 : 327_680) / windowSpans);
    let made = await windows(library, Math.ceil(measured / 4), windowSpans, work, new CpuMeter());
    const madeBefore = made;
    made += await windows(library, measured, windowSpans, work, cpu);
    const exported = tenants.reduce((sum, tenant) => sum + tenant.exported(), 0);
    expectEqual('spans exported', exported, made);
    receiver.close();
    return { CPU: cpu.nanos / (made - madeBefore) };
  },
};

function tenantsVariant(count: number): string {
  return count === 1 ? '1 tenant' : `${count.toLocaleString('en')} tenants, in turn`;
}

function attributesVariant(count: number): string {
  return count === 1 ? '1 attribute' : `${count} attributes`;
}

async function windows(
  library: OpenPeer,
  count: number,
  spans: number,
  work: () => number,
  cpu: CpuMeter,
): Promise<number> {
  let made = 0;
  for (let window = 1; window <= count; window++) {
    cpu.start();
    while (made < window * spans) {
      made += work();
      await nextTurn();
    }
    await library.encoded();
    cpu.stop();
    await library.flush();
  }
  return made;
}

function children(tenant: PeerTenant, attributeCount: number): () => number {
  const made = Array.from({ length: 64 }, (_, turn) => manyAttributes(attributeCount, turn));
  const attributesOf = (turn: number): Attributes => made[turn & 63] as Attributes;
  return () => tenant.children(attributesOf, SLICE);
}

/** One request of each tenant, then of the next. */
class Visits {
  readonly #tenants: readonly PeerTenant[];
  #next = 0;

  constructor(tenants: readonly PeerTenant[]) {
    this.#tenants = tenants;
  }

  readonly slice = (): number => {
    let made = 0;
    while (made < SLICE) {
      made += this.#tenants[this.#next]?.request() ?? 0;
      this.#next = (this.#next + 1) % this.#tenants.length;
    }
    return made;
  };
}
