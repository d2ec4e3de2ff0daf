import type { LedgerSnapshot, TracerStats } from 'isotrace';
import type { ReceiverReport } from './receiver.ts';
import type { TenantId } from './tenants.ts';
import type { TenantHistory } from './tracing.ts';

/** What became of one tenant: what isotrace says, and what its receiver says. */
export interface TenantResult {
  readonly id: TenantId;
  /** Orders that the client sent for it. */
  readonly orders: number;
  /** Spans that its orders, and the orders that called it, made in the shop. */
  readonly made: number;
  readonly stats: TracerStats;
  readonly history: TenantHistory;
  readonly received: ReceiverReport;
}

/** Whether every span is accounted for: `created = exported + queued + spooled + dropped`. */
export function isBalanced({ created, exported, queued, spooled, dropped }: LedgerSnapshot): boolean {
  return created === exported + queued + spooled + sumOf(Object.values(dropped));
}

/** Everything that is not as it should be once the registry was shut down, in words; nothing when all is well. */
export function findProblems(results: readonly TenantResult[], total: LedgerSnapshot): string[] {
  const problems = results.flatMap((result) => problemsOf(result).map((problem) => `${result.id}: ${problem}`));
  const created = sumOf(results.map(({ stats }) => stats.traces.created));
  if (total.created !== created) problems.push(`the registry counts ${total.created} spans, its tenants ${created}`);
  return [...problems, ...sharedTraces(results)];
}

function problemsOf({ id, made, stats, history, received }: TenantResult): string[] {
  const { traces, open } = stats;
  const { created, exported, queued, dropped } = traces;
  const problems: string[] = [];
  const expect = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };

  expect(isBalanced(traces), `the ledger does not balance: ${JSON.stringify(traces)}`);
  expect(open === 0, `${open} spans never ended`);
  expect(queued === 0, `${queued} spans still wait after shutdown`);
  expect(received.spans === exported, `${exported} spans were exported, ${received.spans} received`);
  expect(received.foreign === 0, `${received.foreign} spans of others received`);
  expect(received.orphans === 0, `${received.orphans} spans have a parent that never came`);

  if (id === 'nobody') {
    expect(created === (dropped.tenant_unknown ?? 0), 'spans of an unknown tenant are dropped as tenant_unknown');
    return problems;
  }
  expect(created === made, `the shop made ${made} spans, ${created} were created`);
  if (id === 'initech') {
    expect(created === dropped.shutdown_deadline, 'undelivered spans are dropped as shutdown_deadline');
  } else {
    expect(created === exported, `${created - exported} spans were lost`);
  }
  if (id === 'umbrella') {
    expect(history.openAtEviction > 0 && history.revivals > 0, 'it was not evicted with open spans and revived');
  }
  return problems;
}

/** A trace belongs to one tenant: its id must not turn up at two receivers. */
function sharedTraces(results: readonly TenantResult[]): string[] {
  const owners = new Map<string, TenantId>();
  const problems: string[] = [];
  for (const { id, received } of results) {
    for (const traceId of received.traceIds) {
      const owner = owners.get(traceId);
      if (owner !== undefined) problems.push(`trace ${traceId} was received for ${owner} and for ${id}`);
      owners.set(traceId, id);
    }
  }
  return problems;
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
