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
}

/** What all signals of one destination have in common. */
interface DestinationShare {
  readonly index: number;
  readonly group: LaneGroup;
  readonly headers: RouteDestination['headers'];
}

const NO_SHARES: readonly DestinationShare[] = Object.freeze([]);
/** No tenant's id: those have no control characters. */
const PLATFORM_CONNECTIONS = '\0platform';

/** The destinations of one configuration, as the outlets of the signals see them, and what is hidden there. */
export class RouteDestinations {
  readonly #options: SpanRouteOptions;
  readonly #settings: TracerDefaults;
  #shares: readonly DestinationShare[] = NO_SHARES;
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
    const { compression, protocol, redact, timeoutMillis, tls, urls } = settings;
    const { addresses, isolateConnections, proxy } = settings;
    const { isPlatform, pipeline, tenantId } = this.#options;
    const url = urls.of(signal);
    if (url === undefined) return undefined;
    const redaction = this.#redaction(redact, `destination[${index}].redact`);
    const { group, headers } = this.#shareOf(settings, index);
    return {
      index,
      signal,
      url: pipeline.urls.of(url.reveal()),
      protocol,
      compression,
      tls: tls?.reveal(),
      addresses,
      isolationKey: isolateConnections ? (isPlatform ? PLATFORM_CONNECTIONS : tenantId) : undefined,
      proxy,
      timeoutMillis,
      headers,
      redaction,
      group,
    };
  }

  #shareOf(settings: DestinationSettings, index: number): DestinationShare {
    const known = this.#shares.find((share) => share.index === index);
    if (known !== undefined) return known;
    const { pipeline } = this.#options;
    const group = new LaneGroup(pipeline.clock, pipeline.retryPolicy(this.#settings.retry));
    const share = { index, group, headers: headersOf(settings, this.#options) };
    this.#shares = this.#shares.concat(share);
    return share;
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

function headersOf(settings: DestinationSettings, options: SpanRouteOptions): RouteDestination['headers'] {
  return () => {
    const { tenantHeader, timeoutMillis } = settings;
    const { guard, pipeline, tenantId } = options;
    return resolveHeaders(settings.headers, { tenantId, tenantHeader, guard, timeoutMillis, clock: pipeline.clock });
  };
}
