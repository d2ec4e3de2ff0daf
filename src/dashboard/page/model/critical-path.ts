import type { SpanNode } from './span-tree.ts';

/** A stretch of time in which the trace waited for this span itself, not for a child. */
export interface CriticalSegment {
  readonly node: SpanNode;
  readonly start: number;
  readonly end: number;
}

/**
 * What a root had to wait for, from its end back to its start: at each moment the child that ended last before it, and
 * within that child the same again. A child that outlives its parent counts up to the parent's end; one that began
 * after it does not count. The segments do not overlap and fill the root's time.
 */
export function criticalPath(root: SpanNode): readonly CriticalSegment[] {
  const segments: CriticalSegment[] = [];
  const stack: Frame[] = [openFrame(root, root.start, root.end)];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const child = nextChild(frame);
    if (child === undefined) {
      add(segments, frame.node, frame.low, frame.at);
      stack.pop();
      continue;
    }
    const end = Math.min(child.end, frame.at);
    add(segments, frame.node, end, frame.at);
    frame.at = Math.max(child.start, frame.low);
    stack.push(openFrame(child, frame.at, end));
  }
  return segments.reverse();
}

interface Frame {
  readonly node: SpanNode;
  /** By end, the last one at the end of the list. */
  readonly children: SpanNode[];
  /** The time of the parents, where it starts before them. */
  readonly low: number;
  readonly from: number;
  /** Up to here, going back in time, it is not yet explained. */
  at: number;
}

function openFrame(node: SpanNode, low: number, at: number): Frame {
  return {
    node,
    low: Math.max(low, node.start),
    from: at,
    at,
    children: [...node.children].sort((left, right) => left.end - right.end),
  };
}

function nextChild(frame: Frame): SpanNode | undefined {
  const { low, children } = frame;
  for (let child = children.pop(); child !== undefined; child = children.pop()) {
    const overlaps = child.start < frame.at && child.end > low;
    // One that ended while a later one was waited for held nothing up; one that outlives the parent may have.
    const isLast = child.end <= frame.at || frame.at === frame.from;
    if (overlaps && isLast) return child;
  }
  return undefined;
}

function add(segments: CriticalSegment[], node: SpanNode, start: number, end: number): void {
  if (end > start) segments.push({ node, start, end });
}
