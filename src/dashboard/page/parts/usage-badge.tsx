import type { JSX } from 'preact';
import { formatCompact, formatCost, formatCount } from '../model/format.ts';
import type { UsageSum } from '../model/usage-rollup.ts';

/** Tokens and cost of a span and of all below it. */
export function UsageBadge({ sum }: { readonly sum: UsageSum }): JSX.Element {
  const { calls, inputTokens, outputTokens, cost, unpriced } = sum;
  const words = `${formatCount(calls)} calls, ${formatCount(inputTokens)} tokens in, ${formatCount(outputTokens)} out${unpriced > 0 ? `, ${formatCount(unpriced)} without a price` : ''}`;
  return (
    <span class="badge usage" title={words}>
      Σ {formatCompact(inputTokens + outputTokens)}
      {cost > 0 && <b>{formatCost(cost)}</b>}
    </span>
  );
}
