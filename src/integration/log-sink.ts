import { context as contextApi } from '@opentelemetry/api';
import { emitLog } from '../core/emit-log.ts';
import type { TracerRegistry } from '../core/registry.ts';
import { TracerBase } from '../core/tracer-base.ts';
import type { LogEntry } from '../processing/log-entry.ts';
import { SEVERITIES } from '../processing/log-record.ts';

/**
 * Where a bridge sends what is logged: a registry, to the tenant that the running code works for and outside every tenant
 * by its option `unassigned`; or one tracer, always.
 */
export type LogSinkTarget = TracerRegistry<TracerBase> | TracerBase;

/** Takes what was logged in the running context, under the name of the logger. Never throws. */
export type LogSink = (entry: LogEntry, scopeName: string) => void;

/** What is given something else than a target takes nothing anywhere. */
export function createLogSink(target: LogSinkTarget): LogSink {
  try {
    return sinkOf(target);
  } catch {
    return () => undefined;
  }
}

function sinkOf(target: LogSinkTarget): LogSink {
  if (target instanceof TracerBase) {
    const runtime = TracerBase.runtimeOf(target);
    const scopes = runtime.house.logScopes;
    return (entry, name) => emitLog(runtime, entry, contextApi.active(), scopes.scope(name, undefined));
  }
  const { logs } = target.routing;
  return (entry, name) => logs.emit(entry, contextApi.active(), logs.scope(name));
}

/** The severity of OpenTelemetry for a level of pino's scale, 10 for each step from trace to fatal. */
export function severityOf(level: number): number {
  const bounds = [SEVERITIES.trace, SEVERITIES.debug, SEVERITIES.info, SEVERITIES.warn, SEVERITIES.error];
  return level >= 60 ? SEVERITIES.fatal : (bounds[Math.max(Math.floor(level / 10) - 1, 0)] ?? SEVERITIES.trace);
}
