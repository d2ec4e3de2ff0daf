import type { TracerRegistry } from 'isotrace';
import type { ClientMethods } from './client.ts';
import type { Remote } from './remote.ts';

export interface OverheadOptions {
  readonly registry: TracerRegistry;
  readonly client: Remote<ClientMethods>;
  readonly customer: { readonly id: string; readonly canary: string };
  /** Base URL of the shop with tracing, and of the same shop without. */
  readonly tracedUrl: string;
  readonly plainUrl: string;
  readonly rounds: number;
  readonly ordersPerRound: number;
  readonly roundDone: (round: number) => void;
}

/** Microseconds of processor time of the shop's process for each request. */
export interface Overhead {
  readonly plainMicros: number;
  /** What tracing adds. */
  readonly addedMicros: number;
}

/**
 * Compares the two shops, which run in this process. Each round sends the same orders to both, one after the other and in
 * changing order, so that a machine that gets slower or faster meanwhile does so for both; its difference counts, and of
 * the rounds the median. A first round that does not count warms up. The time is that of the whole process, with all
 * threads, and with the encoding and sending of the spans.
 */
export async function measureOverhead(options: OverheadOptions): Promise<Overhead> {
  const { tracedUrl, plainUrl, rounds, roundDone } = options;
  const plain: number[] = [];
  const added: number[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const micros = new Map<string, number>();
    for (const url of round % 2 === 0 ? [plainUrl, tracedUrl] : [tracedUrl, plainUrl]) {
      micros.set(url, await processorMicros(options, url));
    }
    const { [plainUrl]: withoutTracing = 0, [tracedUrl]: withTracing = 0 } = Object.fromEntries(micros);
    if (round > 0) {
      plain.push(withoutTracing);
      added.push(withTracing - withoutTracing);
    }
    roundDone(round);
  }
  return { plainMicros: median(plain), addedMicros: median(added) };
}

async function processorMicros(
  { registry, client, customer, ordersPerRound }: OverheadOptions,
  url: string,
): Promise<number> {
  const before = process.cpuUsage();
  const { failures } = await client.ask('run', {
    url,
    orders: ordersPerRound,
    concurrency: 50,
    customers: [customer],
    declines: false,
  });
  await registry.flush();
  const { user, system } = process.cpuUsage(before);
  if (failures.length > 0) throw new Error(`a request failed: ${failures[0]}`);
  return (user + system) / ordersPerRound;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? 0;
  const lower = sorted[(sorted.length - 1) >> 1] ?? 0;
  return (lower + upper) / 2;
}
