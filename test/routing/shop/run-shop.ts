import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { decodeTraceRequest } from '../../support/otlp-decoder.ts';
import { startReceiver } from '../../support/otlp-receiver.ts';
import { startPostgres } from '../../support/postgres.ts';
import { judgeTraces, type ShopSpan, type Verdict } from './judge-traces.ts';
import type { ServiceResult } from './service.ts';

/** Whose SDK the two services have: none but ours, or one that the registry joins. */
export type ShopHost = 'own' | 'node-sdk' | 'sentry';

export interface ShopOptions {
  readonly host: ShopHost;
  readonly requests: number;
  readonly tenants: number;
  readonly concurrency: number;
  /** The folder of PostgreSQL's programs. */
  readonly programs: string;
}

export interface ShopResult extends Verdict {
  readonly spans: number;
  readonly requestsPerSecond: number;
  readonly services: readonly ServiceResult[];
}

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Sends requests of many tenants through two services and a database, and judges the traces that arrive. */
export async function runShop({ host, requests, tenants, concurrency, programs }: ShopOptions): Promise<ShopResult> {
  const receiver = await startReceiver();
  const postgres = await startPostgres(programs);
  const preload = host === 'own' ? '../../../src/register.ts' : `./${host}.ts`;
  const services: Service[] = [];
  try {
    const start = async (name: string, env: Record<string, string>): Promise<Service> => {
      const started = await startService(name, preload, { COLLECTOR: receiver.url, SERVICE: name, ...env });
      services.push(started);
      return started;
    };
    const stock = await start('stock', {});
    const shop = await start('shop', { PGHOST: postgres.host, STOCK: stock.url });
    const begin = performance.now();
    await sendRequests(shop.url, requests, tenants, concurrency);
    const seconds = (performance.now() - begin) / 1_000;
    const results = [await shop.stop(), await stock.stop()];
    const spans: ShopSpan[] = receiver.requests
      .filter(({ path }) => path.endsWith('/v1/traces'))
      .flatMap(({ path, body }) =>
        decodeTraceRequest(body).resourceSpans.flatMap(({ resource, scopeSpans }) => {
          const at = { tenant: path.split('/')[1] as string, service: String(resource.attributes['service.name']) };
          return scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...at, span })));
        }),
      );
    const verdict = judgeTraces(spans, requests, (index) => tenantOf(index, tenants));
    return { ...verdict, spans: spans.length, requestsPerSecond: requests / seconds, services: results };
  } finally {
    for (const { child } of services) child.kill();
    await postgres.stop();
    await receiver.close();
  }
}

function tenantOf(index: number, tenants: number): string {
  return `tenant-${index % tenants}`;
}

async function sendRequests(url: string, requests: number, tenants: number, concurrency: number): Promise<void> {
  const pool = new Pool(url, { connections: Math.min(concurrency, 64) });
  let next = 0;
  const client = async (): Promise<void> => {
    for (let index = next++; index < requests; index = next++) {
      const headers = { 'x-tenant': tenantOf(index, tenants) };
      const { statusCode, body } = await pool.request({ path: `/orders/${index}`, method: 'GET', headers });
      const text = await body.text();
      if (statusCode !== 200 || text !== `${index} ${index}`)
        throw new Error(`request ${index}: ${statusCode} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  await pool.close();
}

interface Service {
  readonly child: ChildProcess;
  readonly url: string;
  stop(): Promise<ServiceResult>;
}

async function startService(name: string, preload: string, env: Record<string, string>): Promise<Service> {
  const child = fork(file(`./${name}.ts`), {
    execArgv: ['--import', 'tsx', '--import', file(preload)],
    env: {
      ...process.env,
      OTEL_NODE_ENABLED_INSTRUMENTATIONS: 'http,express,pg,undici',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_LOGS_EXPORTER: 'none',
      ...env,
    },
  });
  const [started] = (await once(child, 'message')) as [{ readonly port: number }];
  const stop = async (): Promise<ServiceResult> => {
    const result = once(child, 'message');
    child.send('stop');
    const [told] = (await result) as [ServiceResult];
    return told;
  };
  return { child, url: `http://127.0.0.1:${started.port}`, stop };
}
