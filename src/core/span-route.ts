import type { Attributes } from '@opentelemetry/api';
import { tenantResource } from '../infra/resources.ts';
import { untraced } from '../infra/untraced.ts';
import type { AgentWatch } from '../processing/agent-watch.ts';
import type { Lane } from '../processing/lane.ts';
import type { DropReason, Ledger } from '../processing/ledger.ts';
import type { Pipeline } from '../processing/pipeline.ts';
import { createRedactor, type RedactOptions } from '../processing/redaction.ts';
import type { RecordingSpan } from '../processing/span.ts';
import { SpanHooks } from '../processing/span-hooks.ts';
import { type OutletDestination, type Redactor, SpanOutlet } from '../processing/span-outlet.ts';
import type { Guard } from '../utils/guard.ts';
import { resolveHeaders } from './destination-headers.ts';
import type { HookLeases } from './hook-leases.ts';
import type { DestinationSettings, TracerDefaults } from './settings.ts';

export interface SpanRouteOptions {
  readonly tenantId: string;
  readonly pipeline: Pipeline;
  readonly leases: HookLeases;
  readonly guard: Guard;
  readonly ledger: Ledger;
  /** Resource attributes of the process. */
  readonly baseResource: Readonly<Attributes>;
  /** Told when something that waited was delivered or dropped. */
  readonly progressed: () => void;
}

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
  #hurried = false;
  #closing: Promise<void> | undefined;

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
    return this.#outlet?.lanes ?? [];
  }

  /** Spans that are neither delivered nor dropped. */
  get queued(): number {
    return this.#outlet?.queued ?? 0;
  }

  get bytes(): number {
    return this.#outlet?.bytes ?? 0;
  }

  push(span: RecordingSpan): void {
    if (this.#outlet === undefined) {
      this.#outlet = this.#open();
      if (this.#hurried) for (const lane of this.lanes) lane.hurry();
    }
    this.#outlet.push(span);
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
      this.#outlet?.close(reason);
      this.#closing = this.#options.leases.giveBack(this.settings);
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

  #open(): SpanOutlet {
    const { tenantId, pipeline, guard, ledger, baseResource, progressed } = this.#options;
    const { batch, destinations, exporter, limits, redact } = this.settings;
    return new SpanOutlet(
      pipeline,
      { tenantId, guard, ledger, progressed },
      {
        destinations: destinations.map((destination, index) => this.#outletDestination(destination, index)),
        exporter: exporter && { exporter, hook: guard.hook('exporter', 'export') },
        redact: this.#redactor(redact, 'redact'),
        limits,
        batch,
        resource: () => tenantResource(baseResource, this.settings),
      },
    );
  }

  #outletDestination(settings: DestinationSettings, index: number): OutletDestination {
    const { addresses, compression, headers, protocol, redact, tenantHeader, timeoutMillis, tls, urls } = settings;
    const { tenantId, pipeline, guard } = this.#options;
    const request = { tenantId, tenantHeader, guard, timeoutMillis, clock: pipeline.clock };
    return {
      url: new URL(urls.traces.reveal()),
      protocol,
      compression,
      tls: tls?.reveal(),
      addresses,
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
