import type { Context } from '@opentelemetry/api';
import type { LogEntry } from '../processing/log-entry.ts';
import type { SpanScope } from '../processing/span-host.ts';
import { emitLog, takesLogs } from './emit-log.ts';
import { type ApiLoggerProvider, createLoggerProvider } from './log-provider.ts';
import type { SpanRouter } from './span-router.ts';
import { TracerRuntime } from './tracer-runtime.ts';

export interface LogRouterOptions {
  /** Knows whose a context is. */
  readonly router: SpanRouter;
  /** Gets what belongs to no tenant; without one it is dropped. */
  readonly unassigned: () => TracerRuntime | undefined;
  /** Where that is counted. */
  readonly nobody: TracerRuntime;
}

/**
 * Log records of code that knows nothing of tenants: each goes to the tenant that the code works for, and waits with the
 * spans of its request until that names one.
 */
export class LogRouter {
  readonly provider: ApiLoggerProvider;
  readonly #options: LogRouterOptions;

  constructor(options: LogRouterOptions) {
    this.#options = options;
    const { guard } = options.router;
    this.provider = createLoggerProvider({
      emit: (entry, context, scope) => this.emit(entry, context, scope),
      takes: (severityNumber, context) => this.#takes(severityNumber, context),
      scope: (name, version) => options.nobody.house.logScopes.scope(name, version),
      failed: (error) => guard.report('api', 'log', error),
    });
  }

  /** Never throws. */
  emit(entry: LogEntry, context: Context, scope?: SpanScope): void {
    const { router, unassigned } = this.#options;
    const owner = router.starterIn(context);
    // A tenant of another registry.
    if (owner === null) return;
    if (owner instanceof TracerRuntime) emitLog(owner, entry, context, scope);
    else if (owner !== undefined) owner.log((tenant) => emitLog(tenant, entry, context, scope));
    else this.#emitUnassigned(unassigned(), entry, context, scope);
  }

  /** The scope of a logger. */
  scope(name: string): SpanScope {
    return this.#options.nobody.house.logScopes.scope(name, undefined);
  }

  #emitUnassigned(platform: TracerRuntime | undefined, entry: LogEntry, context: Context, scope?: SpanScope): void {
    if (platform !== undefined) emitLog(platform, entry, context, scope);
    else this.#options.nobody.path.others.turnAway('unassigned', 1);
  }

  #takes(severityNumber: number, context: Context): boolean {
    const owner = this.#options.router.starterIn(context);
    if (owner === null) return false;
    if (owner instanceof TracerRuntime) return takesLogs(owner, severityNumber);
    const platform = owner === undefined ? this.#options.unassigned() : undefined;
    return owner !== undefined || (platform !== undefined && takesLogs(platform, severityNumber));
  }
}
