import { readUsage, type SpanUsage } from '../../../processing/usage.ts';
import type { SpanNode, SpanTree } from './span-tree.ts';

export interface UsageSum {
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cost: number;
  /** Calls whose cost nobody told. */
  readonly unpriced: number;
}

export interface ModelUsage extends UsageSum {
  readonly tenant: string;
  readonly model: string;
}

const NOTHING: UsageSum = { calls: 0, inputTokens: 0, outputTokens: 0, cost: 0, unpriced: 0 };

export function usageOf({ span }: SpanNode): SpanUsage | undefined {
  return readUsage((key) => span.attributes[key]);
}

/**
 * Tokens and costs of each span with all spans below it, up to the root. What a span itself reports is the sum of its
 * calls where there are some below it (agents do so), and not added to theirs.
 */
export function rollUpUsage(tree: SpanTree): ReadonlyMap<SpanNode, UsageSum> {
  const sums = new Map<SpanNode, UsageSum>();
  for (let at = tree.nodes.length - 1; at >= 0; at -= 1) {
    const node = tree.nodes[at];
    if (node === undefined) continue;
    const below = sums.get(node) ?? NOTHING;
    const own = usageOf(node);
    if (own === undefined && below.calls === 0) continue;
    const sum = own === undefined ? below : below.calls > 0 ? atLeast(below, own) : ofCall(own);
    sums.set(node, sum);
    if (node.parent !== undefined) sums.set(node.parent, plus(sums.get(node.parent) ?? NOTHING, sum));
  }
  return sums;
}

/** By tenant and model, the most expensive first; of calls only, not of what sums them up. */
export function usageByModel(tree: SpanTree): readonly ModelUsage[] {
  const sums = rollUpUsage(tree);
  const found = new Map<string, ModelUsage>();
  for (const node of tree.nodes) {
    const own = usageOf(node);
    if (own === undefined || node.children.some((child) => sums.has(child))) continue;
    const { tenant } = node.span;
    const key = `${tenant} ${own.model}`;
    found.set(key, { tenant, model: own.model, ...plus(found.get(key) ?? NOTHING, ofCall(own)) });
  }
  return [...found.values()].sort((left, right) => right.cost - left.cost || right.inputTokens - left.inputTokens);
}

export function plus(left: UsageSum, right: UsageSum): UsageSum {
  return {
    calls: left.calls + right.calls,
    inputTokens: left.inputTokens + right.inputTokens,
    outputTokens: left.outputTokens + right.outputTokens,
    cost: left.cost + right.cost,
    unpriced: left.unpriced + right.unpriced,
  };
}

function ofCall({ inputTokens, outputTokens, cost }: SpanUsage): UsageSum {
  return { calls: 1, inputTokens, outputTokens, cost: cost ?? 0, unpriced: cost === undefined ? 1 : 0 };
}

function atLeast(below: UsageSum, own: SpanUsage): UsageSum {
  return {
    calls: below.calls,
    inputTokens: Math.max(below.inputTokens, own.inputTokens),
    outputTokens: Math.max(below.outputTokens, own.outputTokens),
    cost: Math.max(below.cost, own.cost ?? 0),
    unpriced: below.unpriced,
  };
}
