import type { Context } from '@opentelemetry/api';
import { createLogRecord, type LogEntry } from '../processing/log-entry.ts';
import { SEVERITIES } from '../processing/log-record.ts';
import { scopeOfOwner } from '../processing/scope.ts';
import { sessionIn } from '../processing/session.ts';
import type { SpanScope } from '../processing/span-host.ts';
import { OWN_SCOPE } from './own-scope.ts';
import type { TracerRuntime } from './tracer-runtime.ts';

/**
 * Takes what the host logged for a tenant, in the tenant's scope of `context`: with its session and its own active span,
 * never another tenant's. Never throws.
 */
export function emitLog(runtime: TracerRuntime, entry: LogEntry, context: Context, scope = OWN_SCOPE): void {
  try {
    if (takesLogs(runtime, entry.severityNumber)) keepLog(runtime, entry, context, scope);
  } catch (error) {
    runtime.guard.report('api', 'log', error);
  }
}

/** Whether a record of this severity would be taken at the moment. */
export function takesLogs(runtime: TracerRuntime, severityNumber: number): boolean {
  if (!runtime.admit()) return false;
  const { path } = runtime;
  const { logs, signals } = path.settings;
  if (!signals.logs) return false;
  // Without a configuration nobody knows yet what the tenant wants.
  return !path.configured || !(severityNumber > 0 && severityNumber < SEVERITIES[logs.minSeverity]);
}

function keepLog(runtime: TracerRuntime, entry: LogEntry, context: Context, scope: SpanScope): void {
  const own = scopeOfOwner(context, runtime);
  const record = createLogRecord(entry, {
    limits: runtime.spanLimits,
    now: runtime.clock.now(),
    span: own?.ownSpan,
    sessionId: sessionIn(runtime, own)?.id,
    failed: (error) => runtime.guard.report('host', 'log', error),
  });
  runtime.path.others.log(record, scope);
}
