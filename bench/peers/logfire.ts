import { createRequire } from 'node:module';
import type { Attributes, Span } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { ExportCount } from './counted-exports.ts';
import { packagesDirectory, requireFrom } from './install-packages.ts';
import type { OpenPeer, Peer, PeerSettings, PeerTenant } from './peer.ts';
import { SpanWork } from './span-work.ts';

const FOLDER = 'logfire';
const EXPORTER = '@opentelemetry/exporter-trace-otlp-proto';
/** What OpenTelemetry reads; Logfire has no options for its queue. */
const HELD = {
  OTEL_BSP_MAX_QUEUE_SIZE: '1000000',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1000000',
  OTEL_BSP_SCHEDULE_DELAY: '3600000',
};

interface LogfireApi {
  configure(options: object): void;
  startSpan(message: string, attributes?: Attributes): Span;
  span<T>(message: string, attributes: Attributes, options: object, fn: (span: Span) => T): T;
  instrument<F>(fn: F, options: { spanName: string }): F;
  forceFlush(): Promise<void>;
  shutdown(options: { timeoutMillis: number }): Promise<void>;
}

/** Logfire's SDK for Node with its defaults. It has one configuration for the process. */
export const logfire: Peer = {
  packages: ['@pydantic/logfire-node'],
  open: (settings) => new OpenLogfire(settings),
};

class OpenLogfire implements OpenPeer {
  readonly #logfire: LogfireApi;
  readonly #tenant: LogfireTenant;

  constructor({ endpoint, mode }: PeerSettings) {
    if (mode === 'hold') Object.assign(process.env, HELD);
    const count = new ExportCount({
      exporterClass: requireFrom<{ OTLPTraceExporter: { prototype: SpanExporter } }>(FOLDER, EXPORTER)
        .OTLPTraceExporter,
      // Logfire exports every span twice: when it begins, and when it has ended.
      counts: ({ attributes }) => attributes['logfire.span_type'] !== 'pending_span',
      serialize: mode === 'encode' ? protobufSerializer() : undefined,
    });
    this.#logfire = requireFrom<LogfireApi>(FOLDER, '@pydantic/logfire-node');
    this.#logfire.configure({ token: 'bench', serviceName: 'bench', console: false, advanced: { baseUrl: endpoint } });
    this.#tenant = new LogfireTenant(this.#logfire, count);
  }

  tenant(): PeerTenant {
    return this.#tenant;
  }

  instrument(): never {
    throw new Error('not asked of Logfire');
  }

  encoded(): Promise<void> {
    return this.flush();
  }

  flush(): Promise<void> {
    return this.#logfire.forceFlush();
  }

  shutdown(timeoutMillis: number): Promise<void> {
    return this.#logfire.shutdown({ timeoutMillis });
  }
}

class LogfireTenant extends SpanWork implements PeerTenant {
  readonly #logfire: LogfireApi;
  readonly #count: ExportCount;

  constructor(logfire: LogfireApi, count: ExportCount) {
    super();
    this.#logfire = logfire;
    this.#count = count;
  }

  exported(): number {
    return this.#count.exported;
  }

  protected span(attributes: Attributes | undefined): void {
    this.#logfire.startSpan('work', attributes).end();
  }

  protected active<T>(attributes: Attributes | undefined, fn: () => T): T {
    return this.#logfire.span('work', attributes ?? {}, {}, fn);
  }

  protected activeAsync<T>(fn: () => Promise<T>): Promise<T> {
    return this.#logfire.span('work', {}, {}, fn);
  }

  protected wrapSync(fn: (turn: number) => number): (turn: number) => number {
    return this.#logfire.instrument(fn, { spanName: 'work' });
  }

  protected wrapAsync(fn: (turn: number) => Promise<number>): (turn: number) => Promise<number> {
    return this.#logfire.instrument(fn, { spanName: 'work' });
  }
}

function protobufSerializer(): (spans: ReadableSpan[]) => Uint8Array {
  const fromExporter = createRequire(createRequire(packagesDirectory(FOLDER)).resolve(EXPORTER));
  const { ProtobufTraceSerializer } = fromExporter('@opentelemetry/otlp-transformer') as {
    ProtobufTraceSerializer: { serializeRequest(spans: ReadableSpan[]): Uint8Array };
  };
  return (spans) => ProtobufTraceSerializer.serializeRequest(spans);
}
