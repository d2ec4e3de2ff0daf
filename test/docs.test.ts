import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import type { INestApplication } from '@nestjs/common';
import type { Express } from 'express';
import type { FastifyInstance } from 'fastify';
import type { Hono } from 'hono';
import type { TracerRegistry } from 'isotrace';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { listPages } from '../scripts/doc-links.ts';
import { HONEYHIVE_VARIABLES } from '../src/compat/honeyhive-variables.ts';
import { BUILDER_CONVENTIONS } from '../src/core/builder-conventions.ts';
import { BUILDER_VARIABLES } from '../src/core/builder-variables.ts';
import { ENVIRONMENT_VARIABLES } from '../src/infra/environment-variables.ts';
import { PROFILES } from '../src/processing/profiles.ts';
import { INTEGER_OPTIONS } from '../src/utils/integer-options.ts';
import {
  kafka,
  rabbitMq,
  redis,
  useAmqplib,
  useBullmq,
  useCommandClient,
  useKafka,
  useOpenAi,
  useWorkerThread,
} from './docs-programs.ts';
import { SDK_MAJOR } from './support/host-sdk.ts';
import { type OtlpReceiver, startReceiver } from './support/otlp-receiver.ts';

const root = new URL('../', import.meta.url);
/** Hidden, so that the project's own tools pass it by. */
const snippets = new URL('test/.snippets/', root);

interface Snippet {
  readonly id: string;
  readonly code: string;
}

/** The TypeScript blocks of the README and of every page but the API reference's, in order. */
function readSnippets(): Snippet[] {
  const pages = listPages(fileURLToPath(root)).filter((page) => page === 'README.md' || /^docs\/(?!api\/)/.test(page));
  return pages.flatMap((file) => {
    const text = readFileSync(new URL(file, root), 'utf8');
    const blocks = [...text.matchAll(/^```ts\n(.*?)^```$/gms)];
    const name = file
      .replace(/^docs\//, '')
      .replace(/\.md$/, '')
      .replaceAll('/', '-');
    return blocks.map(([, code = ''], index) => ({ id: `${name}-${index + 1}`, code }));
  });
}

const all = readSnippets();
/** Those that can be run here: Langfuse has no release for version 3 of OpenTelemetry's SDK. */
const runnable = all.filter(({ id }) => SDK_MAJOR < 3 || id !== 'libraries-3');

interface Expectation {
  readonly printed?: readonly string[];
  /** Names of the spans at the first and at the second receiver, sorted. */
  readonly spans?: readonly string[];
  readonly others?: readonly string[];
  /** Uses what the block exports; answers why it cannot, where it needs a program that does not start here. */
  readonly use?: (exported: Record<string, never>) => Promise<unknown>;
}

/** From the request to the worker, whichever queue is between them. */
const SHIPPED = ['print label', 'process orders', 'request'];

/** What each block must print and deliver; a block without an entry fails. */
const expectations: Readonly<Record<string, Expectation>> = {
  'README-1': { printed: ['true 4'], spans: ['pay', 'checkout'], others: ['pay', 'checkout'] },
  'README-2': { spans: ['GET /orders/:id', 'GET /orders/:id', 'load order', 'load order'], use: useApp },
  'agents-1': { printed: ['1 1000 0.0045'], spans: ['invoke_agent planner', 'chat gpt-x', 'execute_tool search'] },
  'builder-1': { spans: ['built'] },
  'builder-2': { spans: ['of acme', 'of globex'] },
  'builder-3': {
    printed: ['SHOP_API_KEY_ID: 1 to 256 visible ASCII characters that begin with "pk_"'],
    spans: ['of the shop'],
  },
  'builder-4': { printed: ['Credentials(tfk_0123…, [REDACTED])'] },
  'builder-5': { spans: ['with the second'] },
  'commands-1': { printed: ['invalid value', 'true'], spans: ['import'] },
  'commands-2': { printed: ['acme paid 5'], spans: ['charge'] },
  'commands-3': { spans: ['request', 'resize'], use: (given) => useCommandClient(given as never, first.url) },
  'commands-4': { printed: ['true closed 3 { bus_closed: 1 }'], spans: ['in the worker', 'left open'] },
  'concepts-1': { printed: ['true', 'true'], spans: ['inner', 'innermost', 'outer'] },
  'configuration-1': { printed: ['config_invalid batch.maxSize destination.endpoint destination.timeoutMillis'] },
  'context-1': { spans: ['job done'] },
  'context-2': {
    printed: [expect.stringMatching(/^00-[\da-f]{32}-[\da-f]{16}-03 plan=pro$/) as string],
    spans: ['call'],
  },
  'dashboard-1': { printed: ['acme checkout 1'] },
  'dashboard-2': {},
  'destinations-1': { printed: ['2 1'], spans: ['checkout'], others: ['checkout'] },
  'enrichment-1': { printed: ['string false'], spans: ['import', 'rank'] },
  'enrichment-2': { printed: ['paid 7 2'], spans: ['answer', 'pay'] },
  'enrichment-3': { spans: ['deployed'] },
  'failures-1': { printed: ['0 1'] },
  'health-1': {
    printed: [
      'created acme',
      'created globex',
      'true 2 globex 1,acme 1',
      'false globex destination.timeoutMillis',
      '2 2 0 0',
    ],
    spans: ['work', 'work'],
  },
  'http-1': {
    spans: ['load order', 'GET /orders/:id'],
    use: (given) => useServer(given, (app: http.RequestListener) => http.createServer(app)),
  },
  'http-2': {
    spans: ['load order', 'GET /orders/:id'],
    use: ({ app, registry }) =>
      useFetch(registry, (path) => (app as unknown as FastifyInstance).inject({ url: path, headers: SESSION })),
  },
  'http-3': {
    spans: ['load order', 'GET'],
    use: (given) => useServer(given, (app: { callback(): http.RequestListener }) => http.createServer(app.callback())),
  },
  'http-4': {
    spans: ['load order', 'GET /orders/:id'],
    use: ({ app, registry }) =>
      useFetch(registry, async (path) => (await (app as unknown as Hono).request(path, { headers: SESSION })).text()),
  },
  'http-5': { spans: ['load order', 'GET /orders/{id}'], use: (given) => useServer(given, (app: http.Server) => app) },
  'http-6': {
    spans: ['load order', 'GET /orders/:id'],
    use: async ({ app, registry }) => {
      const nest = app as unknown as INestApplication;
      await nest.listen(0);
      await useFetch(registry, (path) => fetchText(nest.getHttpServer(), path));
      await nest.close();
    },
  },
  'instrumentation-1': { printed: ['own'], spans: ['GET'] },
  'instrumentation-2': { printed: ['join opentelemetry'], spans: ['decode', 'query'] },
  'logs-1': { printed: ['3'], spans: ['checkout'] },
  'logs-2': { printed: ['1', 'trace_id span_id trace_flags tenant'], spans: ['work'] },
  'logs-3': { printed: ['paid %d 5', '1'] },
  'metrics-1': { printed: ['5'] },
  'metrics-2': { printed: ['done 3'] },
  'metrics-3': { printed: ['2'], spans: ['work'] },
  'metrics-4': { printed: ['true'] },
  'migrating-providers-1': { printed: ['2'], spans: ['place order'], others: ['place order'] },
  'migrating-providers-2': { printed: ['2 disabled'], spans: ['place order'], others: ['place order'] },
  'migrating-honeyhive-1': { printed: ['answer to hello'], spans: ['answer'] },
  'migrating-telemetryflow-1': { printed: ['42 1 1 1'], spans: ['checkout'] },
  'migrating-codomyrmex-1': { printed: ['true 1 error true', 'depth load seconds tasks'] },
  'mixins-1': { printed: ['planned'], spans: ['step plan'] },
  'outgoing-1': { printed: ['200'], spans: ['GET', 'POST'] },
  'outgoing-2': { spans: ['load order', 'shop.Orders/Find', 'shop.Orders/Find'] },
  'outgoing-3': { printed: ['1'], spans: ['SELECT orders'] },
  'platform-1': { spans: ['warm up'], others: ['checkout'] },
  'platform-2': { spans: ['failed'], others: ['fine', 'failed'] },
  'platform-3': { printed: ['0'] },
  'platform-4': { printed: ['1'], spans: ['checkout'] },
  'profiles-1': { printed: ['throughput low-latency'] },
  'queries-1': { printed: ["[ 'checkout' ] slow", "[ 'checkout' ] slow", 'true acme'] },
  'queries-2': { printed: ['{ ok: true, value: 0 }'] },
  'recipes-1': {
    spans: ['load order', 'GET /orders/:id'],
    use: (given) => useServer({ ...given }, (app: http.RequestListener) => http.createServer(app)),
  },
  'recipes-2': {
    printed: ['acme 340', 'globex 340'],
    spans: ['acme', 'globex'].flatMap(() => ['chat gpt-x', 'execute_tool find_order', 'invoke_agent support']),
  },
  'recipes-3': { printed: ['greeter 1 0', 'broken 1 1'], spans: ['greet', 'try'] },
  'recipes-4': { printed: ['3 true'], spans: ['acme', 'acme', 'globex'].flatMap(() => ['convert', 'process files']) },
  'recipes-5': { printed: ['0'], spans: ['GET /quotes', 'GET /quotes'] },
  'recipes-6': { printed: ['2,1'], spans: ['invoice', 'try'], others: ['index'] },
  'redaction-1': {
    printed: [
      ...['apiKey: [REDACTED]', 'body: {"iban":"[REDACTED]","sum":3}', 'customer.name: [REDACTED]'],
      ...['note: sent with Bearer [REDACTED]', 'sum: 3', 'user.email: somebody@example.com'],
    ],
  },
  'registry-1': { printed: ['pending', 'active 1'], spans: ['early', 'work'] },
  'registry-2': { printed: ['changed'], spans: ['one', 'two'] },
  'sampling-1': { printed: ['{ sampled: 2 }'], spans: ['bad', 'inside bad'] },
  'sampling-2': { printed: ['{ sampled: 4 }'], spans: ['inside 1', 'trace 1'] },
  'spool-1': { printed: ['true 0 1', '1 1'], spans: ['work'] },
  'libraries-1': {
    printed: ['Three are left.'],
    spans: ['ai.generateText', 'ai.generateText.doGenerate', 'request'],
  },
  'libraries-2': { spans: ['OpenAI Chat Completions'], use: (given) => useOpenAi(given as never, first.url) },
  'libraries-3': {
    spans: ['request'],
    use: useWithoutKeys,
  },
  // Without their brokers these three are imported only.
  'messaging-1':
    redis === undefined
      ? {}
      : { spans: ['add orders', ...SHIPPED], use: (given) => useBullmq(given as never, first.url) },
  'messaging-2':
    rabbitMq === undefined
      ? {}
      : { spans: ['publish orders', ...SHIPPED], use: (given) => useAmqplib(given as never, first.url) },
  'messaging-3':
    kafka === undefined
      ? {}
      : { spans: ['send orders', ...SHIPPED], use: (given) => useKafka(given as never, first.url) },
  'messaging-4': {
    printed: ['acme traceparent,isotrace-mark'],
    spans: ['process tasks', 'request', 'send tasks', 'work'],
  },
  'sessions-1': { printed: ['visit-7', 'true'], spans: ['answer', 'session'] },
  'testing-1': { printed: ['250'] },
  'tracing-1': { printed: ['42'], spans: ['checkout'] },
  'tracing-2': { printed: ['3 charged 42 placed o-1', 'one', 'two'], spans: ['add', 'charge', 'place', 'read lines'] },
  'workers-1': { spans: ['request', 'resize'], use: (given) => useWorkerThread(given as never, first.url) },
  // Runs in the thread that the one before starts.
  'workers-2': {},
  'workers-3': {
    printed: ['closed 1 0'],
    spans: ['request', 'resize'],
  },
};

const SESSION = { authorization: 's-1' };

/** Asks for an order, and delivers what came of it. */
async function useFetch(
  registry: TracerRegistry | undefined,
  ask: (path: string) => PromiseLike<unknown>,
): Promise<void> {
  await ask('/orders/7');
  await vi.waitUntil(() => registry?.get('acme').stats().open === 0);
  await registry?.shutdown();
}

/** A tenant with keys would have its spans sent to Langfuse. */
async function useWithoutKeys({ registry }: { readonly registry?: TracerRegistry }): Promise<void> {
  registry?.get('globex').withSpan('request', () => undefined);
  await registry?.shutdown();
}

async function fetchText(server: http.Server, path: string): Promise<string> {
  const { port } = server.address() as AddressInfo;
  return (await fetch(`http://127.0.0.1:${port}${path}`, { headers: SESSION })).text();
}

async function useServer<App>(
  { app, registry }: { readonly app?: App; readonly registry?: TracerRegistry },
  serve: (app: App) => http.Server,
): Promise<void> {
  const server = serve(app as App).listen(0);
  await once(server, 'listening');
  await useFetch(registry, (path) => fetchText(server, path));
  server.close();
}

async function useApp({
  app,
  registry,
}: {
  readonly app?: Express;
  readonly registry?: TracerRegistry;
}): Promise<void> {
  const server = (app as Express).listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (const tenant of ['acme', 'globex']) {
    const response = await fetch(`http://127.0.0.1:${port}/orders/7`, { headers: { 'x-org': tenant } });
    expect(await response.json()).toEqual({ id: '7' });
  }
  server.close();
  await registry?.shutdown();
  expect(
    first.requests
      .slice(-2)
      .map(({ path }) => path)
      .sort(),
  ).toEqual(['/acme/v1/traces', '/globex/v1/traces']);
}

let first: OtlpReceiver;
let second: OtlpReceiver;
let attempts = 0;

beforeAll(async () => {
  first = await startReceiver();
  second = await startReceiver();
  rmSync(snippets, { recursive: true, force: true });
  mkdirSync(snippets);
  for (const { id, code } of runnable) {
    const text = code.replaceAll('http://localhost:4318', first.url).replaceAll('http://localhost:4319', second.url);
    writeFileSync(new URL(`${id}.ts`, snippets), `export {};\n${text}`);
  }
});

afterAll(async () => {
  await first.close();
  await second.close();
  rmSync(snippets, { recursive: true, force: true });
});

describe('the documentation', () => {
  it('has an expectation for every block of code', () => {
    expect(all.map(({ id }) => id).sort()).toEqual(Object.keys(expectations).sort());
  });

  it('names every option that has bounds and every environment variable', () => {
    const page = readFileSync(new URL('docs/configuration.md', root), 'utf8');
    const options = Object.keys(INTEGER_OPTIONS).map((option) => option.split('.').at(-1) as string);
    const missing = [...options, ...Object.keys(ENVIRONMENT_VARIABLES)].filter((name) => !page.includes(name));
    expect(missing).toEqual([]);
  });

  it('names every variable that a builder reads', () => {
    const page = readFileSync(new URL('docs/builder.md', root), 'utf8');
    const { variablePrefix } = BUILDER_CONVENTIONS;
    const names = Object.keys(BUILDER_VARIABLES).map((name) => `\`${variablePrefix}${name}\``);
    expect(names.filter((name) => !page.includes(name))).toEqual([]);
  });

  it("names every variable of HoneyHive's that is read", () => {
    const page = readFileSync(new URL('docs/migrating/honeyhive.md', root), 'utf8');
    expect(Object.keys(HONEYHIVE_VARIABLES).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  it('shows the values of all profiles as they are', () => {
    const page = readFileSync(new URL('docs/profiles.md', root), 'utf8');
    const number = (value: number): string => value.toLocaleString('en');
    for (const key of Object.keys(PROFILES.default) as (keyof typeof PROFILES.default)[]) {
      const values = Object.values(PROFILES).map((profile) => number(profile[key]));
      expect(page).toContain(`| ${values.join(' | ')} |`);
    }
  });

  it('has only blocks that compile', () => {
    const extended = fileURLToPath(new URL('tsconfig.json', root));
    const config = {
      extends: extended,
      compilerOptions: { noUnusedLocals: false, skipLibCheck: true },
      include: ['*.ts'],
    };
    writeFileSync(new URL('tsconfig.json', snippets), JSON.stringify(config));
    const tsc = fileURLToPath(new URL('node_modules/typescript/bin/tsc', root));
    let output = '';
    try {
      execFileSync(process.execPath, [tsc, '-p', fileURLToPath(snippets)], { encoding: 'utf8' });
    } catch (error) {
      output = (error as { stdout: string }).stdout;
    }
    expect(output).toBe('');
  });

  // Some start brokers: Erlang takes its time.
  it.for(runnable)('runs $id', { timeout: 150_000 }, async ({ id }, { skip }) => {
    const printed: string[] = [];
    const log = vi.spyOn(console, 'log').mockImplementation((...values: unknown[]) => {
      printed.push(values.map((value) => (typeof value === 'string' ? value : inspect(value))).join(' '));
    });
    const before = [first.spans().length, second.spans().length];
    let outcome: unknown;
    try {
      // What was imported once does not run again.
      attempts += 1;
      const { pathname, search } = new URL(`${id}.ts?attempt=${attempts}`, snippets);
      const exported = (await import(pathname + search)) as Record<string, never>;
      outcome = await expectations[id]?.use?.(exported);
    } finally {
      log.mockRestore();
    }
    if (typeof outcome === 'string') skip(outcome);
    const { printed: lines = [], spans = [], others = [] } = expectations[id] ?? {};
    expect(printed).toEqual(lines);
    const names = (receiver: OtlpReceiver, from = 0): string[] =>
      receiver
        .spans()
        .slice(from)
        .map(({ name }) => name)
        .sort();
    expect(names(first, before[0])).toEqual([...spans].sort());
    expect(names(second, before[1])).toEqual([...others].sort());
  });
});
