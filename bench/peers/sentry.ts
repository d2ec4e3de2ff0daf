import type { Attributes } from '@opentelemetry/api';
import { requireFrom } from './install-packages.ts';
import type { OpenPeer, Peer, PeerSettings, PeerTenant } from './peer.ts';
import { SpanWork } from './span-work.ts';

/** More envelopes than any run has under way: without it Sentry drops those beyond 64. */
const TRANSPORT_BUFFER = 1_000_000;
const FLUSH_MILLIS = 60_000;

interface SentrySpan {
  setAttributes(attributes: Attributes): void;
  end(): void;
}

type Envelope = readonly [object, readonly (readonly [{ type: string; item_count?: number }, unknown])[]];

interface SentryApi {
  init(options: object): { on(hook: 'beforeEnvelope', listener: (envelope: Envelope) => void): void };
  createTransport(options: object, send: (request: { body: string | Uint8Array }) => Promise<object>): object;
  spanStreamingIntegration(options: { flushOnSegmentEnd: boolean }): object;
  startSpan<T>(options: { name: string }, fn: (span: SentrySpan) => T): T;
  startInactiveSpan(options: { name: string }): SentrySpan;
  flush(timeoutMillis: number): Promise<boolean>;
  close(timeoutMillis: number): Promise<boolean>;
}

/** Sentry's SDK for Node with its default integrations. It has one client for the process. */
export const sentry: Peer = {
  packages: ['@sentry/node'],
  open: (settings) => new OpenSentry(requireFrom<SentryApi>('sentry', '@sentry/node'), settings),
};

class OpenSentry implements OpenPeer {
  readonly #sentry: SentryApi;
  readonly #tenant: SentryTenant;

  constructor(sentry: SentryApi, { endpoint, mode }: PeerSettings) {
    this.#sentry = sentry;
    const client = sentry.init({
      dsn: `${endpoint.replace('//', '//key@')}/1`,
      tracesSampleRate: 1,
      transportOptions: { bufferSize: TRANSPORT_BUFFER },
      // They would leave half a second after they ended; so they wait for five.
      ...(mode === 'hold' && { integrations: [sentry.spanStreamingIntegration({ flushOnSegmentEnd: false })] }),
      ...(mode === 'encode' && {
        transport: (options: object) =>
          sentry.createTransport({ ...options, bufferSize: TRANSPORT_BUFFER }, async () => ({ statusCode: 200 })),
      }),
    });
    const tenant = new SentryTenant(sentry);
    client.on('beforeEnvelope', ([, items]) => tenant.count(items));
    this.#tenant = tenant;
  }

  tenant(): PeerTenant {
    return this.#tenant;
  }

  instrument(): never {
    throw new Error('not asked of Sentry');
  }

  encoded(): Promise<void> {
    return this.flush();
  }

  async flush(): Promise<void> {
    await this.#sentry.flush(FLUSH_MILLIS);
  }

  async shutdown(timeoutMillis: number): Promise<void> {
    await this.#sentry.close(timeoutMillis);
  }
}

class SentryTenant extends SpanWork implements PeerTenant {
  readonly #sentry: SentryApi;
  #exported = 0;

  constructor(sentry: SentryApi) {
    super();
    this.#sentry = sentry;
  }

  count(items: Envelope[1]): void {
    for (const [header] of items) if (header.type === 'span') this.#exported += header.item_count ?? 1;
  }

  exported(): number {
    return this.#exported;
  }

  protected span(attributes: Attributes | undefined): void {
    const span = this.#sentry.startInactiveSpan({ name: 'work' });
    if (attributes !== undefined) span.setAttributes(attributes);
    span.end();
  }

  protected active<T>(attributes: Attributes | undefined, fn: () => T): T {
    return this.#sentry.startSpan({ name: 'work' }, (span) => {
      if (attributes !== undefined) span.setAttributes(attributes);
      return fn();
    });
  }

  protected activeAsync<T>(fn: () => Promise<T>): Promise<T> {
    return this.#sentry.startSpan({ name: 'work' }, fn);
  }

  protected wrapSync(fn: (turn: number) => number): (turn: number) => number {
    return (turn) => this.#sentry.startSpan({ name: 'work' }, () => fn(turn));
  }

  protected wrapAsync(fn: (turn: number) => Promise<number>): (turn: number) => Promise<number> {
    return (turn) => this.#sentry.startSpan({ name: 'work' }, () => fn(turn));
  }
}
