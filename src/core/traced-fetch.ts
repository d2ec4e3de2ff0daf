import { type Context, context as contextApi, SpanKind } from '@opentelemetry/api';
import { sentRequests } from '../infra/sent-requests.ts';
import {
  asRequest,
  FetchCall,
  type FetchRequest,
  fetchAttributes,
  readFetchRequest,
} from '../processing/fetch-call.ts';
import { runTracked } from '../processing/track-result.ts';
import { suppressTracing } from '../utils/suppress-tracing.ts';
import { enterGuarded, type SpanEngine, startGuarded } from './operations.ts';
import { injectOutgoing, mayTraceTo } from './outgoing-context.ts';

/** The signature of the global `fetch`. */
export type FetchFunction = typeof globalThis.fetch;

type Input = Parameters<FetchFunction>[0];
type Init = Parameters<FetchFunction>[1];

/** What of a `RequestInit` that is no plain object counts, such as a `Request`. */
const INIT_KEYS = [
  ...['body', 'cache', 'credentials', 'dispatcher', 'duplex', 'integrity', 'keepalive', 'method', 'mode'],
  ...['redirect', 'referrer', 'referrerPolicy', 'signal', 'window'],
];

/**
 * `fetch` with a CLIENT span around each call, for whoever `engineIn` says at the time of the call; for nobody, the call
 * is passed on. What it answers or rejects with is what the given `fetch` does.
 */
export function createTracedFetch(engineIn: () => SpanEngine | undefined, given?: FetchFunction): FetchFunction {
  const fetch = typeof given === 'function' ? given : (...args: Parameters<FetchFunction>) => globalThis.fetch(...args);
  return (input, init) => {
    const engine = engineIn();
    const request = engine?.guard.run('api', 'fetch', () => readFetchRequest(input, init), undefined);
    if (engine === undefined || request === undefined) return fetch(input, init);
    return callTraced(engine, request, input, init, fetch);
  };
}

function callTraced(
  engine: SpanEngine,
  request: FetchRequest,
  input: Input,
  init: Init,
  fetch: FetchFunction,
): Promise<Response> {
  const { guard } = engine;
  const active = contextApi.active();
  const name = request.method === '_OTHER' ? 'HTTP' : request.method;
  const options = { kind: SpanKind.CLIENT, attributes: fetchAttributes(request) };
  const span = startGuarded(engine, name, options, active, false);
  const context = enterGuarded(engine, active, span);
  const headers: Record<string, string> = {};
  guard.run('propagation', 'fetch', () => injectOutgoing(context, () => request.url, headers), undefined);
  const sentInit = guard.run('propagation', 'fetch', () => withHeaders(input, init, headers), init);
  const resends = sentRequests.watch({
    headers,
    allows: (url) => guard.run('propagation', 'redirect', () => mayTraceTo(context, () => url), false),
  });
  // Instrumentations of undici would make a second span of the call, and send a second `traceparent`.
  const quiet = guard.run<Context>('context', 'suppress', () => suppressTracing(context), context);
  return runTracked(() => fetch(input, sentInit), new FetchCall(span, quiet, resends));
}

/** `init` with headers added; what the host gave is not changed. As it is, where there is nothing to add. */
function withHeaders(input: Input, init: Init, added: Readonly<Record<string, string>>): Init {
  const entries = Object.entries(added);
  if (entries.length === 0) return init;
  const headers = new Headers(init?.headers ?? asRequest(input)?.headers);
  for (const [name, value] of entries) headers.set(name, value);
  return { ...readInit(init), headers };
}

function readInit(init: Init): RequestInit {
  if (init === undefined || init === null) return {};
  const prototype: unknown = Object.getPrototypeOf(init);
  if (prototype === Object.prototype || prototype === null) return init;
  const read: Record<string, unknown> = {};
  for (const key of INIT_KEYS) {
    const value: unknown = Reflect.get(init, key);
    if (value !== undefined) read[key] = value;
  }
  return read;
}
