import type { Framework, InitAnswers, TenantSource } from './answers.ts';
import { lines } from './source-text.ts';

/** What a framework's requests look like, and what its adapter makes. */
interface Adapter {
  /** The module's name, without its extension. */
  readonly file: string;
  /** What the module exports, with its contract and what it is. */
  readonly exported: string;
  readonly contract: string;
  readonly value: string;
  readonly imports: readonly string[];
  /** Of the parameter of `tenantOf`. */
  readonly parameter: string;
  readonly type: string;
  readonly header: string;
  readonly host: string;
  readonly path: string;
  readonly user: string;
  readonly more?: string;
}

const NODE_PARTS = {
  parameter: 'request',
  header: "request.headers['x-tenant']",
  host: 'request.headers.host',
  user: '(request as { user?: { tenant?: unknown } }).user?.tenant',
};

const ADAPTERS: Readonly<Record<Exclude<Framework, 'none'>, Adapter>> = {
  express: {
    ...NODE_PARTS,
    file: 'middleware',
    exported: 'telemetry',
    contract: 'Middleware: after what authenticates, before what is to be traced.',
    value: 'express(registry, { tenant: tenantOf })',
    imports: ["import type { Request } from 'express';", "import { express, recordErrors } from 'isotrace/express';"],
    type: 'Request',
    path: 'request.originalUrl',
    more: lines(
      '',
      '/** Error-handling middleware: after the routes, before your own error handlers. */',
      'export const telemetryErrors = recordErrors();',
    ),
  },
  fastify: {
    ...NODE_PARTS,
    file: 'plugin',
    exported: 'telemetry',
    contract: 'A plugin: register it after the one that authenticates in `onRequest`.',
    value: 'fastify(registry, { tenant: tenantOf })',
    imports: ["import type { FastifyRequest } from 'fastify';", "import { fastify } from 'isotrace/fastify';"],
    type: 'FastifyRequest',
    path: 'request.url',
  },
  koa: {
    file: 'middleware',
    exported: 'telemetry',
    contract: 'Middleware: after what authenticates, before what is to be traced.',
    value: 'koa(registry, { tenant: tenantOf })',
    imports: ["import { koa } from 'isotrace/koa';", "import type { Context } from 'koa';"],
    parameter: 'ctx',
    type: 'Context',
    header: "ctx.headers['x-tenant']",
    host: 'ctx.headers.host',
    path: 'ctx.originalUrl',
    user: '(ctx.state as { user?: { tenant?: unknown } }).user?.tenant',
  },
  hono: {
    file: 'middleware',
    exported: 'telemetry',
    contract: 'Middleware: after what authenticates, before what is to be traced.',
    value: 'hono(registry, { tenant: tenantOf })',
    imports: ["import type { Context } from 'hono';", "import { hono } from 'isotrace/hono';"],
    parameter: 'c',
    type: 'Context',
    header: "c.req.header('x-tenant')",
    host: "c.req.header('host')",
    path: 'c.req.path',
    user: "(c.get('jwtPayload') as { tenant?: unknown } | undefined)?.tenant",
  },
  http: {
    ...NODE_PARTS,
    file: 'server',
    exported: 'telemetry',
    contract: 'Wraps a request listener, or a server, of `node:http`, `node:https` or `node:http2`.',
    value: 'http(registry, { tenant: tenantOf })',
    imports: ["import type { IncomingMessage } from 'node:http';", "import { http } from 'isotrace/http';"],
    type: 'IncomingMessage',
    path: 'request.url',
  },
  nestjs: {
    ...NODE_PARTS,
    file: 'module',
    exported: 'TelemetryModule',
    contract:
      'For the `imports` of the root module. `tenant` is asked again after the guards, if it had no answer before.',
    value: 'IsotraceModule.forRoot(registry, { tenant: tenantOf })',
    imports: ["import type { IncomingMessage } from 'node:http';", "import { IsotraceModule } from 'isotrace/nestjs';"],
    type: 'IncomingMessage',
    path: '(request as { originalUrl?: string }).originalUrl',
  },
};

/** The module that ties requests to tenants; without a framework, the one that ties work to them. */
export function renderMiddleware({ framework, tenant }: InitAnswers): string {
  if (framework === 'none') return TASKS;
  const adapter = ADAPTERS[framework];
  const { imports, contract, exported, value, more = '' } = adapter;
  const { before = [], contract: tenantContract, body, isAsync = false } = tenantFunction(adapter, tenant);
  const result = isAsync ? 'Promise<string | undefined>' : 'string | undefined';
  return (
    lines(
      ...imports,
      "import { registry } from './registry.js';",
      '',
      ...before,
      `/** ${contract} */`,
      `export const ${exported} = ${value};`,
    ) +
    more +
    lines(
      '',
      '/**',
      ` * ${tenantContract}`,
      ' * Without an answer the request is served and not traced.',
      ' */',
      `${isAsync ? 'async ' : ''}function tenantOf(${isAsync ? '_' : ''}${adapter.parameter}: ${adapter.type}): ${result} {`,
      ...body.map((line) => `  ${line}`),
      '}',
    )
  );
}

/** The module's name, and what it exports. */
export function middlewareModule(framework: Framework): { readonly file: string; readonly exported: string } {
  return framework === 'none' ? { file: 'tasks', exported: 'runAs' } : ADAPTERS[framework];
}

interface TenantFunction {
  readonly before?: readonly string[];
  readonly contract: string;
  readonly body: readonly string[];
  readonly isAsync?: boolean;
}

const AS_TEXT = "return typeof tenant === 'string' && tenant !== '' ? tenant : undefined;";

function tenantFunction({ header, host, path, user }: Adapter, source: TenantSource): TenantFunction {
  switch (source) {
    case 'header':
      return {
        contract: 'Only for a gateway in front that sets this header itself: clients can send any.',
        body: [`const tenant = ${header};`, AS_TEXT],
      };
    case 'subdomain':
      return {
        before: [
          '/** The domain that the tenants have their subdomains of. */',
          "const domain = process.env['TENANT_DOMAIN'] ?? 'localhost';",
          '',
        ],
        contract: '`acme` of `acme.example.com`.',
        body: [
          `const host = ${host}?.replace(/:\\d+$/, '').toLowerCase();`,
          'if (host === undefined || !host.endsWith(`.$' + '{domain}`)) return undefined;',
          'const tenant = host.slice(0, -domain.length - 1);',
          "return tenant.includes('.') ? undefined : tenant;",
        ],
      };
    case 'path':
      return {
        contract: '`acme` of `/t/acme/orders`.',
        body: [`return /^\\/t\\/([\\w-]+)/.exec(${path} ?? '')?.[1];`],
      };
    case 'user':
      return {
        contract: 'What your authentication has verified: a claim of its token, a field of its user.',
        body: [`const tenant = ${user};`, AS_TEXT],
      };
    case 'function':
      return {
        isAsync: true,
        contract: 'Fill in: the tenant of a request, from what you have authenticated.',
        body: ['return undefined;'],
      };
  }
}

const TASKS = `import { registry } from './registry.js';

/**
 * Runs a job, a message, a script as its tenant, in a span of this name. Inside, \`registry.withSpan\`, \`registry.trace\` and
 * \`registry.current()\` are the tenant's.
 */
export function runAs<T>(tenantId: string, name: string, work: () => T): T {
  return registry.get(tenantId).withSpan(name, work);
}
`;
