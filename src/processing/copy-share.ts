import { SpanStatusCode } from '@opentelemetry/api';
import type { EndedSpan } from './ended-span.ts';
import { type LogRecord, SEVERITIES } from './log-record.ts';
import { isInRatio } from './sampling.ts';
import type { CopyShare } from './span-copier.ts';

/** Which spans a share selects. */
export function selectSpans(share: CopyShare): (span: EndedSpan) => boolean {
  if (share === 'all') return () => true;
  if (share === 'errors') return ({ status }) => status.code === SpanStatusCode.ERROR;
  return ({ context }) => isInRatio(context.traceId, share);
}

/** Which log records it selects: those of a trace as the spans of it; of those outside of traces as many. */
export function selectLogs(share: CopyShare, random: () => number): (record: LogRecord) => boolean {
  if (share === 'all') return () => true;
  if (share === 'errors') return ({ severityNumber }) => severityNumber >= SEVERITIES.error;
  return ({ context }) => (context === undefined ? random() < share : isInRatio(context.traceId, share));
}
