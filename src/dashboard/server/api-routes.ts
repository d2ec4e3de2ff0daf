import { logsToOtlpJson, spansToOtlpJson } from '../otlp/export-json.ts';
import { pointsToOtlpJson } from '../otlp/export-points.ts';
import { SIGNALS } from '../otlp/signal.ts';
import { stepOf } from '../query/step-of.ts';
import { METRIC_AGGREGATIONS } from '../store/telemetry-store.ts';
import {
  errorPage,
  facetAnswer,
  logAnswer,
  metricAnswer,
  metricPage,
  pointAnswer,
  redAnswer,
  servicePage,
  storeStats,
  tenantPage,
  traceAnswer,
  tracePage,
  viewPage,
} from './answer-schemas.ts';
import { duration, integer, list, oneOf, required, text } from './api-parameters.ts';
import {
  ApiProblem,
  type ApiRoute,
  defineRoute,
  QUERY_PARAMETER,
  queryOf,
  RANGE_PARAMETERS,
  rangeOf,
  scopeOf,
  TENANT_PARAMETER,
} from './api-route.ts';
import { compactTrace } from './compact-trace.ts';
import { alertPage, healthPage, pendingPage, sloPage } from './status-schemas.ts';

const COMMON = { ...TENANT_PARAMETER, ...RANGE_PARAMETERS, ...QUERY_PARAMETER };
const TRACE_ID = /^[\da-fA-F]{32}$/;

function formatOf<const T extends string>(plain: T) {
  return oneOf(`\`${plain}\`, or \`otlp\` for a request that any OTLP receiver takes.`, [plain, 'otlp'], plain);
}

/** Every question that can be asked below `/api/v1`. */
export const API_ROUTES: readonly ApiRoute[] = [
  defineRoute({
    path: 'traces',
    schema: tracePage,
    summary: 'Traces with a span that matches',
    answer: '`traces`: summaries; `more`, `partial`',
    parameters: {
      ...COMMON,
      limit: integer('The most traces.', 50, 1, 1_000),
      order: oneOf('The newest, or the longest, of the spans that match.', ['newest', 'longest'], 'newest'),
    },
    ask: (context, { tenant, query, limit, order, ...range }) =>
      context.store.listTraces({
        scope: scopeOf(context, tenant),
        query: queryOf(query, 'traces'),
        range: rangeOf(context, range),
        limit,
        order,
      }),
  }),
  defineRoute({
    path: 'traces/{traceId}',
    schema: traceAnswer,
    summary: 'The spans of one trace',
    answer: '`spans` by start, with everything they came with; `more`. Or an OTLP request in JSON',
    parameters: {
      ...TENANT_PARAMETER,
      traceId: required(text('32 hex digits.', { pattern: TRACE_ID })),
      limit: integer('The most spans.', 10_000, 1, 100_000),
      format: oneOf(
        '`spans`; `compact` for what spans have in common once, and nothing that is zero or empty; or `otlp` for a ' +
          'request that any OTLP receiver takes.',
        ['spans', 'compact', 'otlp'],
        'spans',
      ),
    },
    ask: async (context, { tenant, traceId, limit, format }) => {
      const trace = await context.store.getTrace(scopeOf(context, tenant), traceId.toLowerCase(), limit);
      if (trace.spans.length === 0) throw new ApiProblem({ status: 404, message: 'there is no such trace' });
      if (format === 'compact') return compactTrace(trace);
      return format === 'otlp' ? spansToOtlpJson(trace.spans) : trace;
    },
  }),
  defineRoute({
    path: 'logs',
    schema: logAnswer,
    summary: 'Log records that match, the newest first',
    answer: '`logs`; `more`, `partial`. Or an OTLP request in JSON',
    parameters: {
      ...COMMON,
      severity: list('Levels, such as `ERROR,FATAL`; as `severity:…` in the query.'),
      limit: integer('The most records.', 100, 1, 10_000),
      format: formatOf('logs'),
    },
    ask: async (context, { tenant, query, severity, limit, format, ...range }) => {
      const levels =
        severity.length === 0 ? [] : queryOf(`severity:${severity.join(',')}`, 'logs', 'severity').conditions;
      const page = await context.store.getLogs({
        scope: scopeOf(context, tenant),
        query: { conditions: [...queryOf(query, 'logs').conditions, ...levels] },
        range: rangeOf(context, range),
        limit,
      });
      return format === 'otlp' ? logsToOtlpJson(page.logs.toReversed()) : page;
    },
  }),
  defineRoute({
    path: 'metrics',
    schema: metricPage,
    summary: 'The metrics that there are',
    answer: '`metrics`: name, type, unit, services, tenants, number of points',
    parameters: { ...COMMON, limit: integer('The most metrics.', 1_000, 1, 10_000) },
    ask: async (context, { tenant, query, limit, ...range }) => ({
      metrics: await context.store.listMetrics({
        scope: scopeOf(context, tenant),
        query: queryOf(query, 'metrics'),
        range: rangeOf(context, range),
        limit,
      }),
    }),
  }),
  defineRoute({
    path: 'metrics/points',
    schema: pointAnswer,
    summary: 'Data points that match, the newest first',
    answer: '`points`, as they came in; `more`, `partial`. Or an OTLP request in JSON',
    parameters: {
      ...COMMON,
      limit: integer('The most points.', 100, 1, 10_000),
      format: formatOf('points'),
    },
    ask: async (context, { tenant, query, limit, format, ...range }) => {
      const page = await context.store.getPoints({
        scope: scopeOf(context, tenant),
        query: queryOf(query, 'metrics'),
        range: rangeOf(context, range),
        limit,
      });
      return format === 'otlp' ? pointsToOtlpJson(page.points.toReversed()) : page;
    },
  }),
  defineRoute({
    path: 'metrics/query',
    schema: metricAnswer,
    summary: 'The values of one metric over time',
    answer: '`series` with labels, points `[time, value]` and exemplars; `metric`, `aggregation`, `stepMillis`',
    parameters: {
      ...COMMON,
      name: required(text('The name of the metric.')),
      step: duration('The length of a step, such as `10s`. Default: about 60 steps.'),
      aggregation: oneOf(
        'What is made of the points of a step. Default: what suits the metric.',
        ['auto', ...METRIC_AGGREGATIONS],
        'auto',
      ),
      by: list('`tenant`, `service` or names of attributes to group by. Default: every series by itself.'),
      limit: integer('The most series.', 100, 1, 1_000),
    },
    ask: (context, { tenant, query, name, step, aggregation, by, limit, ...times }) => {
      const range = rangeOf(context, times);
      return context.store.queryMetric({
        ...{ scope: scopeOf(context, tenant), query: queryOf(query, 'metrics'), range, limit, name, groupBy: by },
        stepMillis: stepOf(step, range.startMillis, Math.min(range.endMillis, context.now)),
        aggregation: aggregation === 'auto' ? undefined : aggregation,
      });
    },
  }),
  defineRoute({
    path: 'red',
    schema: redAnswer,
    summary: 'Rate, errors and duration of requests',
    answer: '`groups` with counts, errors, quantiles, and the same by step; `more`, `partial`',
    parameters: {
      ...COMMON,
      by: oneOf('What a group is.', ['service', 'operation', 'tenant'], 'service'),
      spans: oneOf('Where work enters a service (roots, servers, consumers), or all spans.', ['entry', 'all'], 'entry'),
      step: duration('The length of a step. Default: about 60 steps.'),
      limit: integer('The most groups.', 100, 1, 1_000),
    },
    ask: (context, { tenant, query, by, spans, step, limit, ...times }) => {
      const range = rangeOf(context, times);
      return context.store.red({
        ...{ scope: scopeOf(context, tenant), query: queryOf(query, 'traces'), range, limit, spans, groupBy: by },
        stepMillis: stepOf(step, range.startMillis, Math.min(range.endMillis, context.now)),
      });
    },
  }),
  defineRoute({
    path: 'errors',
    schema: errorPage,
    summary: 'Failed spans, grouped by service, type of error and place',
    answer: '`groups` with count, first and last time, tenants, an example; `more`, `partial`',
    parameters: { ...COMMON, limit: integer('The most groups.', 50, 1, 1_000) },
    ask: (context, { tenant, query, limit, ...range }) =>
      context.store.errors({
        scope: scopeOf(context, tenant),
        query: queryOf(query, 'traces'),
        range: rangeOf(context, range),
        limit,
      }),
  }),
  defineRoute({
    path: 'services',
    schema: servicePage,
    summary: 'The services that there are',
    answer: '`services` with their tenant and numbers of spans, errors, log records and points',
    parameters: { ...TENANT_PARAMETER, ...RANGE_PARAMETERS },
    ask: async (context, { tenant, ...range }) => ({
      services: await context.store.services(scopeOf(context, tenant), rangeOf(context, range)),
    }),
  }),
  defineRoute({
    path: 'tenants',
    schema: tenantPage,
    summary: 'The tenants that the token may see, and what is kept of them',
    answer: '`tenants` with what is stored, evicted and rejected, and the bytes they take',
    parameters: TENANT_PARAMETER,
    ask: async (context, { tenant }) => ({ tenants: await context.store.tenants(scopeOf(context, tenant)) }),
  }),
  defineRoute({
    path: 'facets',
    schema: facetAnswer,
    summary: 'What can stand in a query: the fields, or the values of one',
    answer: '`values` with how often they occur; `sampled`',
    parameters: {
      ...TENANT_PARAMETER,
      signal: oneOf('Of which signal.', SIGNALS, 'traces'),
      field: text('A field, as it is written in a query. Default: the fields themselves.'),
      prefix: text('What they begin with.'),
      limit: integer('The most values.', 50, 1, 1_000),
    },
    ask: (context, { tenant, signal, field, prefix, limit }) =>
      context.store.facets({
        scope: scopeOf(context, tenant),
        ...{ signal, field: field === '' ? undefined : field, prefix, limit },
      }),
  }),
  defineRoute({
    path: 'stats',
    schema: storeStats,
    summary: 'The state of the store',
    answer: 'what is stored, evicted and rejected, whether it is full, and notices for its operator',
    parameters: TENANT_PARAMETER,
    ask: (context, { tenant }) => context.store.stats(scopeOf(context, tenant)),
  }),
  defineRoute({
    path: 'health',
    schema: healthPage,
    summary: 'How the tenants of attached registries do',
    answer:
      '`tenants`, those that are not well first: state, accounts by signal with drops by reason, destinations with ' +
      'queue, breaker and credentials; `attached`, `more`',
    parameters: { ...TENANT_PARAMETER, limit: integer('The most tenants.', 200, 1, 10_000) },
    ask: (context, { tenant, limit }) => Promise.resolve(context.registries.health(scopeOf(context, tenant), limit)),
  }),
  defineRoute({
    path: 'pending',
    schema: pendingPage,
    summary: 'Spans of attached registries that have not ended',
    answer: '`pending`, the latest first; `more`',
    parameters: { ...TENANT_PARAMETER, limit: integer('The most spans.', 100, 1, 10_000) },
    ask: (context, { tenant, limit }) => Promise.resolve(context.registries.pending(scopeOf(context, tenant), limit)),
  }),
  defineRoute({
    path: 'slos',
    schema: sloPage,
    summary: 'How the service level objectives do',
    answer: '`slos`, one for each objective and tenant, the ones closest to the end of their budget first; `more`',
    parameters: { ...TENANT_PARAMETER, limit: integer('The most of them.', 1_000, 1, 10_000) },
    ask: async (context, { tenant, limit }) => {
      const slos = await context.objectives.slos(scopeOf(context, tenant));
      return { slos: slos.slice(0, limit), more: Math.max(slos.length - limit, 0) };
    },
  }),
  defineRoute({
    path: 'alerts',
    schema: alertPage,
    summary: 'Alerts that are pending, fire, or are over',
    answer:
      '`alerts`, the ones that fire first; `more`, `omitted`; for those who may see all tenants `rules`, `handlers`',
    parameters: { ...TENANT_PARAMETER, limit: integer('The most alerts.', 200, 1, 10_000) },
    ask: (context, { tenant, limit }) => Promise.resolve(context.objectives.alerts(scopeOf(context, tenant), limit)),
  }),
  defineRoute({
    path: 'views',
    schema: viewPage,
    summary: 'The views that were registered',
    answer: '`views` with metric and chart',
    parameters: {},
    ask: ({ views }) => Promise.resolve({ views: views.list() }),
  }),
];
