import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { addTerm } from '../model/complete-query.ts';
import { formatCount } from '../model/format.ts';
import { logMillis, type WireLog, type WireLogPage } from '../model/wire.ts';
import { Badge } from '../parts/badge.tsx';
import { GetStarted, NothingFound, Problem } from '../parts/empty-state.tsx';
import { ExportButton } from '../parts/export-button.tsx';
import { LogList } from '../parts/log-list.tsx';
import { QueryBox } from '../parts/query-box.tsx';
import { param, setParams } from '../state/address.ts';
import { apiPath } from '../state/api.ts';
import { exportPage } from '../state/export-otlp.ts';
import { gap, interest, NO_MATCH, onLive } from '../state/live.ts';
import { isRolling, scopeValues } from '../state/scope.ts';
import { useQuestion } from '../state/use-question.ts';

const ASKED = 500;
const MOST = 5_000;
const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export function LogsView(): JSX.Element {
  const query = param('q');
  const least = LEVELS.find((level) => level === param('level'));
  const whole = least === undefined ? query : addTerm(query, `severity>=${least}`);
  const path = apiPath('logs', { ...scopeValues(), query: whole, limit: ASKED });
  const since = useRef<readonly WireLog[]>([]);
  const { value, error } = useQuestion<WireLogPage>(path, { subject: 'logs', beat: gap.value });
  const [logs, setLogs] = useState<readonly WireLog[]>();
  useEffect(() => {
    interest.value = { query: NO_MATCH, logs: whole };
  }, [whole]);
  const missed = gap.value;
  useEffect(() => {
    since.current = [];
  }, [path, missed]);
  useEffect(() => setLogs(value && mergeLogs(value.logs, notAmong(since.current, value.logs))), [value]);
  useEffect(() => {
    if (!isRolling()) return undefined;
    return onLive((update) => {
      if (update.logs.length === 0) return;
      since.current = [...update.logs, ...since.current].slice(0, MOST);
      setLogs((known) => mergeLogs(known ?? [], update.logs));
    });
  }, [path]);
  return (
    <div class="stack">
      <div class="toolbar">
        <QueryBox
          signal="logs"
          value={query}
          placeholder='service:api severity>=warn "text" attr.user=7'
          onSearch={(q) => setParams({ q })}
        />
        <div class="segmented" role="group" aria-label="Least severity">
          <button type="button" aria-pressed={least === undefined} onClick={() => setParams({ level: undefined })}>
            All
          </button>
          {LEVELS.map((level) => (
            <button type="button" key={level} aria-pressed={least === level} onClick={() => setParams({ level })}>
              {level}
            </button>
          ))}
        </div>
        <ExportButton
          what="log records"
          disabled={logs === undefined || logs.length === 0}
          onExport={() => exportPage('logs', { ...scopeValues(), query: whole })}
        />
      </div>
      {error && <Problem error={error} />}
      <p class="summary" role="status">
        {logs === undefined
          ? 'Looking …'
          : `${formatCount(logs.length)} log ${logs.length === 1 ? 'record' : 'records'}`}
        {value?.more && <span>, and more: narrow the search or the time</span>}
        {value?.partial && <Badge tone="warn">partial</Badge>}
      </p>
      {logs?.length === 0 &&
        !error &&
        (whole === '' ? <GetStarted icon="logs" title="No log records yet" /> : <NothingFound what="log records" />)}
      {logs !== undefined && logs.length > 0 && (
        <LogList id="logs" logs={logs} onSearch={(term) => setParams({ q: addTerm(query, term) })} />
      )}
    </div>
  );
}

/** Those that came in after the answer was made. Records have no id: of equal ones as many are left as are too many. */
function notAmong(fresh: readonly WireLog[], answered: readonly WireLog[]): readonly WireLog[] {
  if (fresh.length === 0) return fresh;
  const counts = new Map<string, number>();
  for (const log of answered) counts.set(textOfLog(log), (counts.get(textOfLog(log)) ?? 0) + 1);
  return fresh.filter((log) => {
    const key = textOfLog(log);
    const left = counts.get(key) ?? 0;
    counts.set(key, left - 1);
    return left <= 0;
  });
}

function textOfLog({ timeUnixNano, observedTimeUnixNano, tenant, spanId, body }: WireLog): string {
  return JSON.stringify([timeUnixNano, observedTimeUnixNano, tenant, spanId, body]);
}

/** Newest first; those that came in are told newest first too. */
function mergeLogs(known: readonly WireLog[], fresh: readonly WireLog[]): readonly WireLog[] {
  return [...fresh, ...known].sort((left, right) => logMillis(right) - logMillis(left)).slice(0, MOST);
}
