import type { Attributes } from '@opentelemetry/api';
import { tenantResource } from '../infra/resources.ts';
import { untraced } from '../infra/untraced.ts';
import type { AgentWatch } from '../processing/agent-watch.ts';
import { CopyOutlet } from '../processing/copy-outlet.ts';
import type { Lane } from '../processing/lane.ts';
import type { DropReason, Ledger } from '../processing/ledger.ts';
import type { Pipeline } from '../processing/pipeline.ts';
import { createRedactor, type RedactOptions } from '../processing/redaction.ts';
import type { RecordingSpan } from '../processing/span.ts';
import type { SpanCopier } from '../processing/span-copier.ts';
import { SpanHooks } from '../processing/span-hooks.ts';
import {
  type OutletDestination,
  type OutletSettings,
  type OutletTenant,
  type Redactor,
  SpanOutlet,
} from '../processing/span-outlet.ts';
import type { Spool } from '../processing/spool.ts';
import type { SpoolSegment } from '../processing/spool-segment.ts';
import { TenantCopier } from '../processing/tenant-copier.ts';
import type { Guard } from '../utils/guard.ts';
import { resolveHeaders } from './destination-headers.ts';
import type { HookLeases } from './hook-leases.ts';
import type { PlatformCopies } from './platform-copies.ts';
import type { DestinationSettings, TracerDefaults } from './settings.ts';

export interface SpanRouteOptions {
  readonly tenantId: string;
  /** Whose the spans are in a spool. */
  readonly spoolName: string;
  /** Whether these are the spans of the process owner, not of a tenant that may have the same id. */
  readonly isPlatform: boolean;
  readonly pipeline: Pipeline;
  readonly leases: HookLeases;
  readonly guard: Guard;
  readonly ledger: Ledger;
  /** Resource attributes of the process. */
  readonly baseResource: Readonly<Attributes>;
  /** Where copies of a tenant's spans go; absent for the platform tracer itself. */
  readonly copies: PlatformCopies | undefined;
  /** Told when something that waited was delivered or dropped. */
  readonly progressed: () => void;
}

/** No tenant's id: those have no control characters. */
const PLATFORM_CONNECTIONS = '\0platform';

/**
 * What one configuration of a tenant opens: its span processors and its ways out, made when the first span needs them.
 * A changed configuration gets a route of its own.
 */
export class SpanRoute {
  readonly settings: TracerDefaults;
  readonly #options: SpanRouteOptions;
  readonly #watch: AgentWatch | undefined;
  #hooks: SpanHooks | undefined;
  #outlet: SpanOutlet | undefined;
  #copies: CopyOutlet | undefined;
  #hurried = false;
  #closing: Promise<void> | undefined;
  #detach: (() => void) | undefined;

  constructor(options: SpanRouteOptions, settings: TracerDefaults, watch?: AgentWatch) {
    this.#options = options;
    this.#watch = watch;
    this.settings = settings;
    options.leases.take(settings);
  }

  get hooks(): SpanHooks {
    this.#hooks ??= new SpanHooks(this.settings.spanProcessors, this.#options.guard, this.#watch);
    return this.#hooks;
  }

  get lanes(): readonly Lane[] {
    return [...(this.#outlet?.lanes ?? []), ...(this.#copies?.lanes ?? [])];
  }

  /** Spans that are neither delivered nor dropped. */
  get queued(): number {
    return (this.#outlet?.queued ?? 0) + (this.#copies?.queued ?? 0);
  }

  /** Spans that are only on the disk. */
  get spooled(): number {
    return this.#outlet?.spooled ?? 0;
  }

  /** What is wrong with the disk under the spool. */
  get spoolProblem(): string | undefined {
    return this.#spool?.store.problem;
  }

  get bytes(): number {
    return (this.#outlet?.bytes ?? 0) + (this.#copies?.bytes ?? 0);
  }

  push(span: RecordingSpan): void {
    this.#outlet ??= this.#open();
    this.#outlet.push(span);
  }

  /** Where copies of all tenants' spans go; of the platform tracer only. */
  copyOutlet(): CopyOutlet {
    if (this.#copies === undefined) {
      this.#copies = new CopyOutlet(this.#options.pipeline, this.#tenant, this.#outletSettings());
      this.#opened(this.#copies);
    }
    return this.#copies;
  }

  /** Claims what the tenant has on the disk, now and whenever something turns up. */
  attach(): void {
    const claim = (segment: SpoolSegment): boolean => {
      this.#outlet ??= this.#open();
      return this.#outlet.claim(segment);
    };
    const { pipeline, spoolName } = this.#options;
    // The one that is configured has to be open; another may have been before.
    if (this.#spool !== undefined) this.#detach = pipeline.spools.attach(spoolName, { claim });
  }

  /** Claims nothing any more. */
  detach(): void {
    this.#detach?.();
    this.#detach = undefined;
  }

  /** Sends without waiting for batches to fill, until `relax`. */
  hurry(): void {
    if (this.#hurried) return;
    this.#hurried = true;
    for (const lane of this.lanes) lane.hurry();
  }

  relax(): void {
    if (!this.#hurried) return;
    this.#hurried = false;
    for (const lane of this.lanes) lane.relax();
  }

  /**
   * Waits until nothing is left, or, with `attempted`, until each destination was tried; meanwhile the processors and
   * the exporter flush. None of them waits for another. Never rejects, may never resolve.
   */
  async deliver(until: 'attempted' | 'empty'): Promise<void> {
    await untraced(() => Promise.all([this.#hooks?.flush(), this.#deliverLanes(until)]));
  }

  /** Gives up what is left, under `reason`, and lets go of processors and exporter. Never rejects, may never resolve. */
  close(reason: DropReason): Promise<void> {
    if (this.#closing === undefined) {
      this.detach();
      const ended = [this.#outlet?.close(reason), this.#copies?.close(reason)];
      this.#closing = Promise.all([...ended, this.#options.leases.giveBack(this.settings)]).then(() => {});
    }
    return this.#closing;
  }

  async #deliverLanes(until: 'attempted' | 'empty'): Promise<void> {
    const { lanes } = this;
    if (lanes.length === 0) return;
    await Promise.all(lanes.map((lane) => deliverLane(lane, until)));
    const { exporter } = this.settings;
    if (this.#closing !== undefined) return;
    try {
      await exporter?.forceFlush?.();
    } catch (error) {
      this.#options.guard.report('exporter', 'forceFlush', error);
    }
  }

  get #spool(): Spool | undefined {
    const { spool } = this.settings;
    return spool && this.#options.pipeline.spools.open(spool.directory);
  }

  #open(): SpanOutlet {
    const outlet = new SpanOutlet(this.#options.pipeline, this.#tenant, this.#outletSettings());
    this.#opened(outlet);
    return outlet;
  }

  get #tenant(): OutletTenant {
    const { tenantId, guard, ledger, progressed } = this.#options;
    return { tenantId, guard, ledger, progressed };
  }

  #opened({ lanes }: { readonly lanes: readonly Lane[] }): void {
    if (this.#hurried) for (const lane of lanes) lane.hurry();
  }

  #outletSettings(): OutletSettings {
    const { guard, baseResource, spoolName } = this.#options;
    const { batch, destinations, exporter, limits, redact, retry, spool } = this.settings;
    const home = this.#spool;
    return {
      destinations: destinations.map((destination, index) => this.#outletDestination(destination, index)),
      exporter: exporter && { exporter, hook: guard.hook('exporter', 'export') },
      redact: this.#redactor(redact, 'redact'),
      limits,
      batch,
      retry,
      resource: () => tenantResource(baseResource, this.settings),
      spool: spool && home && { home, name: spoolName, maxBytes: spool.maxBytes, fsync: spool.fsync },
      copier: this.#copier(),
    };
  }

  #copier(): SpanCopier | undefined {
    const { baseResource, copies, tenantId } = this.#options;
    if (copies === undefined) return undefined;
    // Only here does the tenant's id go on the wire by itself.
    const resource = () => ({ ...tenantResource(baseResource, this.settings), 'tenant.id': tenantId });
    return new TenantCopier({ tenantId, share: copies.share, target: copies, resource });
  }

  #outletDestination(settings: DestinationSettings, index: number): OutletDestination {
    const { addresses, compression, headers, protocol, redact, tenantHeader, timeoutMillis, tls, urls } = settings;
    const { isolateConnections, proxy } = settings;
    const { tenantId, isPlatform, pipeline, guard } = this.#options;
    const request = { tenantId, tenantHeader, guard, timeoutMillis, clock: pipeline.clock };
    return {
      url: new URL(urls.traces.reveal()),
      protocol,
      compression,
      tls: tls?.reveal(),
      addresses,
      isolationKey: isolateConnections ? (isPlatform ? PLATFORM_CONNECTIONS : tenantId) : undefined,
      proxy,
      timeoutMillis,
      headers: () => resolveHeaders(headers, request),
      redact: this.#redactor(redact, `destination[${index}].redact`),
    };
  }

  #redactor(options: RedactOptions | undefined, name: string): Redactor | undefined {
    const { guard, pipeline } = this.#options;
    return options && createRedactor(options, guard.hook('redactor', name), pipeline.clock);
  }
}

async function deliverLane(lane: Lane, until: 'attempted' | 'empty'): Promise<void> {
  lane.hurry();
  await lane.settled(until);
  lane.relax();
}
