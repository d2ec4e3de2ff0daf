import { FRAMEWORKS, type Framework } from '../src/cli/init/answers.ts';
import { appFor } from '../test/cli/init-apps.ts';

/** One project: how it is written, started and asked, and what its tenants have then sent. */
export interface Trial {
  readonly title: string;
  /** Arguments of `isotrace`, which is run in the project's directory. */
  readonly generate: readonly string[];
  /** More files; of what `init` writes, the application around it. */
  readonly files: Readonly<Record<string, string>>;
  /** The module to start; undefined: what `npm start` starts. */
  readonly main?: string;
  /** For a program that serves: what each tenant asks, and is told. Others run to their end. */
  readonly requests?: readonly Request[];
  /** What a program that ends has printed. */
  readonly printed?: readonly string[];
  /** Names of all spans of each tenant, sorted. */
  readonly spans: Readonly<Record<string, readonly string[]>>;
}

export interface Request {
  readonly path: string;
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly status: number;
  /** The whole answer, if it matters. */
  readonly answer?: unknown;
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** The span of a request, by what each framework says about its route. */
const SERVER_SPANS: Readonly<Record<Framework, string>> = {
  express: 'GET',
  fastify: 'GET /*',
  koa: 'GET',
  hono: 'GET /*',
  http: 'GET',
  nestjs: 'GET /*rest',
  none: 'request',
};

export const EXAMPLE_TRIALS: readonly Trial[] = [
  example('basic', {
    printed: ['acme: 5 delivered', 'globex: 5 delivered'],
    spans: both(['checkout', 'price', 'price', 'price']),
  }),
  example('express', {
    requests: [
      { path: '/health', headers: {}, status: 200 },
      { path: '/orders/1', headers: { 'x-api-key': 'stolen' }, status: 401 },
      {
        path: '/orders',
        method: 'POST',
        headers: { 'x-api-key': 'key-of-acme', ...JSON_TYPE },
        body: { item: 'bread', card: '4111' },
        status: 201,
        answer: { id: '1', item: 'bread' },
      },
      {
        path: '/orders',
        method: 'POST',
        headers: { 'x-api-key': 'key-of-acme', ...JSON_TYPE },
        body: { item: 'bread' },
        status: 400,
        answer: { error: 'an order has an item and a card' },
      },
      { path: '/orders/1', headers: { 'x-api-key': 'key-of-acme' }, status: 200, answer: { id: '1', item: 'bread' } },
      { path: '/orders/1', headers: { 'x-api-key': 'key-of-globex' }, status: 404, answer: { error: 'no order 1' } },
    ],
    spans: {
      acme: ['GET /orders/:id', 'POST /orders', 'POST /orders', 'orders.add', 'orders.find'],
      globex: ['GET /orders/:id', 'orders.find'],
    },
  }),
  example('fastify', {
    requests: [
      { path: '/weather/rome', headers: { authorization: 'Bearer session-of-nobody' }, status: 401 },
      ...['acme', 'globex'].map((tenant) => ({
        path: '/weather/berlin',
        headers: { authorization: `Bearer session-of-${tenant}` },
        status: 200,
        answer: { city: 'berlin', degrees: 6 },
      })),
    ],
    spans: both(['GET /weather/:city', 'forecast', 'load weather']),
  }),
  example('worker', {
    printed: ['acme: 4 words', 'globex: 4 words'],
    spans: both(['count words', 'process documents', 'send documents', 'upload']),
  }),
  example('serverless', {
    requests: [
      { path: '/quotes/IBM', headers: {}, status: 401 },
      ...['acme', 'globex'].map((tenant) => ({
        path: '/quotes/IBM',
        headers: { authorization: `Bearer ${tenant}` },
        status: 200,
        answer: { symbol: 'IBM', price: 300 },
      })),
    ],
    spans: both(['GET /quotes/{symbol}', 'load quote']),
  }),
  example('agents', {
    requests: [
      { path: '/ask', method: 'POST', headers: {}, body: {}, status: 401 },
      { path: '/ask', method: 'POST', headers: { authorization: 'Bearer key-of-acme' }, body: {}, status: 400 },
      {
        path: '/ask',
        method: 'POST',
        headers: { authorization: 'Bearer key-of-acme' },
        body: { conversation: 'c-1', question: 'Where is order 7?' },
        status: 200,
        answer: {
          answer: 'Your order: number 7 is on its way.',
          usage: { calls: 2, inputTokens: 57, outputTokens: 24, cost: 0.0000765 },
        },
      },
      {
        path: '/ask',
        method: 'POST',
        headers: { authorization: 'Bearer key-of-globex' },
        body: { conversation: 'c-9', question: 'Hello?' },
        status: 200,
        answer: {
          answer: 'Which order do you mean?',
          usage: { calls: 1, inputTokens: 6, outputTokens: 12, cost: 0.000027 },
        },
      },
    ],
    spans: {
      acme: [
        ...['POST /ask', 'POST /ask', 'chat small-model', 'chat small-model', 'execute_tool find_order'],
        'invoke_agent support',
      ],
      globex: ['POST /ask', 'chat small-model', 'invoke_agent support'],
    },
  }),
];

/** What is served at any path, with the tenant in a header. */
export const INIT_TRIALS: readonly Trial[] = (Object.keys(FRAMEWORKS) as Framework[]).map((framework) => ({
  title: `init ${framework}`,
  generate: ['init', '--yes', '--framework', framework, '--destination', 'dashboard'],
  files: {
    'package.json': '{ "type": "module" }',
    'tsconfig.json': JSON.stringify({
      compilerOptions: {
        module: 'nodenext',
        target: 'es2023',
        types: ['node'],
        strict: true,
        noEmit: true,
        skipLibCheck: true,
      },
    }),
    'app.ts': appFor(framework),
    'main.ts': "import { open } from './app.js';\n\nconsole.log('http://localhost:' + (await open()).port);\n",
  },
  main: 'main.ts',
  requests: ['acme', 'globex'].map((tenant) => ({
    path: '/orders',
    headers: { 'x-tenant': tenant },
    status: 200,
  })),
  spans: both([SERVER_SPANS[framework], 'work']),
}));

function example(name: string, rest: Pick<Trial, 'requests' | 'printed' | 'spans'>): Trial {
  return { title: `example ${name}`, generate: ['example', name, '.'], files: {}, ...rest };
}

function both(names: readonly string[]): Record<string, readonly string[]> {
  return { acme: names, globex: names };
}
