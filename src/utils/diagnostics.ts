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
  'isotrace:tenant:created': { readonly tenantId: string };
  'isotrace:tenant:evicted': { readonly tenantId: string; readonly reason: 'capacity' | 'idle' | 'deleted' };
  'isotrace:tenant:revived': { readonly tenantId: string };
  'isotrace:tenant:degraded': { readonly tenantId: string; readonly reason: string };
  'isotrace:tenant:closed': { readonly tenantId: string };
  'isotrace:export:failed': { readonly tenantId: string; readonly reason: string; readonly willRetry: boolean };
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
