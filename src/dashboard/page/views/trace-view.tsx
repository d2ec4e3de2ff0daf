import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { criticalPath } from '../model/critical-path.ts';
import { formatCount } from '../model/format.ts';
import { buildSpanTree, type SpanNode, type SpanTree, visibleNodes } from '../model/span-tree.ts';
import { findInTrace, nextMatch } from '../model/trace-search.ts';
import { rollUpUsage } from '../model/usage-rollup.ts';
import { expandTrace, type WireCompactTrace, type WireSpan, type WireTrace } from '../model/wire.ts';
import { EmptyState, Problem } from '../parts/empty-state.tsx';
import { hrefTo, param, setParams } from '../state/address.ts';
import { announce } from '../state/announce.ts';
import { type ApiError, isGone } from '../state/api.ts';
import { gap, interest, NO_MATCH, onLive } from '../state/live.ts';
import { tracePath, traceTenant } from '../state/trace-path.ts';
import { useKeys } from '../state/use-keys.ts';
import { useQuestion } from '../state/use-question.ts';
import { Minimap } from './minimap.tsx';
import { SpanDetail } from './span-detail.tsx';
import { TraceHeader } from './trace-header.tsx';
import { TraceLogs } from './trace-logs.tsx';
import { TraceToolbar } from './trace-toolbar.tsx';
import { TraceUsage } from './trace-usage.tsx';
import { Waterfall } from './waterfall.tsx';

export function TraceView({ traceId }: { readonly traceId: string }): JSX.Element {
  const { value, error, reload } = useTrace(traceId, traceTenant());
  if (value === undefined) {
    if (error !== undefined && isGone(error)) return <GoneTrace traceId={traceId} />;
    return error === undefined ? <p class="summary">Reading the trace …</p> : <Problem error={error} />;
  }
  return <LoadedTrace traceId={traceId} trace={value} error={error} reload={reload} />;
}

/** The spans, and again whenever some of them come in late. */
function useTrace(traceId: string, tenant: string | number | undefined) {
  const [version, setVersion] = useState(0);
  const { value, error } = useQuestion<WireCompactTrace>(tracePath(traceId, tenant), {
    subject: `${traceId} ${version} ${gap.value}`,
  });
  // What was there is shown until the next answer comes.
  const kept = useRef<WireTrace | undefined>(undefined);
  useMemo(() => {
    if (value !== undefined) kept.current = expandTrace(traceId, value);
  }, [value]);
  useEffect(() => {
    interest.value = { query: `trace:${traceId}`, logs: NO_MATCH };
    return onLive(({ traces }) => {
      if (traces.some((trace) => trace.traceId === traceId)) setVersion((number) => number + 1);
    });
  }, [traceId]);
  return { value: kept.current, error, reload: () => setVersion((number) => number + 1) };
}

const GONE = 'This trace is not stored any more: what was read of it before is shown.';

function LoadedTrace(props: {
  readonly traceId: string;
  readonly trace: WireTrace;
  /** Why it could not be read again. */
  readonly error: ApiError | undefined;
  readonly reload: () => void;
}): JSX.Element {
  const { traceId, trace, error, reload } = props;
  const tree = useMemo(() => buildSpanTree(trace.spans), [trace]);
  const usage = useMemo(() => rollUpUsage(tree), [tree]);
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const closedSpans = useMemo(
    () => new Set(tree.nodes.filter(({ span }) => closed.has(span.spanId)).map(({ span }) => span)),
    [tree, closed],
  );
  const rows = useMemo(() => visibleNodes(tree, closedSpans), [tree, closedSpans]);
  const onPath = useMemo(() => (param('path') === '' ? undefined : pathOf(tree)), [tree, param('path')]);
  const find = param('find');
  const matches = useMemo(() => findInTrace(tree, find), [tree, find]);
  const selected = selectedNode(tree);
  const [reveal, setReveal] = useState(1);
  const tab = param('tab') || 'waterfall';

  const select = (node: SpanNode | undefined): void => {
    if (node === undefined) return;
    openAncestors(node, closed, setClosed);
    setParams({ span: node.span.spanId, in: node.span.tenant }, { replace: true });
    setReveal((number) => number + 1);
  };
  const toggle = (node: SpanNode, open?: boolean): void => {
    if (node.children.length === 0) return;
    setClosed((known) => {
      const next = new Set(known);
      const isClosed = next.has(node.span.spanId);
      if (open ?? isClosed) next.delete(node.span.spanId);
      else next.add(node.span.spanId);
      return next;
    });
  };
  const goTo = (wanted: (node: SpanNode) => boolean, by: 1 | -1, what: string): void => {
    const next = nextMatch(tree, selected, wanted, by);
    if (next === undefined) announce(`There is no ${what}`);
    else select(next);
  };
  const step = (by: number): void => {
    const at = selected === undefined ? -1 : rows.indexOf(selected);
    select(rows[Math.min(Math.max(at + by, 0), rows.length - 1)]);
  };
  const isError = ({ span }: SpanNode): boolean => span.status.code === 'error';
  const actions = {
    nextError: (by: 1 | -1) => goTo(isError, by, 'failed span'),
    nextMatch: (by: 1 | -1) => goTo((node) => matches.has(node), by, 'span that matches'),
    collapseAll: () =>
      setClosed(
        new Set(
          tree.nodes.filter(({ children, depth }) => depth > 0 && children.length > 0).map(({ span }) => span.spanId),
        ),
      ),
    expandAll: () => setClosed(new Set()),
    togglePath: () => setParams({ path: param('path') === '' ? '1' : undefined }, { replace: true }),
  };
  useKeys('Trace', [
    { keys: 'j', words: 'Next span', run: () => step(1) },
    { keys: 'k', words: 'Span before', run: () => step(-1) },
    { keys: 'ArrowLeft', words: 'Close the span, or go to its parent', run: () => selected && leave(selected) },
    { keys: 'ArrowRight', words: 'Open the span', run: () => selected && toggle(selected, true) },
    { keys: 'n', words: 'Next match', run: () => actions.nextMatch(1) },
    { keys: 'N', words: 'Match before', run: () => actions.nextMatch(-1) },
    { keys: 'e', words: 'Next failed span', run: () => actions.nextError(1) },
    { keys: 'E', words: 'Failed span before', run: () => actions.nextError(-1) },
    { keys: 'x', words: 'Critical path', run: actions.togglePath },
    { keys: '-', words: 'Collapse all', run: actions.collapseAll },
    { keys: '+', words: 'Expand all', run: actions.expandAll },
    { keys: 'r', words: 'Read the trace again', run: props.reload },
    { keys: 'Escape', words: 'Close the detail', run: () => setParams({ span: undefined }, { replace: true }) },
  ]);
  const leave = (node: SpanNode): void => {
    if (node.children.length > 0 && !closed.has(node.span.spanId)) toggle(node, false);
    else select(node.parent);
  };
  return (
    <div class="stack trace">
      <TraceHeader traceId={traceId} tree={tree} more={trace.more} usage={usage} reload={reload} />
      {error && <Problem error={isGone(error) ? { ...error, message: GONE } : error} />}
      <TraceToolbar tree={tree} matches={matches.size} actions={actions} />
      {tab === 'logs' && (
        <TraceLogs
          traceId={traceId}
          onSelect={(spanId) => setParams({ tab: undefined, span: spanId, in: undefined })}
        />
      )}
      {tab === 'usage' && (
        <TraceUsage
          tree={tree}
          usage={usage}
          onSelect={(node) => setParams({ tab: undefined, span: node.span.spanId, in: node.span.tenant })}
        />
      )}
      {tab === 'waterfall' && (
        <div class="split">
          <div class="stack">
            <Minimap tree={tree} />
            <Waterfall
              {...{ tree, rows, closed, matches, onPath, usage, selected, reveal, toggle, select, step }}
              searching={find !== ''}
            />
          </div>
          {selected && (
            <SpanDetail
              key={selected.span.spanId}
              node={selected}
              tree={tree}
              usage={usage.get(selected)}
              onSelect={select}
            />
          )}
        </div>
      )}
      <span class="off-screen" role="status">
        {formatCount(tree.nodes.length)} spans
      </span>
    </div>
  );
}

function selectedNode(tree: SpanTree): SpanNode | undefined {
  const spanId = param('span');
  if (spanId === '') return undefined;
  return (
    tree.byId.get(`${spanId} ${param('in') || param('of')}`) ?? tree.nodes.find(({ span }) => span.spanId === spanId)
  );
}

/** The stretches of each span that the trace waited for, by the longest root. */
function pathOf(tree: SpanTree) {
  const root = tree.roots.toSorted((left, right) => right.end - right.start - (left.end - left.start))[0];
  const found = new Map<WireSpan, { readonly start: number; readonly end: number }[]>();
  for (const { node, start, end } of root === undefined ? [] : criticalPath(root)) {
    const known = found.get(node.span);
    if (known === undefined) found.set(node.span, [{ start, end }]);
    else known.push({ start, end });
  }
  return found;
}

function openAncestors(
  node: SpanNode,
  closed: ReadonlySet<string>,
  setClosed: (next: ReadonlySet<string>) => void,
): void {
  const next = new Set(closed);
  for (let at = node.parent; at !== undefined; at = at.parent) next.delete(at.span.spanId);
  if (next.size !== closed.size) setClosed(next);
}

function GoneTrace({ traceId }: { readonly traceId: string }): JSX.Element {
  return (
    <EmptyState icon="traces" title="This trace is not here">
      <p>
        <code>{traceId}</code> has not come in, had to make room for newer traces, or belongs to a tenant that you may
        not see.
      </p>
      <p>
        <a class="button" href={hrefTo('/')}>
          All traces
        </a>
      </p>
    </EmptyState>
  );
}
