import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { decodeTraceRequest } from '../support/otlp-decoder.ts';
import { logsOf } from '../support/otlp-log-decoder.ts';
import { type OtlpReceiver, startReceiver } from '../support/otlp-receiver.ts';
import { receivedPoints } from '../support/received-metrics.ts';
import { ENTRY_PEERS, type ModuleKind, type PeerSet } from './definition.ts';
import { runNode } from './package-manager.ts';

const HOST = fileURLToPath(new URL('host/', import.meta.url));
const ORDERS = 5;

export interface HostOptions {
  /** Where the packages are installed. */
  readonly directory: string;
  readonly node: string;
  readonly module: ModuleKind;
  readonly peers: PeerSet;
}

interface HostReport {
  readonly node: string;
  readonly strategy: string;
  readonly ok: boolean;
  /** Whether its OpenTelemetry API has logs, for libraries. */
  readonly hasLogs: boolean;
  /** By entry: `loaded`, or why not. */
  readonly loaded: Readonly<Record<string, string>>;
}

/**
 * Runs a host program with a receiver for each of two tenants, and resolves with what it did. Rejects when anything of a
 * tenant is missing, is there twice or came to the other, and when an entry is not there that its packages are for.
 */
export async function runHost({ directory, node, module, peers }: HostOptions): Promise<string> {
  await cp(HOST, directory, { recursive: true });
  await using acme = await startReceiver();
  await using globex = await startReceiver();
  const printed = await runNode(node, directory, [module === 'esm' ? 'host.mjs' : 'host.cjs'], {
    TENANTS: JSON.stringify({ acme: acme.url, globex: globex.url }),
    ORDERS: String(ORDERS),
  });
  const report = JSON.parse(printed) as HostReport;
  assert.equal(report.ok, true, 'the shutdown has lost something');
  assert.equal(report.strategy, 'own', 'the library and isotrace have not met in one OpenTelemetry API');
  const bodies = report.hasLogs ? ['ordered', 'stored'] : ['ordered'];
  const tenants = { acme, globex };
  const traces = new Set(
    Object.entries(tenants).flatMap(([tenant, receiver]) => judgeTenant(tenant, receiver, bodies)),
  );
  assert.equal(traces.size, 2 * ORDERS, 'tenants share traces');
  return `${judgeEntries(report.loaded, peers)}, ${4 * ORDERS} spans, ${2 * ORDERS * bodies.length} logs of 2 tenants`;
}

/** The ids of the tenant's traces. Each has one record of each body. */
function judgeTenant(tenant: string, receiver: OtlpReceiver, bodies: readonly string[]): string[] {
  for (const { headers } of receiver.requests) assert.equal(headers['authorization'], `Bearer ${tenant}`);
  const spans = receiver.requests
    .filter(({ path }) => path === '/v1/traces')
    .flatMap(({ body }) => decodeTraceRequest(body).resourceSpans)
    .flatMap(({ resource, scopeSpans }) =>
      scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ span, owner: resource.attributes['tenant.id'] }))),
    );
  const orders = spans.filter(({ span }) => span.name === 'order');
  const queries = spans.filter(({ span }) => span.name === 'query');
  assert.deepEqual([spans.length, orders.length, queries.length], [2 * ORDERS, ORDERS, ORDERS], `spans of ${tenant}`);
  for (const { span, owner } of spans) assert.deepEqual([owner, span.attributes['owner']], [tenant, tenant]);
  const children = queries.map(({ span }) => `${span.traceId} ${span.parentSpanId}`);
  assert.deepEqual(children.sort(), orders.map(({ span }) => `${span.traceId} ${span.spanId}`).sort());

  const traces = orders.map(({ span }) => span.traceId).sort();
  const logs = logsOf(receiver);
  for (const { resource, attributes } of logs) {
    assert.deepEqual([resource['tenant.id'], attributes['owner']], [tenant, tenant]);
  }
  const expected = bodies.flatMap((body) => traces.map((traceId) => `${body} ${traceId}`));
  assert.deepEqual(
    logs.map(({ body, traceId }) => `${String(body)} ${traceId}`).sort(),
    expected.sort(),
    `logs of ${tenant}`,
  );

  const points = receivedPoints(receiver, 'orders');
  for (const { resource, attributes } of points) {
    assert.deepEqual([resource['tenant.id'], attributes['owner']], [tenant, tenant]);
  }
  const last = points.at(-1);
  const counted = last?.temporality === 'delta' ? points.reduce((sum, { value = 0 }) => sum + value, 0) : last?.value;
  assert.equal(counted, ORDERS, `orders that ${tenant} has counted`);
  return traces;
}

/** Every entry is there, but for those whose optional peer the project does not have. */
export function judgeEntries(loaded: Readonly<Record<string, string>>, peers: PeerSet): string {
  for (const [entry, outcome] of Object.entries(loaded)) {
    const peer = peers === 'all' ? undefined : ENTRY_PEERS[entry];
    if (peer === undefined) assert.equal(outcome, 'loaded', `isotrace${entry.slice(1)}: ${outcome}`);
    else assert.match(outcome, new RegExp(`Cannot find (package|module) '${peer}`), `isotrace${entry.slice(1)}`);
  }
  return `${Object.values(loaded).filter((outcome) => outcome === 'loaded').length} entries`;
}
