import type { JSX } from 'preact';
import { useMemo, useRef } from 'preact/hooks';
import { formatDuration } from '../model/format.ts';
import { serviceClass } from '../model/service-hue.ts';
import type { SpanNode, SpanTree } from '../model/span-tree.ts';
import { descendants } from '../model/span-tree.ts';
import type { UsageSum } from '../model/usage-rollup.ts';
import type { WireSpan } from '../model/wire.ts';
import { Icon } from '../parts/icon.tsx';
import { UsageBadge } from '../parts/usage-badge.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import { type Zoom, zoomOf } from '../state/zoom.ts';

export interface WaterfallProps {
  readonly tree: SpanTree;
  /** Those that are to be seen. */
  readonly rows: readonly SpanNode[];
  readonly closed: ReadonlySet<string>;
  readonly matches: ReadonlySet<SpanNode>;
  readonly searching: boolean;
  readonly onPath: ReadonlyMap<WireSpan, readonly { readonly start: number; readonly end: number }[]> | undefined;
  readonly usage: ReadonlyMap<SpanNode, UsageSum>;
  readonly selected: SpanNode | undefined;
  readonly reveal: number;
  readonly toggle: (node: SpanNode, open?: boolean) => void;
  readonly select: (node: SpanNode) => void;
  readonly step: (by: number) => void;
}

const ROW_HEIGHT = 30;
const MOST_INDENTS = 24;
const INDENT = 14;
const TICKS = [0, 0.25, 0.5, 0.75];

/** The spans as a tree on the left and as bars over time on the right. */
export function Waterfall(props: WaterfallProps): JSX.Element {
  const { tree, rows, selected, step, select } = props;
  const zoom = zoomOf();
  const places = useMemo(() => new Map(rows.map((node, at) => [node, at])), [rows]);
  const active = selected === undefined ? -1 : (places.get(selected) ?? -1);
  const scroller = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent): void => {
    const page = Math.max(Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT) - 2, 1);
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      step(by);
    } else if (event.key === 'Home' || event.key === 'End') {
      event.preventDefault();
      const target = event.key === 'Home' ? rows[0] : rows.at(-1);
      if (target !== undefined) select(target);
    }
  };
  return (
    <VirtualList
      id="spans"
      role="treegrid"
      label="Spans"
      class="waterfall"
      {...{ scroller, active, onKeyDown }}
      count={rows.length}
      rowHeight={ROW_HEIGHT}
      reveal={props.reveal}
      keyOf={(index) => `${rows[index]?.index}`}
      header={
        <div class="span-row head" role="row">
          <span role="columnheader">Span</span>
          <span role="columnheader" aria-label="Time" class="ticks">
            {TICKS.map((share) => (
              <i key={share} style={{ left: `${share * 100}%` }}>
                {formatDuration((zoom.from + share * (zoom.to - zoom.from)) * tree.durationNanos)}
              </i>
            ))}
          </span>
        </div>
      }
      row={(index) => (
        <SpanRow {...props} node={rows[index] as SpanNode} at={index} active={index === active} zoom={zoom} />
      )}
    />
  );
}

function SpanRow(
  props: WaterfallProps & {
    readonly node: SpanNode;
    readonly at: number;
    readonly active: boolean;
    readonly zoom: Zoom;
  },
): JSX.Element {
  const { node, at, active, tree, closed, matches, searching, usage, toggle, select } = props;
  const { span, depth, children } = node;
  const isClosed = closed.has(span.spanId);
  const failed = span.status.code === 'error';
  const sum = usage.get(node);
  const faded = searching && !matches.has(node);
  return (
    <div
      role="row"
      id={`spans-${at}`}
      tabIndex={-1}
      aria-level={depth + 1}
      aria-rowindex={at + 1}
      aria-selected={active}
      aria-expanded={children.length === 0 ? undefined : !isClosed}
      data-span={span.spanId}
      class={`span-row ${serviceClass(span.service)}${failed ? ' failed' : ''}${faded ? ' faded' : ''}${searching && !faded ? ' match' : ''}`}
      onClick={() => select(node)}
      onKeyDown={(event) => event.key === 'Enter' && select(node)}
    >
      <span
        role="gridcell"
        class="span-name"
        style={{ paddingLeft: `${8 + Math.min(depth, MOST_INDENTS) * INDENT}px` }}
      >
        {children.length > 0 ? (
          <button
            type="button"
            tabIndex={-1}
            class="twist"
            aria-label={isClosed ? `Open ${span.name}` : `Close ${span.name}`}
            onClick={(event) => {
              event.stopPropagation();
              toggle(node);
            }}
          >
            <Icon name="chevron" size={12} />
          </button>
        ) : (
          <i class="twist" />
        )}
        {failed && <Icon name="errors" size={14} />}
        <b title={span.name}>{span.name === '' ? 'no name' : span.name}</b>
        <small title={span.service}>{span.service}</small>
        {isClosed && <span class="badge quiet">+{descendants(tree, node)}</span>}
        {node.orphan && (
          <span class="badge warn" title={`Its parent ${span.parentSpanId} is not here`}>
            no parent
          </span>
        )}
        {sum && <UsageBadge sum={sum} />}
      </span>
      <span
        role="gridcell"
        class="lane"
        aria-label={`Starts at ${formatDuration(node.start)}, takes ${formatDuration(node.end - node.start)}`}
      >
        <Bars {...props} />
      </span>
    </div>
  );
}

function Bars({
  node,
  tree,
  zoom,
  onPath,
}: WaterfallProps & { readonly node: SpanNode; readonly zoom: Zoom }): JSX.Element {
  const whole = Math.max(tree.durationNanos, 1);
  const placeOf = (nanos: number): number => (100 * (nanos / whole - zoom.from)) / (zoom.to - zoom.from);
  const [left, right] = [placeOf(node.start), placeOf(node.end)];
  const stretches = onPath?.get(node.span);
  if (right < 0 || left > 100) return <i class={left > 100 ? 'beyond end' : 'beyond'} />;
  const clippedLeft = Math.max(left, 0);
  const width = Math.max(Math.min(right, 100) - clippedLeft, 0.15);
  const inside = width > 55;
  return (
    <>
      <i
        class={`bar${onPath && !stretches ? ' off-path' : ''}`}
        style={{ left: `${clippedLeft}%`, width: `${width}%` }}
      />
      {stretches?.map(({ start, end }) => {
        const from = Math.min(Math.max(placeOf(start), 0), 100);
        return (
          <i
            key={start}
            class="critical"
            style={{ left: `${from}%`, width: `${Math.max(Math.min(placeOf(end), 100) - from, 0.1)}%` }}
          />
        );
      })}
      {node.span.events.slice(0, 20).map((event, at) => {
        const place = placeOf(Number(BigInt(event.timeUnixNano) - BigInt(node.span.startTimeUnixNano)) + node.start);
        if (place < 0 || place > 100) return null;
        return (
          <i
            key={at}
            class={`event${event.name === 'exception' ? ' bad' : ''}`}
            title={event.name}
            style={{ left: `${place}%` }}
          />
        );
      })}
      <small
        class={inside ? 'inside' : clippedLeft + width > 70 ? 'before' : 'after'}
        style={
          inside
            ? { left: `${clippedLeft}%` }
            : clippedLeft + width > 70
              ? { right: `${100 - clippedLeft}%` }
              : { left: `${clippedLeft + width}%` }
        }
      >
        {formatDuration(node.end - node.start)}
      </small>
    </>
  );
}
