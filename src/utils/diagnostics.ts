import diagnosticsChannel from 'node:diagnostics_channel';

/** The part of a pino logger that isotrace writes its own diagnostics to. */
export interface DiagnosticLogger {
  /** For whoever looks into a problem. */
  debug(fields: object, message: string): void;
  /** Of interest, nothing is wrong. */
  info(fields: object, message: string): void;
  /** Something is lost or degraded. */
  warn(fields: object, message: string): void;
  /** Something does not work. */
  error(fields: object, message: string): void;
}

/** Messages on `node:diagnostics_channel`, by channel name. */
export interface DiagnosticEvents {
  /** A tenant came into use that was not there, or is forgotten. */
  'isotrace:tenant:created': { readonly tenantId: string };
  /** A tenant was evicted, and delivers what it has. */
  'isotrace:tenant:evicted': { readonly tenantId: string; readonly reason: 'capacity' | 'idle' | 'deleted' };
  /** An evicted tenant was used again. */
  'isotrace:tenant:revived': { readonly tenantId: string };
  /** The configuration of a tenant could not be had; it records and is asked for again. */
  'isotrace:tenant:degraded': { readonly tenantId: string; readonly reason: string };
  /** A tenant was shut down. */
  'isotrace:tenant:closed': { readonly tenantId: string };
  /** An attempt to deliver failed. */
  'isotrace:export:failed': { readonly tenantId: string; readonly reason: string; readonly willRetry: boolean };
  /** So many spans, log records or data points were lost or turned away; `reason` is a `DropReason`. */
  'isotrace:dropped': { readonly tenantId: string; readonly reason: string; readonly count: number };
}

/**
 * Publishes to a channel when somebody listens. A subscriber that throws is Node's to report: it becomes
 * an `uncaughtException`, as for every diagnostics channel.
 */
export function publishDiagnostic<Name extends keyof DiagnosticEvents>(
  name: Name,
  message: DiagnosticEvents[Name],
): void {
  const channel = diagnosticsChannel.channel(name);
  if (channel.hasSubscribers) channel.publish(message);
}
