import type { WireSpan } from './wire.ts';

/** A span in its place within the trace. Times are nanoseconds after the trace's beginning. */
export interface SpanNode {
  readonly span: WireSpan;
  /** Place in `SpanTree.nodes`: the order of a waterfall that is all open. */
  readonly index: number;
  readonly depth: number;
  readonly start: number;
  readonly end: number;
  readonly parent: SpanNode | undefined;
  readonly children: readonly SpanNode[];
  /** It names a parent that is not there. */
  readonly orphan: boolean;
  /** It starts before its parent, which only clocks that differ explain. */
  readonly skewed: boolean;
}

export interface SpanTree {
  /** Parents before their children, siblings by start. */
  readonly nodes: readonly SpanNode[];
  readonly roots: readonly SpanNode[];
  readonly byId: ReadonlyMap<string, SpanNode>;
  /** Milliseconds since the epoch. */
  readonly startMillis: number;
  readonly durationNanos: number;
  /** How many parents are named and not there. */
  readonly missing: number;
  readonly skewed: number;
  readonly errors: number;
}

type Draft = { -readonly [K in keyof Omit<SpanNode, 'children' | 'parent'>]: SpanNode[K] } & {
  children: Draft[];
  parent: Draft | undefined;
};

/** Clocks of one machine differ by less. */
const SKEW_NANOS = 1e6;

/** Ties spans together by their ids, each tenant's on their own. Cycles, which hostile ids can make, are cut. */
export function buildSpanTree(spans: readonly WireSpan[]): SpanTree {
  const starts = spans.map((span) => BigInt(span.startTimeUnixNano));
  const base = starts.toSorted((left, right) => (left < right ? -1 : 1))[0] ?? 0n;
  const byId = new Map<string, Draft>();
  const drafts = spans.map((span, at): Draft => {
    const start = Number((starts[at] ?? base) - base);
    const end = Math.max(start, Number(BigInt(span.endTimeUnixNano) - base));
    const place = { index: -1, depth: 0, parent: undefined, children: [], orphan: false, skewed: false };
    const draft: Draft = { span, start, end, ...place };
    const key = spanKey(span.tenant, span.spanId);
    if (!byId.has(key)) byId.set(key, draft);
    return draft;
  });
  const missing = new Set<string>();
  const roots: Draft[] = [];
  for (const draft of drafts) {
    const { tenant, parentSpanId } = draft.span;
    const parent = parentSpanId === '' ? undefined : byId.get(spanKey(tenant, parentSpanId));
    if (parentSpanId !== '' && parent === undefined) {
      missing.add(spanKey(tenant, parentSpanId));
      draft.orphan = true;
    }
    if (parent === undefined) roots.push(draft);
    else {
      draft.parent = parent;
      draft.skewed = draft.start + SKEW_NANOS < parent.start;
      parent.children.push(draft);
    }
  }
  const nodes = inOrder(roots);
  // Those that no root leads to hang below a cycle.
  for (const draft of drafts) {
    if (draft.index >= 0) continue;
    const root = cutCycle(draft);
    roots.push(root);
    for (const node of inOrder([root], nodes.length)) nodes.push(node);
  }
  return {
    nodes,
    roots,
    byId,
    startMillis: Number(base / 1_000n) / 1e3,
    durationNanos: drafts.reduce((most, { end }) => Math.max(most, end), 0),
    missing: missing.size,
    skewed: drafts.filter(({ skewed }) => skewed).length,
    errors: drafts.filter(({ span }) => span.status.code === 'error').length,
  };
}

export function spanKey(tenant: string, spanId: string): string {
  return `${spanId} ${tenant}`;
}

/** What is to be seen when these are closed. */
export function visibleNodes(tree: SpanTree, closed: ReadonlySet<SpanNode['span']>): readonly SpanNode[] {
  if (closed.size === 0) return tree.nodes;
  const seen: SpanNode[] = [];
  let hiddenBelow = Number.POSITIVE_INFINITY;
  for (const node of tree.nodes) {
    if (node.depth > hiddenBelow) continue;
    hiddenBelow = closed.has(node.span) ? node.depth : Number.POSITIVE_INFINITY;
    seen.push(node);
  }
  return seen;
}

/** How many spans are below one. */
export function descendants(tree: SpanTree, node: SpanNode): number {
  let at = node.index + 1;
  while ((tree.nodes[at]?.depth ?? 0) > node.depth) at += 1;
  return at - node.index - 1;
}

/** Makes a root of one of the spans of the cycle above this one. */
function cutCycle(draft: Draft): Draft {
  const walked = new Set<Draft>();
  let at = draft;
  for (; at.parent !== undefined && !walked.has(at); at = at.parent) walked.add(at);
  const { parent } = at;
  if (parent !== undefined) parent.children = parent.children.filter((child) => child !== at);
  at.parent = undefined;
  return at;
}

function inOrder(roots: readonly Draft[], from = 0): Draft[] {
  const nodes: Draft[] = [];
  const byStart = (left: Draft, right: Draft): number => right.start - left.start || left.end - right.end;
  const stack = [...roots].sort(byStart);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    node.index = from + nodes.length;
    node.depth = node.parent === undefined ? 0 : node.parent.depth + 1;
    nodes.push(node);
    for (const child of node.children.sort(byStart)) stack.push(child);
    node.children.reverse();
  }
  return nodes;
}
