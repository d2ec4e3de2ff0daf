import type { ClientUnaryCall, Metadata, ServiceError } from '@grpc/grpc-js';
import type { Clock, Timer } from '../utils/clock.ts';
import type { GrpcChannel } from './grpc-channel.ts';
import { localFailure } from './grpc-failure.ts';
import type { GrpcLibrary } from './grpc-library.ts';
import { createMetadata } from './grpc-metadata.ts';
import type { GrpcRequest, GrpcResponse, GrpcResult } from './grpc-request.ts';
import { networkFailure, networkMessage } from './network-error.ts';
import { scrubMessage } from './scrub-message.ts';
import type { TransportFailure } from './transport.ts';

export interface GrpcExchangeSettings {
  readonly clock: Clock;
  /** The channel to call on, to be acquired by the exchange. */
  readonly channel: () => GrpcChannel;
  readonly library: () => Promise<GrpcLibrary>;
  /** Told of a channel on which a call failed without a status. */
  readonly onFailure: (channel: GrpcChannel) => void;
}

const EMPTY = new Uint8Array(0);
/** The longest that the `grpc-timeout` header can hold in milliseconds. */
const MAX_TIMEOUT_MILLIS = 99_999_999;

/** One call, with an absolute deadline. Settles exactly once. */
export class GrpcExchange {
  readonly #request: GrpcRequest;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #settings: GrpcExchangeSettings;
  readonly #onSignal = (): void => this.abort('the caller gave up');
  readonly #expiresAt: number;
  #resolve: ((result: GrpcResult) => void) | undefined;
  #deadline: Timer | undefined;
  #channel: GrpcChannel | undefined;
  #call: ClientUnaryCall | undefined;

  constructor(request: GrpcRequest, settings: GrpcExchangeSettings) {
    this.#request = request;
    this.#headers = Object.freeze({ ...request.headers });
    this.#settings = settings;
    this.#expiresAt = settings.clock.monotonic() + request.timeoutMillis;
  }

  /** To be called once; never rejects. */
  run(): Promise<GrpcResult> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      void this.#start();
    });
  }

  abort(message: string): void {
    this.#fail('aborted', message);
  }

  async #start(): Promise<void> {
    const { signal, timeoutMillis } = this.#request;
    if (signal?.aborted) {
      this.#onSignal();
      return;
    }
    signal?.addEventListener('abort', this.#onSignal, { once: true });
    const expire = (): void => this.#fail('timeout', `no answer within ${timeoutMillis} ms`);
    this.#deadline = this.#settings.clock.schedule(expire, timeoutMillis);
    try {
      await this.#connectAndCall();
    } catch (error) {
      this.#fail(networkFailure(error), networkMessage(error));
    }
  }

  async #connectAndCall(): Promise<void> {
    const library = await this.#settings.library();
    const metadata = createMetadata(library, this.#headers);
    if (this.#resolve === undefined) return;
    const channel = this.#settings.channel();
    this.#channel = channel;
    channel.acquire();
    await channel.run(async () => {
      const client = await channel.ready(library);
      if (this.#resolve === undefined) return;
      this.#call = client.makeUnaryRequest(
        this.#request.path,
        asIs,
        asIs,
        toBuffer(this.#request.body),
        this.#withTimeout(metadata),
        {},
        (error, body) => this.#answer(error, body),
      );
    });
  }

  /** Not as the library's deadline, whose timer keeps the process alive. */
  #withTimeout(metadata: Metadata): Metadata {
    const left = Math.ceil(this.#expiresAt - this.#settings.clock.monotonic());
    metadata.set('grpc-timeout', `${Math.min(Math.max(left, 1), MAX_TIMEOUT_MILLIS)}m`);
    return metadata;
  }

  #answer(error: ServiceError | null, body: Uint8Array | undefined): void {
    this.#call = undefined;
    if (error === null) {
      this.#settle({ kind: 'status', code: 0, message: '', details: undefined, body: body ?? EMPTY });
      return;
    }
    const failure = localFailure(error.details);
    if (failure !== undefined) this.#fail(failure.reason, failure.message);
    else this.#settle(statusOf(error));
  }

  #fail(reason: TransportFailure, message: string): void {
    if (this.#resolve === undefined) return;
    if (this.#channel !== undefined) this.#settings.onFailure(this.#channel);
    this.#settle({ kind: 'failed', reason, message: scrubMessage(message, this.#headers) });
  }

  #settle(result: GrpcResult): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    this.#resolve = undefined;
    this.#deadline?.cancel();
    this.#request.signal?.removeEventListener('abort', this.#onSignal);
    this.#call?.cancel();
    resolve(result);
    this.#channel?.release();
  }
}

function statusOf({ code, details, metadata }: ServiceError): GrpcResponse {
  // The status was OK and nothing came with it; the data is delivered nevertheless.
  const delivered = details === 'No message received';
  const [status] = metadata.get('grpc-status-details-bin');
  return {
    kind: 'status',
    code: delivered ? 0 : code,
    message: delivered ? '' : details,
    details: Buffer.isBuffer(status) ? status : undefined,
    body: EMPTY,
  };
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
