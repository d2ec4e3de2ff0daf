import { isComplete, type TenantReport } from '../lifecycle/report.ts';
import type { Ledgers } from '../processing/ledger.ts';
import type { SpanPath } from './span-path.ts';

/**
 * What becomes of a tenant's telemetry while `work` goes on.
 *
 * @param work resolves with the reason why not everything was delivered, when that is known; must not reject
 */
export async function reportWhile(
  { tenantId, ledgers, path }: { readonly tenantId: string; readonly ledgers: Ledgers; readonly path: SpanPath },
  work: () => Promise<string | undefined>,
): Promise<TenantReport> {
  const exportedBefore = ledgers.exported;
  const droppedBefore = new Map(ledgers.dropped);
  const failure = await work();
  const dropped: Record<string, number> = {};
  for (const [reason, count] of ledgers.dropped) {
    const more = count - (droppedBefore.get(reason) ?? 0);
    if (more > 0) dropped[reason] = more;
  }
  const { others, undecided, queued } = path;
  const spooled = path.spooled + others.spooledLogs;
  const pending = queued - undecided + others.queuedLogs + others.queuedMetrics;
  const report = { tenantId, delivered: ledgers.exported - exportedBefore, pending, spooled, dropped };
  const isDone = isComplete(report) && spooled === 0;
  return isDone || failure === undefined ? report : { ...report, error: failure };
}

/** Why a tenant has not delivered everything, if so; `ended`: whether it had the time to. */
export function failureOf(
  { path, reason }: { readonly path: SpanPath; readonly reason: string | undefined },
  ended: boolean,
): string | undefined {
  const failing = path.lanes.find(({ failures }) => failures > 0);
  return failing?.lastError ?? reason ?? (ended ? undefined : 'the time was over');
}
