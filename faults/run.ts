import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startReceiver } from '../test/support/otlp-receiver.ts';
import type { HostReport, Product } from './orders.ts';
import type { Scenario } from './scenarios.ts';

/** Longer is reported as this. */
export const PATIENCE_MILLIS = 35_000;

export interface Outcome {
  readonly spans: number;
  readonly delivered: number;
  /** Arrivals of spans that were there already. */
  readonly duplicates: number;
  readonly requests: number;
  readonly connections: number;
  /** Of the flush, of the shutdown or, where there is none, of the end of the process; beyond the patience undefined. */
  readonly endMillis: number | undefined;
  readonly errors: number;
  readonly counted: number | undefined;
}

/** Runs one scenario with one product in a process of its own. */
export async function run({ orders, prepare, healsAfterMillis }: Scenario, product: Product): Promise<Outcome> {
  const receiver = await startReceiver({ protocol: orders.protocol === 'grpc' ? 'grpc' : 'http' });
  const endpoint = receiver.url;
  prepare?.(receiver);
  const parameters = JSON.stringify({ ...orders, product, endpoint });
  const child = fork(fileURLToPath(new URL('host.ts', import.meta.url)), [parameters], {
    // Not those of whoever runs this, which may be the test runner.
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let report: HostReport | undefined;
  let askedAt = performance.now();
  child.on('message', (message: { readonly ready?: boolean; readonly report?: HostReport }) => {
    if (message.report !== undefined) {
      report = message.report;
      child.kill('SIGKILL');
    }
    if (!message.ready) return;
    askedAt = performance.now() + (orders.waitMillis ?? 0);
    if (orders.end === 'signal') child.kill('SIGTERM');
    if (healsAfterMillis !== undefined) setTimeout(() => void heal(), healsAfterMillis);
  });
  const heal = async (): Promise<void> => {
    receiver.clearFaults();
    await receiver.refuse();
    await receiver.listen();
  };
  let crashed = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    crashed += text;
  });
  const hasEnded = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), PATIENCE_MILLIS + (orders.waitMillis ?? 0));
    child.once('exit', (code) => {
      clearTimeout(timer);
      if (code === 1) process.stderr.write(crashed);
      resolve(true);
    });
  });
  child.kill('SIGKILL');
  const ids = receiver.spans().map(({ spanId }) => spanId);
  const unique = new Set(ids).size;
  const outcome = {
    spans: orders.spans * (orders.tenants ?? 1) + (orders.end === 'late span' ? 1 : 0),
    delivered: unique,
    duplicates: ids.length - unique,
    requests: receiver.requests.length,
    connections: receiver.connections.total,
    endMillis: report?.endMillis ?? (hasEnded ? performance.now() - askedAt : undefined),
    errors: report?.errors ?? 0,
    counted: report?.counted,
  };
  await receiver.close();
  return outcome;
}
