import { keyValues, logsJson, metricsJson, nanos, type SpanSpec, T0, tracesJson } from '../otlp-requests.ts';

export type Post = (signal: 'traces' | 'logs' | 'metrics', json: unknown) => Promise<unknown>;

export const TENANTS = ['acme', 'globex', 'hooli', 'umbrella'] as const;

/** The same numbers at every run. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export function hexId(number: number, digits: number): string {
  const mixed = (BigInt(number + 1) * 0x9e3779b97f4a7c15f39cc0605cedc835n) & ((1n << BigInt(4 * digits)) - 1n);
  return mixed.toString(16).padStart(digits, '0');
}

const STACK = `CardDeclined: the card was declined
    at chargeCard (/srv/shop/src/payment/charge-card.ts:48:11)
    at async checkout (/srv/shop/src/checkout.ts:91:5)
    at async /srv/shop/node_modules/express/lib/router/layer.js:95:5`;

/** A shop of several services for each tenant: traces, log records that name them, metrics with exemplars, an agent. */
export async function seedShop(post: Post, now: number, traces = 80): Promise<void> {
  const random = createRandom(7);
  const at = now - T0;
  for (let number = 0; number < traces; number += 1) {
    const tenant = TENANTS[number % TENANTS.length] as string;
    const start = at - 55 * 60_000 * (1 - (number + 1) / traces) ** 1.4 - 2_000;
    await postOrder(post, { number, tenant, start, random });
  }
  for (const [index, tenant] of TENANTS.entries()) await postMetrics(post, tenant, index, at, random);
  for (let number = 0; number < 6; number += 1) {
    await postAgent(post, {
      number: 9_000 + number,
      tenant: TENANTS[number % 2] as string,
      start: at - (number + 1) * 240_000,
      random,
    });
  }
}

interface Order {
  readonly number: number;
  readonly tenant: string;
  /** After `T0`. */
  readonly start: number;
  readonly random: () => number;
}

async function postOrder(post: Post, { number, tenant, start, random }: Order): Promise<void> {
  const traceId = hexId(number, 32);
  let last = 0;
  const nextId = () => {
    last += 1;
    return hexId(number * 100 + last, 16);
  };
  const slow = 1 + 3 * random() ** 3;
  const failed = number % 9 === 4;
  const route = ['/orders', '/cart/:id', '/products/:sku', '/checkout'][number % 4] as string;
  const method = number % 4 === 1 ? 'GET' : 'POST';
  const root = nextId();
  const call = nextId();
  const total = 190 * slow;
  const web: SpanSpec[] = [
    {
      ...{
        traceId,
        spanId: root,
        name: `${method} ${route}`,
        kind: 2,
        at: start,
        durationMillis: total,
        error: failed,
      },
      attributes: {
        'http.request.method': method,
        'http.route': route,
        'http.response.status_code': failed ? 402 : 200,
        'url.path': route.replace(/:\w+/, '42'),
        'client.address': '203.0.113.7',
        'user_agent.original': 'Mozilla/5.0',
        'enduser.id': `user-${number % 17}`,
      },
    },
    {
      traceId,
      spanId: nextId(),
      parentSpanId: root,
      name: 'authenticate',
      at: start + 2,
      durationMillis: 9 * slow,
      attributes: { 'auth.method': 'session' },
    },
    {
      traceId,
      spanId: call,
      parentSpanId: root,
      name: 'checkout.place_order',
      kind: 3,
      at: start + 14 * slow,
      durationMillis: 168 * slow,
      error: failed,
      attributes: { 'rpc.system': 'grpc', 'rpc.method': 'PlaceOrder' },
    },
  ];
  const serve = nextId();
  const cart = nextId();
  const charge = nextId();
  const checkout: SpanSpec[] = [
    {
      traceId,
      spanId: serve,
      parentSpanId: call,
      name: 'PlaceOrder',
      kind: 2,
      at: start + 17 * slow,
      durationMillis: 160 * slow,
      error: failed,
    },
    {
      traceId,
      spanId: cart,
      parentSpanId: serve,
      name: 'load cart',
      at: start + 18 * slow,
      durationMillis: 42 * slow,
      attributes: { 'cart.items': 1 + (number % 5) },
    },
    {
      traceId,
      spanId: nextId(),
      parentSpanId: serve,
      name: 'reserve stock',
      kind: 3,
      at: start + 22 * slow,
      durationMillis: 28 * slow,
      attributes: { 'server.address': 'stock.internal' },
    },
    ...[0, 1, 2].map(
      (row): SpanSpec => ({
        ...{
          traceId,
          spanId: nextId(),
          parentSpanId: cart,
          name: 'SELECT cart_items',
          kind: 3,
          at: start + (20 + row * 12) * slow,
          durationMillis: 9 * slow,
        },
        attributes: {
          'db.system.name': 'postgresql',
          'db.query.text': 'SELECT * FROM cart_items WHERE cart_id = $1',
          'db.namespace': 'shop',
        },
      }),
    ),
    {
      ...{
        traceId,
        spanId: charge,
        parentSpanId: serve,
        name: 'charge card',
        kind: 3,
        at: start + 66 * slow,
        durationMillis: 96 * slow,
        error: failed,
      },
      attributes: { 'payment.provider': 'stripe', 'payment.amount': 1_990 + number, 'payment.currency': 'EUR' },
      ...(failed && {
        exception: { type: 'CardDeclined', message: 'the card was declined: insufficient funds', stack: STACK },
      }),
    },
  ];
  const payment: SpanSpec[] = [
    {
      traceId,
      spanId: nextId(),
      parentSpanId: charge,
      name: 'POST /v1/charges',
      kind: 2,
      at: start + 72 * slow,
      durationMillis: 84 * slow,
      error: failed,
      attributes: { 'http.request.method': 'POST' },
    },
    {
      traceId,
      spanId: nextId(),
      parentSpanId: charge,
      name: 'fraud.score',
      at: start + 76 * slow,
      durationMillis: 31 * slow,
      attributes: { 'fraud.score': Math.round(random() * 100) / 100 },
    },
  ];
  const common = {
    tenant,
    attributes: { 'deployment.environment.name': 'production', 'host.name': `node-${number % 3}` },
  };
  await post('traces', tracesJson({ ...common, service: 'web' }, web));
  await post('traces', tracesJson({ ...common, service: 'checkout' }, checkout));
  await post('traces', tracesJson({ ...common, service: 'payment' }, payment));
  const logs = [
    {
      body: `order ${number} received from user-${number % 17}`,
      severity: 9,
      at: start + 3,
      traceId,
      spanId: root,
      attributes: { 'order.id': number },
    },
    ...(slow > 2
      ? [
          {
            body: `charging took ${Math.round(96 * slow)} ms, which is slow`,
            severity: 13,
            at: start + 150 * slow,
            traceId,
            spanId: charge,
          },
        ]
      : []),
    ...(failed
      ? [
          {
            body: 'CardDeclined: the card was declined: insufficient funds',
            severity: 17,
            at: start + 160 * slow,
            traceId,
            spanId: charge,
            attributes: { 'order.id': number },
          },
        ]
      : []),
  ];
  await post(
    'logs',
    withSpanIds(
      logsJson({ ...common, service: 'checkout' }, logs),
      logs.map(({ spanId }) => spanId),
    ),
  );
}

/** `logsJson` knows nothing of the spans of records. */
function withSpanIds(json: unknown, spanIds: readonly string[]): unknown {
  const request = json as { resourceLogs: { scopeLogs: { logRecords: { spanId?: string }[] }[] }[] };
  request.resourceLogs[0]?.scopeLogs[0]?.logRecords.forEach((record, at) => {
    record.spanId = spanIds[at] as string;
  });
  return request;
}

async function postMetrics(post: Post, tenant: string, index: number, at: number, random: () => number): Promise<void> {
  const steps = Array.from({ length: 60 }, (_, step) => at - (59 - step) * 60_000);
  const requests = steps.map((time, step) => ({
    startTimeUnixNano: nanos(at - 3_600_000),
    timeUnixNano: nanos(time),
    asInt: String(Math.round(step * (220 + 60 * index) + 90 * Math.sin(step / 6) + 40 * random())),
    attributes: keyValues({ 'http.route': '/orders' }),
  }));
  const durations = steps.map((time, step) => {
    const spread = 1 + 0.7 * Math.sin(step / 9 + index) + 0.2 * random();
    return {
      startTimeUnixNano: nanos(time - 60_000),
      timeUnixNano: nanos(time),
      count: '100',
      sum: 100 * 0.19 * spread,
      explicitBounds: [0.05, 0.1, 0.25, 0.5, 1, 2.5],
      bucketCounts: [4, 18, 46, 24, 6, 2, 0].map((count) => String(Math.round(count * spread))),
      ...(step % 12 === index && {
        exemplars: [
          {
            timeUnixNano: nanos(time),
            asDouble: 0.42 * spread,
            traceId: hexId(index + 4 * Math.floor(step / 6), 32),
            spanId: hexId((index + 4 * Math.floor(step / 6)) * 100 + 1, 16),
          },
        ],
      }),
      attributes: keyValues({ 'http.request.method': 'POST' }),
    };
  });
  const memory = steps.map((time, step) => ({
    timeUnixNano: nanos(time),
    asDouble: 180e6 + 30e6 * index + 20e6 * Math.sin(step / 5 + index),
  }));
  await post(
    'metrics',
    metricsJson({ tenant, service: 'web' }, [
      {
        name: 'http.server.request.count',
        unit: '{request}',
        sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: requests },
      },
      {
        name: 'http.server.request.duration',
        unit: 's',
        histogram: { aggregationTemporality: 1, dataPoints: durations },
      },
      { name: 'process.memory.usage', unit: 'By', gauge: { dataPoints: memory } },
    ]),
  );
}

async function postAgent(post: Post, { number, tenant, start, random }: Order): Promise<void> {
  const traceId = hexId(number, 32);
  const root = hexId(number * 100 + 1, 16);
  const spans: SpanSpec[] = [
    { traceId, spanId: root, name: 'answer ticket', kind: 2, at: start, durationMillis: 6_400 },
    {
      traceId,
      spanId: hexId(number * 100 + 2, 16),
      parentSpanId: root,
      name: 'invoke_agent support',
      at: start + 30,
      durationMillis: 6_300,
      attributes: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'support' },
    },
  ];
  for (let call = 0; call < 3; call += 1) {
    const input = 900 + Math.round(600 * random());
    const output = 160 + Math.round(200 * random());
    const model = call === 1 ? 'gpt-5-mini' : 'claude-sonnet-4-5';
    spans.push({
      ...{ traceId, spanId: hexId(number * 100 + 10 + call, 16), parentSpanId: hexId(number * 100 + 2, 16) },
      ...{ name: `chat ${model}`, kind: 3, at: start + 60 + call * 2_050, durationMillis: 1_500 + 300 * call },
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': model,
        'gen_ai.usage.input_tokens': input,
        'gen_ai.usage.output_tokens': output,
        'isotrace.usage.cost': Number(((input * 3 + output * 15) / 1e6).toFixed(6)),
        'gen_ai.input.messages': JSON.stringify([
          { role: 'system', parts: [{ type: 'text', content: 'You help customers of the shop.' }] },
          { role: 'user', parts: [{ type: 'text', content: 'Where is my order 4711?' }] },
        ]),
        'gen_ai.output.messages': JSON.stringify([
          { role: 'assistant', parts: [{ type: 'text', content: 'Your order left our warehouse this morning.' }] },
        ]),
      },
    });
    spans.push({
      ...{ traceId, spanId: hexId(number * 100 + 20 + call, 16), parentSpanId: hexId(number * 100 + 2, 16) },
      ...{ name: 'execute_tool find_order', at: start + 60 + call * 2_050 + 1_560 + 300 * call, durationMillis: 180 },
      attributes: {
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'find_order',
        'gen_ai.tool.call.arguments': '{"order":4711}',
      },
    });
  }
  await post('traces', tracesJson({ tenant, service: 'support-agent' }, spans));
}
