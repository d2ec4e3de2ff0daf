import type { DecodedSpan } from '../../support/otlp-decoder.ts';

export interface ShopSpan {
  /** At whose endpoint it arrived. */
  readonly tenant: string;
  readonly service: string;
  readonly span: DecodedSpan;
}

/** What is wrong with the traces of all requests; nothing should be. */
export interface Verdict {
  readonly complete: number;
  /** The first few of what is wrong. */
  readonly problems: readonly string[];
  readonly elsewhere: number;
  readonly duplicates: number;
  readonly orphans: number;
}

const [SERVER, CLIENT] = [2, 3];
const MAX_PROBLEMS = 20;

/**
 * Each request must have exactly one trace, at its tenant, with one span of each kind: the server, its middleware, the
 * query and the outgoing call of the shop, and the server of the stock.
 */
export function judgeTraces(
  spans: readonly ShopSpan[],
  requests: number,
  tenantOf: (index: number) => string,
): Verdict {
  const problems: string[] = [];
  const traces = new Map<string, ShopSpan[]>();
  const ids = new Set<string>();
  let duplicates = 0;
  for (const each of spans) {
    const { traceId, spanId } = each.span;
    if (ids.has(spanId)) duplicates += 1;
    ids.add(spanId);
    const trace = traces.get(traceId);
    if (trace === undefined) traces.set(traceId, [each]);
    else trace.push(each);
  }
  const seen = new Set<number>();
  let elsewhere = 0;
  let orphans = 0;
  let complete = 0;
  for (const trace of traces.values()) {
    const index = requestOf(trace);
    const tenant = index === undefined ? undefined : tenantOf(index);
    elsewhere += trace.filter((each) => each.tenant !== tenant).length;
    const own = new Set(trace.map(({ span }) => span.spanId));
    orphans += trace.filter(({ span }) => span.parentSpanId !== '' && !own.has(span.parentSpanId)).length;
    const problem = index === undefined ? 'a trace of no request' : problemOf(trace);
    if (index !== undefined && problem === undefined && !seen.has(index)) complete += 1;
    else problems.push(`${index}: ${problem ?? 'a second trace'}: ${trace.map(describe).join(', ')}`);
    if (index !== undefined) seen.add(index);
  }
  if (seen.size !== requests) problems.push(`${requests - seen.size} requests have no trace`);
  return { complete, problems: problems.slice(0, MAX_PROBLEMS), elsewhere, duplicates, orphans };
}

/** The number of the request in the path of the shop's server span, the root of the trace. */
function requestOf(trace: readonly ShopSpan[]): number | undefined {
  const roots = trace.filter(({ service, span }) => service === 'shop' && span.kind === SERVER);
  const { attributes = {} } = roots[0]?.span ?? {};
  const path = String(attributes['url.path'] ?? attributes['http.target'] ?? attributes['url.full']);
  const index = /\/orders\/(\d+)$/.exec(path)?.[1];
  return roots.length === 1 && roots[0]?.span.parentSpanId === '' && index !== undefined ? Number(index) : undefined;
}

/** What a trace has not exactly once. */
function problemOf(trace: readonly ShopSpan[]): string | undefined {
  const counts: Record<string, number> = {
    first: 0,
    authenticate: 0,
    enterTenant: 0,
    handler: 0,
    query: 0,
    call: 0,
    stock: 0,
  };
  const count = (what: string): void => {
    counts[what] = (counts[what] ?? 0) + 1;
  };
  for (const { service, span } of trace) {
    if (service === 'stock') {
      if (span.kind === SERVER) count('stock');
      continue;
    }
    const middleware = ['first', 'authenticate', 'enterTenant'].find((name) => span.name.endsWith(name));
    if (middleware !== undefined) count(middleware);
    else if (span.attributes['express.type'] === 'request_handler') count('handler');
    else if (span.kind === CLIENT && isQuery(span)) count('query');
    else if (span.kind === CLIENT && span.name.startsWith('GET')) count('call');
  }
  const wrong = Object.entries(counts).filter(([, times]) => times !== 1);
  return wrong.length === 0 ? undefined : wrong.map(([what, times]) => `${times} × ${what}`).join(', ');
}

function isQuery({ attributes }: DecodedSpan): boolean {
  return String(attributes['db.query.text'] ?? attributes['db.statement'] ?? '').startsWith('select');
}

function describe({ tenant, service, span }: ShopSpan): string {
  return `${tenant}/${service}: ${span.kind} ${span.name}`;
}
