import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TracerRegistry } from '../../core/registry.ts';
import type { TracerBase } from '../../core/tracer-base.ts';
import type { AlertRule } from '../objectives/alert-rule.ts';
import { Objectives } from '../objectives/objectives.ts';
import type { SloOptions } from '../objectives/slo.ts';
import { AccessControl } from './access.ts';
import { AttachedRegistries, type Attachment, type AttachOptions } from './attached-registries.ts';
import { type DashboardOptions, resolveDashboardOptions } from './dashboard-options.ts';
import { GrpcReceiver } from './grpc-receiver.ts';
import { LiveFeed } from './live-feed.ts';
import { OtlpReceiver } from './otlp-receiver.ts';
import { PageFiles } from './page-files.ts';
import { createRequestGuard } from './request-guard.ts';
import { RequestRouter } from './request-router.ts';
import { type ViewChart, ViewList } from './view-list.ts';

/** A dashboard that runs. */
export interface Dashboard {
  /** Such as `http://127.0.0.1:4318`. */
  readonly url: string;
  readonly port: number;
  /** Of OTLP over gRPC, where that is received. */
  readonly grpcPort: number | undefined;
  /** Shows a metric on the page from the beginning. Throws an `IsotraceError` on what is no view. */
  registerView(metric: string, chart: ViewChart): void;
  /**
   * Shows the tenants of a registry of this process without a network in between: the spans that end, those that are
   * open, queues, drops, breakers and credentials. Spans that it also sends here over OTLP come twice. Throws an
   * `IsotraceError` on what is no registry, and on one that another dashboard shows.
   */
  attach(registry: TracerRegistry<TracerBase>, options?: AttachOptions): Attachment;
  /** Adds an objective, or replaces the one of its name. Throws an `IsotraceError` on what is none. */
  registerSlo(slo: SloOptions): void;
  /** Adds an alert rule, or replaces the one of its name. Throws an `IsotraceError` on what is none. */
  registerAlert(rule: AlertRule): void;
  /** Tells live pages at once what has come in; resolves when they were told. */
  update(): Promise<void>;
  /** Ends all connections and closes the store. May be called twice. */
  close(): Promise<void>;
}

/** A connection that does not send its request in time is ended: slow ones cannot use all of them up. */
const HEADERS_TIMEOUT_MILLIS = 5_000;
const REQUEST_TIMEOUT_MILLIS = 10_000;
const CONNECTION_CHECK_MILLIS = 1_000;
const KEEP_ALIVE_MILLIS = 5_000;
const MAX_HEADER_BYTES = 32_768;

/**
 * Starts the dashboard: on one port an OTLP/HTTP receiver, the API to ask what came in, live events, and the page. Rejects with
 * an `IsotraceError` when an option cannot be used, and with Node's error when it cannot listen.
 */
export async function startDashboard(options: DashboardOptions = {}): Promise<Dashboard> {
  const settings = resolveDashboardOptions(options);
  const { store, clock, host, allowedHosts, flushMillis, maxBodyBytes, tenantHeader } = settings;
  const views = new ViewList();
  const registries = new AttachedRegistries({ store, clock, flushMillis, onStored: () => feed.notify() });
  const objectives = new Objectives(
    {
      ...{ store, clock, intervalMillis: settings.alertIntervalMillis },
      deliveries: () => registries.deliveries(),
      onAlert: () => feed.statusChanged(),
    },
    settings.alertHandlers,
  );
  const feed: LiveFeed = new LiveFeed({ store, statuses: [registries, objectives], clock, flushMillis });
  const accessControl = new AccessControl(settings.tokens);
  const onStored = (): void => feed.notify();
  const router = new RequestRouter({
    guard: createRequestGuard(host, allowedHosts),
    accessControl,
    receiver: new OtlpReceiver({ store, tenantHeader, maxBodyBytes, onStored }),
    ...{ feed, page: new PageFiles(), store, views, registries, objectives, clock },
  });
  const server = createServer({
    headersTimeout: HEADERS_TIMEOUT_MILLIS,
    requestTimeout: REQUEST_TIMEOUT_MILLIS,
    connectionsCheckingInterval: CONNECTION_CHECK_MILLIS,
    keepAliveTimeout: KEEP_ALIVE_MILLIS,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
  server.maxConnections = settings.maxConnections;
  server.on('request', (request, response) => void router.handle(request, response));
  let grpc: GrpcReceiver | undefined;
  server.on('clientError', (_error, socket) => refuseConnection(socket));
  try {
    for (const slo of settings.slos) objectives.addSlo(slo);
    for (const rule of settings.alerts) objectives.addRule(rule);
    await listen(server, settings.port, host);
    if (settings.grpcPort !== undefined) {
      const limits = { maxBodyBytes, maxConnections: settings.maxConnections };
      const parts = { store, accessControl, tenantHeader, clock, onStored };
      grpc = await GrpcReceiver.open({ port: settings.grpcPort, host, ...limits, ...parts });
    }
  } catch (error) {
    server.close();
    objectives.close();
    await store.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
    port,
    grpcPort: grpc?.port,
    registerView: (metric, chart) => views.register(metric, chart),
    attach: (registry, attachOptions) => registries.attach(registry, attachOptions),
    registerSlo: (slo) => objectives.addSlo(slo),
    registerAlert: (rule) => objectives.addRule(rule),
    update: async () => {
      await registries.flush();
      await feed.flush();
    },
    close: async () => {
      objectives.close();
      await grpc?.close();
      await registries.close();
      feed.close();
      if (server.listening) {
        const closed = once(server, 'close');
        server.close();
        server.closeAllConnections();
        await closed;
      }
      await store.close();
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<unknown> {
  server.listen(port, host);
  return once(server, 'listening');
}

/** The request was no HTTP, or came too slowly. */
function refuseConnection(socket: Duplex): void {
  const destroy = (): void => void socket.destroy();
  // Half open it would stay for as long as the other side likes.
  if (socket.writable)
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', destroy);
  else destroy();
}
