import type { JSX } from 'preact';
import { formatCost, formatCount, formatDuration } from '../model/format.ts';
import type { SpanNode, SpanTree } from '../model/span-tree.ts';
import { type UsageSum, usageByModel, usageOf } from '../model/usage-rollup.ts';
import { EmptyState } from '../parts/empty-state.tsx';
import { UsageTable } from '../parts/usage-table.tsx';

/** Tokens and cost of a trace: by root, by tenant and model, and each call. */
export function TraceUsage(props: {
  readonly tree: SpanTree;
  readonly usage: ReadonlyMap<SpanNode, UsageSum>;
  readonly onSelect: (node: SpanNode) => void;
}): JSX.Element {
  const { tree, usage, onSelect } = props;
  if (usage.size === 0) {
    return (
      <EmptyState icon="usage" title="No tokens in this trace">
        <p>
          Spans with <code>gen_ai.usage.input_tokens</code> and <code>output_tokens</code> are added up here; isotrace's{' '}
          <code>traceModel</code> and the option <code>agents</code> set them and their cost.
        </p>
      </EmptyState>
    );
  }
  const calls = tree.nodes.filter(
    (node) => usageOf(node) !== undefined && !node.children.some((child) => usage.has(child)),
  );
  return (
    <div class="scroll">
      <h2>By tenant and model</h2>
      <UsageTable rows={usageByModel(tree)} />
      <h2>Rolled up to the root</h2>
      <UsageTable
        rows={tree.roots.flatMap((root) => {
          const sum = usage.get(root);
          return sum === undefined ? [] : { tenant: root.span.tenant, model: root.span.name, ...sum };
        })}
        nameOf="Root"
      />
      <h2>Calls</h2>
      <table class="table">
        <thead>
          <tr>
            <th>Call</th>
            <th>Model</th>
            <th class="number">In</th>
            <th class="number">Out</th>
            <th class="number">Cost</th>
            <th class="number">Duration</th>
          </tr>
        </thead>
        <tbody>
          {calls.map((node) => {
            const own = usageOf(node);
            return (
              <tr key={node.index}>
                <td>
                  <button type="button" class="link" onClick={() => onSelect(node)}>
                    {node.span.name}
                  </button>
                </td>
                <td>{own?.model}</td>
                <td class="number">{formatCount(own?.inputTokens ?? 0)}</td>
                <td class="number">{formatCount(own?.outputTokens ?? 0)}</td>
                <td class="number">{own?.cost === undefined ? 'not told' : formatCost(own.cost)}</td>
                <td class="number">{formatDuration(node.end - node.start)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
