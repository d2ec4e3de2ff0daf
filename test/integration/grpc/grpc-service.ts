import {
  Client,
  type ClientOptions,
  credentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Interceptor,
  Metadata,
  Server,
  ServerCredentials,
  type ServerInterceptor,
  type ServiceError,
} from '@grpc/grpc-js';
import { type Context, context as contextApi } from '@opentelemetry/api';
import { onTestFinished } from 'vitest';

const asIs = (text: string): Buffer => Buffer.from(text);
const asText = (bytes: Buffer): string => bytes.toString();

/** Paths of the methods by their kind. */
const PATHS = {
  unary: '/test.Echo/Unary',
  up: '/test.Echo/Up',
  down: '/test.Echo/Down',
  both: '/test.Echo/Both',
} as const;

export interface EchoHandlers {
  readonly unary?: handleUnaryCall<string, string>;
  readonly up?: handleClientStreamingCall<string, string>;
  readonly down?: handleServerStreamingCall<string, string>;
  readonly both?: handleBidiStreamingCall<string, string>;
}

export interface Echo {
  readonly port: number;
  /** A client whose calls pass these interceptors. */
  client(interceptors?: readonly Interceptor[], options?: ClientOptions): EchoClient;
}

/** A server of `@grpc/grpc-js` on a free port, and what its clients need; all are stopped with the test. */
export async function startEcho(
  handlers: EchoHandlers,
  interceptors: readonly ServerInterceptor[] = [],
): Promise<Echo> {
  const server = new Server({ interceptors: [...interceptors] });
  const definition = Object.entries(PATHS).map(([kind, path]) => [
    kind,
    {
      path,
      requestStream: kind === 'up' || kind === 'both',
      responseStream: kind === 'down' || kind === 'both',
      requestSerialize: asIs,
      requestDeserialize: asText,
      responseSerialize: asIs,
      responseDeserialize: asText,
    },
  ]);
  server.addService(Object.fromEntries(definition), handlers as never);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const clients: EchoClient[] = [];
  onTestFinished(() => {
    for (const client of clients) client.close();
    server.forceShutdown();
  });
  return {
    port,
    client: (own = [], options = {}) => {
      const client = new EchoClient(`localhost:${port}`, { ...options, interceptors: [...own] });
      clients.push(client);
      return client;
    },
  };
}

/** What a call came to: its messages, or the error that its callback got. */
export interface Outcome {
  readonly messages: readonly string[];
  readonly error: ServiceError | undefined;
  /** The async context that its callback ran in. */
  readonly heardIn?: Context;
}

export class EchoClient extends Client {
  constructor(address: string, options: ClientOptions) {
    super(address, credentials.createInsecure(), options);
  }

  unary(message: string, metadata = new Metadata(), options = {}): Promise<Outcome> {
    return new Promise((resolve) => {
      this.makeUnaryRequest(PATHS.unary, asIs, asText, message, metadata, options, (error, answer) =>
        resolve({
          messages: answer === undefined ? [] : [answer],
          error: error ?? undefined,
          heardIn: contextApi.active(),
        }),
      );
    });
  }

  up(messages: readonly string[], metadata = new Metadata()): Promise<Outcome> {
    return new Promise((resolve) => {
      const call = this.makeClientStreamRequest(PATHS.up, asIs, asText, metadata, (error, answer) =>
        resolve({
          messages: answer === undefined ? [] : [answer],
          error: error ?? undefined,
          heardIn: contextApi.active(),
        }),
      );
      for (const message of messages) call.write(message);
      call.end();
    });
  }

  down(message: string, metadata = new Metadata()): Promise<Outcome> {
    return collect(this.makeServerStreamRequest(PATHS.down, asIs, asText, message, metadata));
  }

  both(messages: readonly string[], metadata = new Metadata()): Promise<Outcome> {
    const call = this.makeBidiStreamRequest(PATHS.both, asIs, asText, metadata);
    for (const message of messages) call.write(message);
    call.end();
    return collect(call);
  }

  /** A call that goes on until somebody cancels it. */
  open(metadata = new Metadata()) {
    return this.makeBidiStreamRequest(PATHS.both, asIs, asText, metadata);
  }
}

function collect(call: NodeJS.ReadableStream): Promise<Outcome> {
  return new Promise((resolve) => {
    const messages: string[] = [];
    call.on('data', (message: string) => messages.push(message));
    call.on('error', (error: ServiceError) => resolve({ messages, error }));
    call.on('end', () => resolve({ messages, error: undefined }));
  });
}

/** Handlers that answer what they get, calling `during` with the metadata while they work. */
export function echoing(during: (metadata: Metadata) => void = () => undefined): Required<EchoHandlers> {
  return {
    unary: (call, callback) => {
      during(call.metadata);
      callback(null, call.request);
    },
    up: (call, callback) => {
      const messages: string[] = [];
      call.on('data', (message: string) => {
        during(call.metadata);
        messages.push(message);
      });
      call.on('end', () => callback(null, messages.join()));
    },
    down: (call) => {
      during(call.metadata);
      for (const part of call.request.split(',')) call.write(part);
      call.end();
    },
    both: (call) => {
      call.on('data', (message: string) => {
        during(call.metadata);
        call.write(message);
      });
      call.on('end', () => call.end());
    },
  };
}
