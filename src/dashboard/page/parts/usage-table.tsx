import type { JSX } from 'preact';
import { formatCost, formatCount } from '../model/format.ts';
import type { ModelUsage } from '../model/usage-rollup.ts';
import { TenantName } from './badge.tsx';

export function UsageTable({
  rows,
  nameOf = 'Model',
}: {
  readonly rows: readonly ModelUsage[];
  readonly nameOf?: string;
}): JSX.Element {
  return (
    <table class="table">
      <thead>
        <tr>
          <th>Tenant</th>
          <th>{nameOf}</th>
          <th class="number">Calls</th>
          <th class="number">Tokens in</th>
          <th class="number">Tokens out</th>
          <th class="number">Cost</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ tenant, model, calls, inputTokens, outputTokens, cost, unpriced }) => (
          <tr key={`${tenant} ${model}`}>
            <td>
              <TenantName name={tenant} />
            </td>
            <td>{model}</td>
            <td class="number">{formatCount(calls)}</td>
            <td class="number">{formatCount(inputTokens)}</td>
            <td class="number">{formatCount(outputTokens)}</td>
            <td class="number">
              {formatCost(cost)}
              {unpriced > 0 && (
                <small title={`${formatCount(unpriced)} calls did not tell their cost`}> at least</small>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
