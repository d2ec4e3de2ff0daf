import type { LaneDestination } from '../processing/destination-lane.ts';
import { LaneGroup } from '../processing/lane-group.ts';
import { createRedaction, type Redaction, type RedactOptions } from '../processing/redaction.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';
import { resolveHeaders } from './destination-headers.ts';
import type { DestinationSettings, TracerDefaults } from './settings.ts';
import type { SpanRouteOptions } from './span-route-options.ts';

export interface RouteDestination extends LaneDestination {
  /** Its place among the tenant's destinations. */
  readonly index: number;
  /** What is hidden there, beside what the tenant hides everywhere. */
  readonly redaction: Redaction | undefined;
  /** That for spans. */
  readonly redact: Redaction['span'] | undefined;
}

/** No tenant's id: those have no control characters. */
const PLATFORM_CONNECTIONS = '\0platform';

/** The destinations of one configuration, as the outlets of the signals see them, and what is hidden there. */
export class RouteDestinations {
  readonly #options: SpanRouteOptions;
  readonly #settings: TracerDefaults;
  #groups: readonly LaneGroup[] | undefined;
  #redactions: Map<string, Redaction> | undefined;

  constructor(options: SpanRouteOptions, settings: TracerDefaults) {
    this.#options = options;
    this.#settings = settings;
  }

  /** What the tenant hides everywhere. */
  get redaction(): Redaction | undefined {
    return this.#redaction(this.#settings.redact, 'redact');
  }

  /** Those that a signal is sent to. */
  of(signal: TelemetrySignal): readonly RouteDestination[] {
    const { destinations } = this.#settings;
    const found = destinations
      .map((destination, index) => this.#destination(destination, index, signal))
      .filter((destination) => destination !== undefined);
    // What `filter` answers has seventeen places reserved.
    return found.slice();
  }

  #destination(settings: DestinationSettings, index: number, signal: TelemetrySignal): RouteDestination | undefined {
    const { addresses, compression, headers, protocol, redact, tenantHeader, timeoutMillis, tls, urls } = settings;
    const { isolateConnections, proxy } = settings;
    const { tenantId, isPlatform, pipeline, guard } = this.#options;
    const url = urls.of(signal);
    if (url === undefined) return undefined;
    const redaction = this.#redaction(redact, `destination[${index}].redact`);
    const request = { tenantId, tenantHeader, guard, timeoutMillis, clock: pipeline.clock };
    const policy = pipeline.retryPolicy(this.#settings.retry);
    this.#groups ??= this.#settings.destinations.map(() => new LaneGroup(pipeline.clock, policy));
    return {
      index,
      signal,
      url: new URL(url.reveal()),
      protocol,
      compression,
      tls: tls?.reveal(),
      addresses,
      isolationKey: isolateConnections ? (isPlatform ? PLATFORM_CONNECTIONS : tenantId) : undefined,
      proxy,
      timeoutMillis,
      headers: () => resolveHeaders(headers, request),
      redaction,
      redact: redaction?.span,
      group: this.#groups[index],
    };
  }

  #redaction(options: RedactOptions | undefined, name: string): Redaction | undefined {
    if (options === undefined) return undefined;
    const { guard, pipeline } = this.#options;
    this.#redactions ??= new Map();
    let redaction = this.#redactions.get(name);
    if (redaction === undefined) {
      redaction = createRedaction(options, guard.hook('redactor', name), pipeline.clock);
      this.#redactions.set(name, redaction);
    }
    return redaction;
  }
}
