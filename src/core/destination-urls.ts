import { appendPath, replacePath } from '../utils/endpoint.ts';
import { Secret } from '../utils/secret.ts';
import type { TelemetrySignal } from '../utils/telemetry-signal.ts';

export type SignalPaths = { readonly [Signal in TelemetrySignal]?: string | undefined };

/** Where the signals of one destination go. Each is made when it is asked for: most tenants use one signal, if any. */
export class DestinationUrls {
  readonly #base: Secret;
  readonly #signals: readonly TelemetrySignal[];
  readonly #paths: SignalPaths | undefined;

  /** @param paths `undefined` for gRPC, which has none: then each is the origin alone */
  constructor(endpoint: URL, signals: readonly TelemetrySignal[], paths: SignalPaths | undefined) {
    this.#base = new Secret(paths === undefined ? endpoint.origin : endpoint.href);
    this.#signals = signals;
    this.#paths = paths;
  }

  get traces(): Secret | undefined {
    return this.of('traces');
  }

  get metrics(): Secret | undefined {
    return this.of('metrics');
  }

  get logs(): Secret | undefined {
    return this.of('logs');
  }

  /** `undefined` for a signal that is not sent there. */
  of(signal: TelemetrySignal): Secret | undefined {
    return this.#signals.includes(signal) ? new Secret(this.#url(signal)) : undefined;
  }

  #url(signal: TelemetrySignal): string {
    const base = this.#base.reveal();
    if (this.#paths === undefined) return base;
    const path = this.#paths[signal];
    const endpoint = new URL(base);
    return (path === undefined ? appendPath(endpoint, `/v1/${signal}`) : replacePath(endpoint, path)).href;
  }
}
