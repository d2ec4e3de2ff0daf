import type { IncomingMessage, ServerResponse } from 'node:http';
import { integrationHostOf } from '../core/integration-host.ts';
import type { TracerRegistry } from '../core/registry.ts';
import type { TracerBase } from '../core/tracer-base.ts';
import { type LabelledMetrics, prometheusText } from '../processing/prometheus-text.ts';
import { readHeader } from '../utils/carrier.ts';
import { integerIn } from '../utils/option-checks.ts';
import { type Check, IssueLog, OptionReader } from '../utils/option-reader.ts';

/** What is on the page. */
export interface PrometheusOptions {
  /**
   * Tenants whose metrics are on the page, the most recently used first, each with its id as a label: as many times as many
   * series. 0 to 10,000. Default: 0, which is the platform tracer's metrics only, isotrace's own among them.
   */
  readonly tenants?: number | undefined;
  /** The label with a tenant's id. Default: `tenant_id`. */
  readonly tenantLabel?: string | undefined;
  /** Lines with values on a page at most; those beyond are left out. 1 to 10,000,000. Default: 100,000. */
  readonly maxSamples?: number | undefined;
}

/** Answers with metrics. Neither form throws or rejects. */
export interface PrometheusHandler {
  /** For `node:http` and frameworks on top of it. */
  (request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** For frameworks with the web's requests. */
  (request: Request): Promise<Response>;
}

interface Page {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({ tenants: true, tenantLabel: true, maxSamples: true } satisfies Record<keyof PrometheusOptions, true>),
);
const TENANTS = integerIn({ min: 0, max: 10_000, default: 0, unit: 'tenants' });
const MAX_SAMPLES = integerIn({ min: 1, max: 10_000_000, default: 100_000, unit: 'lines' });
const LABEL: Check<string> = {
  accepted: 'a name of letters, digits and _, which does not begin with a digit or __',
  parse: (value) => (typeof value === 'string' && /^(?!__)[a-zA-Z_]\w{0,127}$/.test(value) ? value : undefined),
};
const OPEN_METRICS = 'application/openmetrics-text';

/**
 * A page of metrics for Prometheus: its text format, or OpenMetrics where the scraper prefers that. For the process's owner:
 * whoever can ask for it sees the metrics of all tenants on it.
 *
 * @throws IsotraceError with code `config_invalid`, only if the registry has `strict: true`
 */
export function prometheusHandler(
  registry: TracerRegistry<TracerBase>,
  options?: PrometheusOptions,
): PrometheusHandler {
  const issues = new IssueLog();
  const reader = OptionReader.open(options, 'prometheus', KNOWN, issues);
  const tenants = reader?.read('tenants', TENANTS) ?? 0;
  const tenantLabel = reader?.read('tenantLabel', LABEL) ?? 'tenant_id';
  const maxSamples = reader?.read('maxSamples', MAX_SAMPLES) ?? 100_000;
  const host = integrationHostOf(registry);
  host?.refuse(issues.list());

  const write = async (openMetrics: boolean): Promise<string> => {
    const readings = await registry.readMetrics(tenants);
    const groups = readings.map(({ tenantId, resource, scopes }): LabelledMetrics => {
      if (tenantId === undefined) return { labels: {}, target: resource, scopes };
      return { labels: { [tenantLabel]: tenantId }, scopes };
    });
    return prometheusText(groups, { openMetrics, maxSamples });
  };
  const answer = async (method: unknown, accept: unknown): Promise<Page> => {
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, headers: { allow: 'GET, HEAD' }, body: '' };
    try {
      const openMetrics = prefersOpenMetrics(accept);
      const version = openMetrics ? `${OPEN_METRICS}; version=1.0.0` : 'text/plain; version=0.0.4';
      const headers = { 'content-type': `${version}; charset=utf-8`, 'cache-control': 'no-store', vary: 'accept' };
      return { status: 200, headers, body: await write(openMetrics) };
    } catch (error) {
      host?.guard.report('metrics', 'prometheus', error);
      return { status: 500, headers: {}, body: '' };
    }
  };
  const handler = async (
    request: IncomingMessage | Request,
    response?: ServerResponse,
  ): Promise<Response | undefined> => {
    const { status, headers, body } = await answer(request.method, readHeader(request.headers, 'accept'));
    if (response === undefined) return new Response(request.method === 'HEAD' ? null : body, { status, headers });
    try {
      response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
      response.end(request.method === 'HEAD' ? undefined : body);
    } catch (error) {
      host?.guard.report('metrics', 'prometheus', error);
    }
    return undefined;
  };
  return handler as PrometheusHandler;
}

/** Whether OpenMetrics 1.0 is named with a quality at least that of everything else (RFC 9110, section 12.5.1). */
function prefersOpenMetrics(accept: unknown): boolean {
  const text = Array.isArray(accept) ? accept.join(',') : String(accept ?? '');
  let open = 0;
  let plain = 0;
  for (const range of text.slice(0, 4_096).split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const quality = Number(parameters.find((part) => part.startsWith('q='))?.slice(2) ?? 1);
    const version = parameters.find((part) => part.startsWith('version='))?.slice(8) ?? '1.0.0';
    if (type === OPEN_METRICS && version === '1.0.0') open = Math.max(open, quality || 0);
    else if (type === 'text/plain') plain = Math.max(plain, quality || 0);
  }
  return open > 0 && open >= plain;
}
