import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { FollowedLogs } from '../model/followed-logs.ts';
import type { WireLogPage } from '../model/wire.ts';
import { Problem } from '../parts/empty-state.tsx';
import { LogList } from '../parts/log-list.tsx';
import { apiPath } from '../state/api.ts';
import { useQuestion } from '../state/use-question.ts';

const MOST = 2_000;

/** The log records of a trace, in the order they were written. */
export function TraceLogs(props: {
  readonly traceId: string;
  readonly onSelect: (spanId: string) => void;
}): JSX.Element {
  const path = apiPath('logs', { query: `trace:${props.traceId}`, start: 0, limit: MOST });
  const { value, error } = useQuestion<WireLogPage>(path, { follow: true });
  // Records that stay the same stay open.
  const [followed] = useState(() => new FollowedLogs(MOST));
  const logs = useMemo(() => followed.answer(value?.logs ?? []).toReversed(), [value]);
  if (value === undefined) return error ? <Problem error={error} /> : <p class="summary">Looking …</p>;
  if (value.logs.length === 0) {
    return <p class="summary">No log record names this trace. Loggers that know the active span write its ids.</p>;
  }
  return (
    <>
      {error && <Problem error={error} />}
      <LogList id="trace-logs" logs={logs} onSpan={props.onSelect} />
    </>
  );
}
