/** An entry of the package, as its page in `docs/api` introduces it. */
export interface ApiEntry {
  /** `isotrace` or `isotrace/express`. */
  readonly specifier: string;
  /** Its source, from `src`. */
  readonly file: string;
  /** Its page in `docs/api`. */
  readonly page: string;
  readonly summary: string;
  /** The page of `docs` that tells how to use it. */
  readonly guide: string;
}

const SUMMARIES: Readonly<Record<string, readonly [guide: string, summary: string]>> = {
  '.': ['concepts.md', 'Tracers, the registry that keeps one for each tenant, and the mixins that they are made of.'],
  './http': ['http.md', 'Node servers of `http`, `https` and `http2`, and frameworks without an adapter of their own.'],
  './express': ['http.md', 'Middleware for Express 4 and 5.'],
  './fastify': ['http.md', 'A plugin for Fastify 5.'],
  './koa': ['http.md', 'Middleware for Koa 3.'],
  './hono': ['http.md', 'Middleware for Hono 4.'],
  './nestjs': ['http.md', 'A module and an interceptor for NestJS 11.'],
  './grpc': ['outgoing.md', 'Interceptors for clients and servers of `@grpc/grpc-js`.'],
  './messaging': ['messaging.md', 'Producers and consumers of any queue.'],
  './amqplib': ['messaging.md', 'Channels of `amqplib`, for RabbitMQ.'],
  './bullmq': ['messaging.md', 'Queues, flows and workers of BullMQ.'],
  './kafkajs': ['messaging.md', 'Producers and consumers of `kafkajs`.'],
  './workers': ['workers.md', "Worker threads and child processes: a tenant's scope goes there, its spans come back."],
  './commands': ['commands.md', 'Operations as plain data, executed for one tenant.'],
  './commands-client': ['commands.md', 'The other end of commands, which loads no OpenTelemetry.'],
  './queries': ['queries.md', 'Questions to a store or a dashboard, for some tenants.'],
  './dashboard': ['dashboard.md', 'The dashboard for programs, its stores, objectives and alerts.'],
  './pino': ['logs.md', 'A stream and a mixin for pino.'],
  './prometheus': ['metrics.md', 'A page for Prometheus.'],
  './register': [
    'instrumentation.md',
    "For `node --import`: instrumentations see the application's modules. It exports nothing.",
  ],
  './honeyhive': ['migrating/honeyhive.md', 'The tracer of HoneyHive, over isotrace.'],
  './telemetryflow': ['migrating/telemetryflow.md', 'The builder and the client of TelemetryFlow, over isotrace.'],
  './testing': ['testing.md', 'Tracers in memory, expectations on spans, a leak check, a fake clock.'],
};

/**
 * The entries of a package, each once, in the order of their pages. What several entries export is described on the page
 * of the first of them. Throws when an entry has no summary, or a summary no entry.
 */
export function listEntries(exported: readonly string[]): ApiEntry[] {
  const names = exported.filter((name) => name !== './package.json');
  const missing = names.filter((name) => SUMMARIES[name] === undefined);
  const left = Object.keys(SUMMARIES).filter((name) => !names.includes(name));
  if (missing.length + left.length > 0) throw new Error(`scripts/api/entries.ts: ${[...missing, ...left].join(', ')}`);
  return Object.entries(SUMMARIES).map(([name, [guide, summary]]) => {
    const base = name === '.' ? 'index' : name.slice(2);
    return {
      specifier: name === '.' ? 'isotrace' : `isotrace/${base}`,
      file: `${base}.ts`,
      page: `${name === '.' ? 'isotrace' : base}.md`,
      summary,
      guide,
    };
  });
}

/** What the documentation calls an object of a type, where that is not the type's own name. */
const OBJECTS: Readonly<Record<string, string>> = {
  TracerRegistry: 'registry',
  TracerBuilder: 'builder',
  TelemetryFlowBuilder: 'builder',
  TelemetryFlowClient: 'client',
  CommandClient: 'client',
  CommandBus: 'bus',
  QueryBus: 'bus',
  HoneyHiveTracer: 'tracer',
  ...Object.fromEntries(
    [
      'TracerBase',
      'Operations',
      'ContextOperations',
      'EnrichmentOperations',
      'OutgoingOperations',
      'AgentOperations',
      'Metrics',
      'Logs',
    ].map((name) => [name, 'tracer']),
  ),
  TenantInstruments: 'tracer.metrics',
  TenantLog: 'tracer.log',
};

/** `registry` for `TracerRegistry`: what stands before the names of methods. */
export function objectName(type: string): string {
  return OBJECTS[type] ?? `${type[0]?.toLowerCase()}${type.slice(1)}`;
}
