import type { JSX } from 'preact';
import { curlOf, traceForReader } from '../model/copy-trace.ts';
import { formatCount, formatDuration, formatTime } from '../model/format.ts';
import type { SpanNode, SpanTree } from '../model/span-tree.ts';
import { plus, type UsageSum } from '../model/usage-rollup.ts';
import { Badge, TenantName } from '../parts/badge.tsx';
import { CopyButton } from '../parts/copy-button.tsx';
import { Icon } from '../parts/icon.tsx';
import { UsageBadge } from '../parts/usage-badge.tsx';
import { hrefTo } from '../state/address.ts';
import { exportTrace, otlpPath, traceAsOtlp } from '../state/export-otlp.ts';

export function TraceHeader(props: {
  readonly traceId: string;
  readonly tree: SpanTree;
  readonly more: boolean;
  readonly usage: ReadonlyMap<SpanNode, UsageSum>;
  readonly reload: () => void;
}): JSX.Element {
  const { traceId, tree, more, usage, reload } = props;
  const root = tree.roots[0];
  const tenants = [...new Set(tree.nodes.map(({ span }) => span.tenant))];
  const tenant = tenants.join(',');
  const sums = tree.roots.flatMap((node) => usage.get(node) ?? []);
  const total = sums.length > 0 ? sums.reduce(plus) : undefined;
  const from = Math.floor(tree.startMillis) - 60_000;
  const to = Math.ceil(tree.startMillis + tree.durationNanos / 1e6) + 60_000;
  const around = { tenant, from: String(from), to: String(to), last: undefined };
  return (
    <header class="trace-header">
      <a class="icon-button" href={hrefTo('/')} aria-label="Back to the traces" title="Back to the traces">
        <span class="turned">
          <Icon name="chevron" />
        </span>
      </a>
      <div class="trace-title">
        <h1>{root?.span.name || 'no name'}</h1>
        <p>
          {tenants.map((name) => (
            <TenantName key={name} name={name} />
          ))}
          <span class="mono">{traceId}</span>
          <CopyButton what="the trace id" text={() => traceId} />
          <span title={new Date(tree.startMillis).toISOString()}>{formatTime(tree.startMillis)}</span>
        </p>
      </div>
      <div class="facts">
        <Fact name="Duration" value={formatDuration(tree.durationNanos)} />
        <Fact name="Spans" value={formatCount(tree.nodes.length)} />
        <Fact name="Failed" value={formatCount(tree.errors)} bad={tree.errors > 0} />
      </div>
      <div class="honesty">
        {total && <UsageBadge sum={total} />}
        {tree.missing > 0 && (
          <button
            type="button"
            class="badge warn"
            title="Spans name parents that have not come in, or had to make room. Press to read the trace again"
            onClick={reload}
          >
            {formatCount(tree.missing)} spans missing
          </button>
        )}
        {tree.skewed > 0 && (
          <Badge tone="warn" title="Spans that start before their parent: the clocks of two machines differ">
            clocks differ
          </Badge>
        )}
        {more && <Badge tone="warn">more spans than are shown</Badge>}
        <Dropped tree={tree} />
      </div>
      <div class="header-actions">
        <a class="button" href={hrefTo('/metrics', around)} title="Metrics of this tenant around this time">
          <Icon name="metrics" />
          <span class="button-label">Metrics then</span>
        </a>
        <CopyButton what="a link" icon="link" text={() => location.href} />
        <div class="segmented" role="group" aria-label="Copy the trace">
          <CopyButton
            what="as JSON"
            words="JSON"
            text={() =>
              JSON.stringify(
                tree.nodes.map(({ span }) => span),
                undefined,
                2,
              )
            }
          />
          <CopyButton what="as curl" words="curl" text={() => curlOf(location.origin, otlpPath({ traceId, tenant }))} />
          <CopyButton what="as OTLP" words="OTLP" text={() => traceAsOtlp({ traceId, tenant })} />
          <CopyButton what="for an assistant" words="Text" text={() => traceForReader(tree)} />
        </div>
        <button
          type="button"
          class="icon-button"
          aria-label="Export as an OTLP file"
          title="Export as an OTLP file"
          onClick={() => void exportTrace({ traceId, tenant })}
        >
          <Icon name="download" />
        </button>
      </div>
    </header>
  );
}

function Fact(props: { readonly name: string; readonly value: string; readonly bad?: boolean }): JSX.Element {
  return (
    <div class="fact">
      <b class={props.bad ? 'bad' : undefined}>{props.value}</b>
      <small>{props.name}</small>
    </div>
  );
}

/** What the senders had to leave out of their spans. */
function Dropped({ tree }: { readonly tree: SpanTree }): JSX.Element | null {
  const count = tree.nodes.reduce(
    (sum, { span }) => sum + span.droppedAttributesCount + span.droppedEventsCount + span.droppedLinksCount,
    0,
  );
  if (count === 0) return null;
  return (
    <Badge tone="warn" title="Attributes, events and links beyond the limits of the SDK that sent the spans">
      {formatCount(count)} dropped by the sender
    </Badge>
  );
}
