import type { Attributes } from '@opentelemetry/api';
import type { Ledgers } from '../processing/ledger.ts';
import type { Pipeline } from '../processing/pipeline.ts';
import type { ScopeTable } from '../processing/scope-table.ts';
import type { Guard } from '../utils/guard.ts';
import type { HookLeases } from './hook-leases.ts';
import type { PlatformCopies } from './platform-copies.ts';
import type { TracerDefaults } from './settings.ts';

/** What the tracers of a registry share, and what their engines, each a `Runtime`, tell it. */
export interface TracerHouse<Runtime> {
  readonly pipeline: Pipeline;
  readonly ledgers: Ledgers;
  /** Instrumentation scopes of log records. */
  readonly logScopes: ScopeTable;
  readonly leases: HookLeases;
  /** Resource attributes of the process. */
  readonly baseResource: Readonly<Attributes>;
  /** Where copies of tenants' spans go, if they are copied. */
  readonly copies: PlatformCopies | undefined;
  /** In force until a tenant's own configuration comes. */
  readonly defaults: TracerDefaults;
  readonly drainTimeoutMillis: number;
  createGuard(tenantId: string): Guard;
  /** An evicted tenant is used again: takes it back in. */
  readmit(runtime: Runtime): void;
  /** A tenant that was evicted or disabled has nothing left. */
  drained(runtime: Runtime): void;
  /** A tenant is being shut down, for good. */
  closing(runtime: Runtime): void;
  /** It is shut down, and has so much time left. Never rejects. */
  closed(runtime: Runtime, timeLeftMillis: number): Promise<void>;
}
