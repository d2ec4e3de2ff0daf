import type { Attributes } from '@opentelemetry/api';
import type { Ledgers } from '../processing/ledger.ts';
import type { Pipeline } from '../processing/pipeline.ts';
import type { Guard } from '../utils/guard.ts';
import type { HookLeases } from './hook-leases.ts';
import type { PlatformCopies } from './platform-copies.ts';

/** Whose telemetry a route takes, and what it has to do that with. */
export interface SpanRouteOptions {
  readonly tenantId: string;
  /** Whose the spans are in a spool. */
  readonly spoolName: string;
  /** Whether these are the spans of the process owner, not of a tenant that may have the same id. */
  readonly isPlatform: boolean;
  readonly pipeline: Pipeline;
  readonly leases: HookLeases;
  readonly guard: Guard;
  readonly ledgers: Ledgers;
  /** Resource attributes of the process. */
  readonly baseResource: Readonly<Attributes>;
  /** Where copies of a tenant's spans go; absent for the platform tracer itself. */
  readonly copies: PlatformCopies | undefined;
  /** Told when something that waited was delivered or dropped. */
  readonly progressed: () => void;
}
