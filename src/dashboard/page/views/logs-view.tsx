import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { addTerm } from '../model/complete-query.ts';
import { FollowedLogs } from '../model/followed-logs.ts';
import { formatCount } from '../model/format.ts';
import type { WireLog, WireLogPage } from '../model/wire.ts';
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
  const [followed] = useState(() => new FollowedLogs(MOST));
  const { value, error, answered } = useQuestion<WireLogPage>(path, {
    ...{ subject: 'logs', missed: gap.value },
    onAsk: (asked) => followed.ask(asked),
  });
  const [logs, setLogs] = useState<readonly WireLog[]>();
  useEffect(() => {
    interest.value = { query: NO_MATCH, logs: whole };
  }, [whole]);
  useEffect(() => {
    if (value !== undefined && answered === path) setLogs(followed.answer(value.logs));
  }, [value, answered]);
  useEffect(() => {
    if (!isRolling()) return undefined;
    return onLive((update) => {
      if (update.logs.length > 0) setLogs(followed.tell(update.logs));
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
