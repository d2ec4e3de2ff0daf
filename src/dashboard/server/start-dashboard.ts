import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { AccessControl } from './access.ts';
import { type DashboardOptions, resolveDashboardOptions } from './dashboard-options.ts';
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
  /** Shows a metric on the page from the beginning. Throws an `IsotraceError` on what is no view. */
  registerView(metric: string, chart: ViewChart): void;
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
  const feed = new LiveFeed({ store, clock, flushMillis });
  const router = new RequestRouter({
    guard: createRequestGuard(host, allowedHosts),
    accessControl: new AccessControl(settings.tokens),
    receiver: new OtlpReceiver({ store, tenantHeader, maxBodyBytes, onStored: () => feed.notify() }),
    ...{ feed, page: new PageFiles(), store, views, clock },
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
  server.on('clientError', (_error, socket) => refuseConnection(socket));
  try {
    await listen(server, settings.port, host);
  } catch (error) {
    await store.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
    port,
    registerView: (metric, chart) => views.register(metric, chart),
    update: () => feed.flush(),
    close: async () => {
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
  if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  else socket.destroy();
}
