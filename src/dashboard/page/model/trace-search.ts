import type { SpanNode, SpanTree } from './span-tree.ts';
import { textOf } from './wire.ts';

/** The spans with all of the words, in whatever is known of them; upper and lower case are the same. None without words. */
export function findInTrace(tree: SpanTree, text: string): ReadonlySet<SpanNode> {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return new Set();
  return new Set(
    tree.nodes.filter((node) => {
      const known = wordsOf(node);
      return words.every((word) => known.includes(word));
    }),
  );
}

/** From the one that is chosen on, round the end; undefined when no span is wanted. */
export function nextMatch(
  tree: SpanTree,
  from: SpanNode | undefined,
  wanted: (node: SpanNode) => boolean,
  by: 1 | -1,
): SpanNode | undefined {
  const { length } = tree.nodes;
  const start = from?.index ?? (by === 1 ? -1 : length);
  for (let steps = 1; steps <= length; steps += 1) {
    const node = tree.nodes[(start + by * steps + 2 * length) % length];
    if (node !== undefined && wanted(node)) return node;
  }
  return undefined;
}

function wordsOf({ span }: SpanNode): string {
  const parts = [span.name, span.service, span.spanId, span.kind, span.status.code, span.status.message, span.tenant];
  for (const [key, value] of Object.entries(span.attributes)) parts.push(`${key}=${textOf(value)}`);
  for (const { name, attributes } of span.events) parts.push(name, JSON.stringify(attributes));
  return parts.join('\n').toLowerCase();
}
