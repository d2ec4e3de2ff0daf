import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { formatTime } from '../model/format.ts';
import { logMillis, textOf, type WireLog } from '../model/wire.ts';
import { hrefTo } from '../state/address.ts';
import { useKeys } from '../state/use-keys.ts';
import { ServiceName, TenantName } from './badge.tsx';
import { CopyButton } from './copy-button.tsx';
import { Icon } from './icon.tsx';
import { KeyValues } from './key-values.tsx';
import { VirtualList } from './virtual-list.tsx';

export interface LogListProps {
  readonly id: string;
  readonly logs: readonly WireLog[];
  readonly onSearch?: (term: string) => void;
  /** Where the span of a record is shown beside it. */
  readonly onSpan?: (spanId: string) => void;
}

const ROW_HEIGHT = 32;
const LEVELS = ['', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'];

export function LogList({ id, logs, onSearch, onSpan }: LogListProps): JSX.Element {
  const [chosen, setChosen] = useState<WireLog>();
  const [reveal, setReveal] = useState(0);
  const [open, setOpen] = useState<ReadonlySet<WireLog>>(new Set());
  // The record, wherever it is once others have come in.
  const active = chosen === undefined ? -1 : logs.indexOf(chosen);
  const move = (by: number): void => {
    setChosen(logs[Math.min(Math.max(active + by, 0), logs.length - 1)]);
    setReveal((number) => number + 1);
  };
  const toggle = (log: WireLog | undefined): void => {
    if (log === undefined) return;
    const next = new Set(open);
    if (!next.delete(log)) next.add(log);
    setOpen(next);
  };
  useKeys('Log records', [
    { keys: 'j', words: 'Next record', run: () => move(1) },
    { keys: 'k', words: 'Record before', run: () => move(-1) },
    { keys: 'Enter', words: 'Open, close the record', run: () => toggle(logs[active]) },
  ]);
  return (
    <VirtualList
      id={id}
      role="grid"
      label="Log records"
      class="logs"
      count={logs.length}
      rowHeight={ROW_HEIGHT}
      {...{ active, reveal }}
      isOpen={(index) => open.has(logs[index] as WireLog)}
      onKeyDown={(event) => {
        const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        move(by);
      }}
      row={(index) => {
        const log = logs[index] as WireLog;
        const isOpen = open.has(log);
        return (
          <div class={`log ${levelOf(log)}`}>
            <div
              role="row"
              id={`${id}-${index}`}
              tabIndex={-1}
              aria-rowindex={index + 1}
              aria-selected={index === active}
              aria-expanded={isOpen}
              class="log-row"
              onClick={() => {
                setChosen(log);
                toggle(log);
              }}
              onKeyDown={(event) => event.key === 'Enter' && toggle(log)}
            >
              <span role="gridcell" class="mono" title={new Date(logMillis(log)).toISOString()}>
                {formatTime(logMillis(log))}
              </span>
              <span role="gridcell" class="level">
                {log.severityText || levelOf(log) || 'log'}
              </span>
              <span role="gridcell" class="log-origin">
                <TenantName name={log.tenant} />
                <ServiceName name={log.service} />
              </span>
              <span role="gridcell" class="log-body">
                {log.eventName !== '' && <b>{log.eventName} </b>}
                {textOf(log.body)}
              </span>
              <span role="gridcell">
                {log.traceId !== '' && !onSpan && (
                  <a
                    class="button small"
                    href={hrefTo(`/t/${log.traceId}`, { of: log.tenant, span: log.spanId })}
                    onClick={(event) => event.stopPropagation()}
                  >
                    <Icon name="traces" size={14} /> Trace
                  </a>
                )}
                {log.spanId !== '' && onSpan && (
                  <button
                    type="button"
                    class="button small"
                    onClick={(event) => {
                      event.stopPropagation();
                      onSpan(log.spanId);
                    }}
                  >
                    Span
                  </button>
                )}
              </span>
            </div>
            {isOpen && (
              <div class="log-detail">
                <pre>{textOf(log.body)}</pre>
                <CopyButton what="the record as JSON" words="JSON" text={() => JSON.stringify(log, undefined, 2)} />
                <h3>Attributes</h3>
                <KeyValues values={log.attributes} prefix="attr." {...(onSearch && { onSearch })} />
                <h3>Resource</h3>
                <KeyValues values={log.resource} prefix="resource." {...(onSearch && { onSearch })} />
              </div>
            )}
          </div>
        );
      }}
    />
  );
}

function levelOf({ severityNumber }: WireLog): string {
  return LEVELS[Math.ceil(severityNumber / 4)] ?? '';
}
