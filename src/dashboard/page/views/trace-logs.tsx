import type { JSX } from 'preact';
import type { WireLogPage } from '../model/wire.ts';
import { Problem } from '../parts/empty-state.tsx';
import { LogList } from '../parts/log-list.tsx';
import { apiPath } from '../state/api.ts';
import { useQuestion } from '../state/use-question.ts';

/** The log records of a trace, in the order they were written. */
export function TraceLogs(props: {
  readonly traceId: string;
  readonly onSelect: (spanId: string) => void;
}): JSX.Element {
  const path = apiPath('logs', { query: `trace:${props.traceId}`, start: 0, limit: 2_000 });
  const { value, error } = useQuestion<WireLogPage>(path, { follow: true });
  if (error) return <Problem error={error} />;
  if (value === undefined) return <p class="summary">Looking …</p>;
  if (value.logs.length === 0) {
    return <p class="summary">No log record names this trace. Loggers that know the active span write its ids.</p>;
  }
  return <LogList id="trace-logs" logs={value.logs.toReversed()} onSpan={props.onSelect} />;
}
