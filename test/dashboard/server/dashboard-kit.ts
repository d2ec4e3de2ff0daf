import { once } from 'node:events';
import http, { type IncomingHttpHeaders } from 'node:http';
import { onTestFinished } from 'vitest';
import { type Dashboard, type DashboardOptions, startDashboard } from '../../../src/dashboard.ts';

/** A dashboard on a free port, closed when the test is over. */
export async function openDashboard(options: DashboardOptions = {}): Promise<Dashboard> {
  const dashboard = await startDashboard({ port: 0, ...options });
  onTestFinished(() => dashboard.close());
  return dashboard;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
}

/** A request as it is given: no header is added but `host`, and the body goes out as it is. */
export async function send(
  { port }: Dashboard,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: Uint8Array | string,
): Promise<Reply> {
  const request = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(chunks) };
}

export async function getJson<T = Record<string, unknown>>(
  dashboard: Dashboard,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; value: T }> {
  const { status, bytes } = await send(dashboard, 'GET', path, headers);
  return { status, value: JSON.parse(bytes.toString()) as T };
}

export function postOtlp(
  dashboard: Dashboard,
  signal: string,
  json: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const all = { 'content-type': 'application/json', ...headers };
  return send(dashboard, 'POST', `/v1/${signal}`, all, JSON.stringify(json));
}
