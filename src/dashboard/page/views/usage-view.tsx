import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { TracePage } from '../../store/telemetry-store.ts';
import { addTerm } from '../model/complete-query.ts';
import { formatCost, formatCount, formatTime } from '../model/format.ts';
import { type ModelUsage, plus } from '../model/usage-rollup.ts';
import { Badge, TenantName } from '../parts/badge.tsx';
import { EmptyState } from '../parts/empty-state.tsx';
import { SpanSearch } from '../parts/span-search.tsx';
import { UsageTable } from '../parts/usage-table.tsx';
import { hrefTo, param } from '../state/address.ts';
import { apiPath } from '../state/api.ts';
import { scopeValues } from '../state/scope.ts';
import { UsageReader, type UsedTrace, type UsedTraces } from '../state/usage-reader.ts';
import { useQuestion } from '../state/use-question.ts';

const MOST_TRACES = 100;
const HAS_TOKENS = 'attr.gen_ai.usage.input_tokens:*';

/** Tokens and cost of the newest traces that used a model, by tenant and model and by trace. */
export function UsageView(): JSX.Element {
  const query = param('q');
  const path = apiPath('traces', { ...scopeValues(), query: addTerm(query, HAS_TOKENS), limit: MOST_TRACES });
  const { value, error, answered } = useQuestion<TracePage>(path, { follow: true, subject: 'usage' });
  const [found, setFound] = useState<UsedTraces & { readonly path: string }>();
  const reader = useRef<UsageReader | undefined>(undefined);
  useEffect(() => {
    const own = new UsageReader((used) => setFound({ ...used, path }));
    reader.current = own;
    return () => own.stop();
  }, [path]);
  useEffect(() => {
    if (value !== undefined && answered === path) reader.current?.read(value.traces);
  }, [value, answered]);
  // What another search used is not what this one did.
  const { used, unread } = found?.path === path ? found : { used: undefined, unread: 0 };
  return (
    <div class="stack">
      <SpanSearch placeholder="service:agent attr.gen_ai.request.model=*" error={error} />
      {used === undefined && !error && <p class="summary">Adding up …</p>}
      {unread > 0 && <Badge tone="warn">{formatCount(unread)} traces could not be read yet</Badge>}
      {used?.length === 0 && unread === 0 && (
        <EmptyState icon="usage" title="No tokens in this time">
          <p>
            Spans with <code>gen_ai.usage.input_tokens</code> and <code>gen_ai.usage.output_tokens</code> are added up
            here, by tenant and model, with <code>isotrace.usage.cost</code>. <code>tracer.traceModel</code> and the
            option <code>agents</code> set them.
          </p>
        </EmptyState>
      )}
      {used !== undefined && used.length > 0 && (
        <div class="scroll">
          <p class="summary">
            The newest {formatCount(used.length)} traces with tokens
            {value?.more && <Badge tone="warn">there are more: narrow the time</Badge>}
          </p>
          <UsageTable rows={sumModels(used)} />
          <h2>Traces</h2>
          <table class="table">
            <thead>
              <tr>
                <th>Trace</th>
                <th>Tenant</th>
                <th class="number">Calls</th>
                <th class="number">Tokens in</th>
                <th class="number">Tokens out</th>
                <th class="number">Cost</th>
                <th class="number">Start</th>
              </tr>
            </thead>
            <tbody>
              {used.map(({ traceId, tenant, name, startMillis, sum }) => (
                <tr key={`${traceId} ${tenant}`}>
                  <td>
                    <a href={hrefTo(`/t/${traceId}`, { of: tenant, tab: 'usage' })}>{name}</a>
                  </td>
                  <td>
                    <TenantName name={tenant} />
                  </td>
                  <td class="number">{formatCount(sum.calls)}</td>
                  <td class="number">{formatCount(sum.inputTokens)}</td>
                  <td class="number">{formatCount(sum.outputTokens)}</td>
                  <td class="number">{formatCost(sum.cost)}</td>
                  <td class="number">{formatTime(startMillis)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}

function sumModels(used: readonly UsedTrace[]): readonly ModelUsage[] {
  const sums = new Map<string, ModelUsage>();
  for (const usage of used.flatMap(({ models }) => models)) {
    const key = `${usage.tenant} ${usage.model}`;
    const known = sums.get(key);
    sums.set(key, known === undefined ? usage : { ...usage, ...plus(known, usage) });
  }
  return [...sums.values()].sort((left, right) => right.cost - left.cost || right.inputTokens - left.inputTokens);
}
