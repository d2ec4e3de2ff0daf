import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { addTerm } from '../model/complete-query.ts';
import { formatCount, formatDuration, formatTime } from '../model/format.ts';
import type { SpanNode, SpanTree } from '../model/span-tree.ts';
import type { UsageSum } from '../model/usage-rollup.ts';
import { millisOf, textOf, type WireEvent } from '../model/wire.ts';
import { Badge, ServiceName, TenantName } from '../parts/badge.tsx';
import { CopyButton } from '../parts/copy-button.tsx';
import { Icon } from '../parts/icon.tsx';
import { KeyValues } from '../parts/key-values.tsx';
import { Messages } from '../parts/messages.tsx';
import { UsageBadge } from '../parts/usage-badge.tsx';
import { go, hrefTo, setParams } from '../state/address.ts';

export function SpanDetail(props: {
  readonly node: SpanNode;
  readonly tree: SpanTree;
  readonly usage: UsageSum | undefined;
  readonly onSelect: (node: SpanNode) => void;
}): JSX.Element {
  const { node, tree, usage, onSelect } = props;
  const { span } = node;
  const [filter, setFilter] = useState('');
  const search = (term: string): void => go(hrefTo('/', { q: term }));
  const failed = span.status.code === 'error';
  const startMillis = tree.startMillis + node.start / 1e6;
  return (
    <aside class="detail" aria-label="Span">
      <header>
        <h2>{span.name === '' ? 'no name' : span.name}</h2>
        <CopyButton what="the span as JSON" text={() => JSON.stringify(span, undefined, 2)} />
        <CopyButton what="a link to the span" icon="link" text={() => location.href} />
        <button
          type="button"
          class="icon-button"
          aria-label="Close the detail"
          onClick={() => setParams({ span: undefined }, { replace: true })}
        >
          <Icon name="close" />
        </button>
      </header>
      <p class="badges">
        <ServiceName name={span.service} />
        <TenantName name={span.tenant} />
        <Badge tone="quiet">{span.kind}</Badge>
        <Badge tone={failed ? 'error' : span.status.code === 'ok' ? 'good' : 'quiet'}>{span.status.code}</Badge>
        {usage && <UsageBadge sum={usage} />}
      </p>
      {failed && span.status.message !== '' && <p class="problem">{span.status.message}</p>}
      <dl class="times">
        <Time name="Duration" value={formatDuration(node.end - node.start)} />
        <Time name="Self" value={formatDuration(selfTime(node))} />
        <Time name="After start" value={formatDuration(node.start)} />
        <Time name="Start" value={formatTime(startMillis)} />
      </dl>
      <nav class="jumps" aria-label="From this span">
        {node.parent && (
          <button type="button" class="button" onClick={() => node.parent && onSelect(node.parent)}>
            Parent
          </button>
        )}
        <button type="button" class="button" onClick={() => setParams({ tab: 'logs' })}>
          <Icon name="logs" /> Logs
        </button>
        <button type="button" class="button" onClick={() => search(`service:"${span.service}" name:"${span.name}"`)}>
          <Icon name="search" /> Same operation
        </button>
      </nav>
      <Messages attributes={span.attributes} />
      {span.events
        .filter(({ name }) => name === 'exception')
        .map((event) => (
          <Exception key={event.timeUnixNano} event={event} />
        ))}
      <input
        class="input"
        aria-label="Filter the attributes"
        placeholder="Filter the attributes"
        value={filter}
        onInput={(event) => setFilter(event.currentTarget.value)}
      />
      <Section
        title="Attributes"
        count={Object.keys(span.attributes).length}
        dropped={span.droppedAttributesCount}
        open
      >
        <KeyValues values={span.attributes} prefix="attr." filter={filter} onSearch={search} />
      </Section>
      <Section title="Events" count={span.events.length} dropped={span.droppedEventsCount} open>
        {span.events.map((event, at) => (
          <div class="event-row" key={at}>
            <b>{event.name}</b>
            <small title={formatTime(millisOf(event.timeUnixNano))}>
              +{formatDuration(Number(BigInt(event.timeUnixNano) - BigInt(span.startTimeUnixNano)))}
            </small>
            <KeyValues values={event.attributes} filter={filter} />
          </div>
        ))}
      </Section>
      <Section title="Links" count={span.links.length} dropped={span.droppedLinksCount} open>
        {span.links.map((link) => (
          <div class="event-row" key={`${link.traceId}${link.spanId}`}>
            <a href={hrefTo(`/t/${link.traceId}`, { span: link.spanId })} class="mono">
              {link.traceId.slice(0, 16)}… / {link.spanId}
            </a>
            <KeyValues values={link.attributes} filter={filter} />
          </div>
        ))}
      </Section>
      <Section title="Resource" count={Object.keys(span.resource).length} dropped={0}>
        <KeyValues values={span.resource} prefix="resource." filter={filter} onSearch={search} />
      </Section>
      <Section title="Scope and ids" count={undefined} dropped={0}>
        <KeyValues
          values={{
            'scope.name': span.scope.name,
            'scope.version': span.scope.version,
            ...span.scope.attributes,
            'span id': span.spanId,
            'trace id': span.traceId,
            ...(span.parentSpanId !== '' && { 'parent span id': span.parentSpanId }),
            ...(span.traceState !== '' && { 'trace state': span.traceState }),
          }}
          filter={filter}
        />
      </Section>
      <p class="hint">
        <a href={hrefTo('/', { q: addTerm('', `trace:${span.traceId}`) })}>This trace in the list</a>
      </p>
    </aside>
  );
}

function Section(props: {
  readonly title: string;
  readonly count: number | undefined;
  readonly dropped: number;
  readonly open?: boolean;
  readonly children: JSX.Element | readonly JSX.Element[];
}): JSX.Element | null {
  const { title, count, dropped, open = false, children } = props;
  if (count === 0 && dropped === 0) return null;
  return (
    <details open={open}>
      <summary>
        {title} {count !== undefined && <small>{formatCount(count)}</small>}
        {dropped > 0 && <Badge tone="warn">{formatCount(dropped)} dropped</Badge>}
      </summary>
      {children}
    </details>
  );
}

function Exception({ event }: { readonly event: WireEvent }): JSX.Element {
  const { 'exception.type': type, 'exception.message': message, 'exception.stacktrace': stack } = event.attributes;
  return (
    <section class="exception" aria-label="Exception">
      <header>
        <b>{textOf(type ?? 'exception')}</b>
        <CopyButton what="the stack" text={() => textOf(stack ?? message)} />
      </header>
      <p>{textOf(message)}</p>
      {stack !== undefined && <pre>{textOf(stack)}</pre>}
    </section>
  );
}

function Time({ name, value }: { readonly name: string; readonly value: string }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** The time that no child covers. */
function selfTime(node: SpanNode): number {
  let covered = 0;
  let until = node.start;
  for (const { start, end } of [...node.children].sort((left, right) => left.start - right.start)) {
    const [from, to] = [Math.max(start, until), Math.min(end, node.end)];
    if (to <= from) continue;
    covered += to - from;
    until = to;
  }
  return node.end - node.start - covered;
}
