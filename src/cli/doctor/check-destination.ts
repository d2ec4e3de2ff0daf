import { randomBytes } from 'node:crypto';
import { type Context, ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import { createTracer } from '../../core/create-tracer.ts';
import type { DestinationOptions } from '../../core/destination-options.ts';
import { TracerRegistry } from '../../core/registry.ts';
import type { Tracer } from '../../core/tracer.ts';
import type { TelemetrySignal } from '../../utils/telemetry-signal.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Sends one real item to a destination, a span if it takes spans, and explains what became of it. Never rejects. */
export async function checkDestination(destination: DestinationOptions, timeoutMillis: number): Promise<Finding> {
  const { signals: [first = 'traces', ...others] = [] } = destination;
  const signal = others.includes('traces') ? 'traces' : first;
  const { tracer, close } = openTracer(destination, signal);
  try {
    return await checkTracer(tracer, describeDestination(destination), timeoutMillis, signal);
  } finally {
    await close();
  }
}

interface OpenTracer {
  readonly tracer: Tracer;
  close(): Promise<unknown>;
}

function openTracer(destination: DestinationOptions, signal: TelemetrySignal): OpenTracer {
  const options = {
    destination,
    retry: { giveUpMillis: 0 },
    sampling: { ratio: 1 },
    signals: { traces: signal === 'traces', metrics: signal === 'metrics', logs: signal === 'logs' },
  };
  const atOnce = { timeoutMillis: 0 };
  if (destination.proxy === undefined) {
    const tracer = createTracer({ ...options, tenantId: 'doctor', logger: SILENT });
    return { tracer, close: () => tracer.shutdown(atOnce) };
  }
  // The platform tracer alone sends through a proxy.
  const registry = new TracerRegistry({ logger: SILENT, platform: options });
  return { tracer: registry.platform, close: () => registry.shutdown(atOnce) };
}

/** The same for a tracer of the user's own registry. */
export async function checkTracer(
  tracer: Tracer,
  check: string,
  timeoutMillis: number,
  signal: TelemetrySignal = 'traces',
): Promise<Finding> {
  const [bad] = tracer.health().issues;
  const before = tracer.stats()[signal].exported;
  const startedAt = Date.now();
  const isRecorded = PROBES[signal].record(tracer);
  await tracer.flush({ timeoutMillis });
  if (bad !== undefined) {
    return problem(check, `${bad.option} is not acceptable: ${bad.received}`, `accepted: ${bad.accepted}`);
  }
  const { name } = PROBES[signal];
  if (!isRecorded) {
    return warning(check, `the test ${name} was not recorded`, 'look at sampling, limits and signals of this tenant');
  }
  const { exported, queued } = tracer.stats()[signal];
  const { destinations, recentErrors } = tracer.health();
  if (destinations.length === 0) return problem(check, 'it has no destination', 'nothing is sent: see destination');
  const failing = destinations.find(({ lastError }) => lastError !== undefined);
  const said = recentErrors.findLast(({ component, at }) => component === 'delivery' && at >= startedAt)?.message;
  if (exported > before && failing === undefined) {
    return said === undefined
      ? ok(check, `it took a test ${name}`)
      : warning(check, `it answered with success to a test ${name}, but: ${said}`, adviceFor(said));
  }
  const told = failing?.lastError ?? said ?? (queued > 0 ? 'no answer yet' : `the ${name} was not sent`);
  return problem(check, told, adviceFor(told));
}

interface Probe {
  readonly name: string;
  /** Whether there is something to send now. */
  record(tracer: Tracer): boolean;
}

const PROBES: Readonly<Record<TelemetrySignal, Probe>> = {
  traces: { name: 'span', record: (tracer) => endSpan(tracer, ROOT_CONTEXT) || endSpan(tracer, SAMPLED_ABOVE) },
  logs: {
    name: 'log record',
    record: ({ log }) => {
      log.error('isotrace doctor', { 'isotrace.doctor': true });
      return true;
    },
  },
  metrics: {
    name: 'data point',
    record: ({ metrics }) => {
      metrics.counter('isotrace.doctor').add(1);
      return true;
    },
  },
};

/** Whoever samples a part of all traces follows one that was begun elsewhere. */
const SAMPLED_ABOVE = trace.setSpanContext(ROOT_CONTEXT, {
  traceId: randomBytes(16).toString('hex'),
  spanId: randomBytes(8).toString('hex'),
  traceFlags: TraceFlags.SAMPLED,
  isRemote: true,
});

function endSpan(tracer: Tracer, context: Context): boolean {
  const span = tracer.startSpan('isotrace doctor', { attributes: { 'isotrace.doctor': true } }, context);
  span.end();
  return (span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0;
}

/** Host, path and protocol; no query and no credentials. */
export function describeDestination({ endpoint, protocol = 'http/protobuf' }: DestinationOptions): string {
  try {
    const { host, pathname } = new URL(endpoint);
    return `${host}${pathname === '/' ? '' : pathname} (${protocol})`;
  } catch {
    return `the destination (${protocol})`;
  }
}

/** What a message of the transport or of a receiver usually means. */
const ADVICE: readonly (readonly [sign: RegExp, advice: string])[] = [
  [
    /\b40[13]\b|unauthenticated|permission.denied/i,
    'the credentials are refused: look at the headers, and whether the key is still good',
  ],
  [
    /\b404\b/,
    'nothing is at that path: the endpoint is a base URL, to which /v1/traces is appended; see destination.paths',
  ],
  [/\b405\b|\b415\b/, 'this is no OTLP/HTTP receiver, or not for this protocol'],
  [/\b407\b/, 'a proxy on the way wants credentials: see HTTPS_PROXY and HTTP_PROXY'],
  [/\b413\b|resource.exhausted/i, 'the receiver takes smaller requests: see batch.maxBytes'],
  [/\b429\b/, 'the receiver throttles; isotrace waits as long as it asks for'],
  [/redirect|\b30[12378]\b/i, 'the receiver redirects; name the URL that it leads to'],
  [/\b50[0234]\b|unavailable/i, 'the receiver, or a proxy before it, has trouble; isotrace tries again'],
  [/\b4\d\d\b|invalid.argument/i, 'the receiver does not accept what it was sent, and says why, if it does'],
  [/web page/i, 'the endpoint is that of a site, or of a login before the receiver: ask whose address it is'],
  [/refused/i, 'nobody listens there: is the receiver running, and is the port right (4318 for HTTP, 4317 for gRPC)?'],
  [/dns|ENOTFOUND|EAI_AGAIN/i, 'the host has no address here: look at its name and at the resolver'],
  [
    /certificate|\btls\b|self.signed|\bssl\b|altname/i,
    'its certificate is not trusted, or it does not speak TLS: see destination.tls',
  ],
  [
    /protocol|parse error|HTTP\/0/i,
    'what listens there does not speak this protocol: 4318 is usual for HTTP, 4317 for gRPC',
  ],
  [/forbidden|not public/i, 'endpointPolicy does not let tenants send there'],
  [/timeout|deadline|no answer/i, 'it is reached, or a firewall drops it silently, but does not answer in time'],
  [
    /closed|reset|hang up|EPIPE/i,
    'the connection was cut without an answer: a proxy, or a receiver of another protocol or with TLS',
  ],
];

export function adviceFor(message: string): string {
  // What a receiver says may be about anything; its status is not.
  const sign = /^HTTP \d{3}/.exec(message)?.[0] ?? message;
  return (
    ADVICE.find(([pattern]) => pattern.test(sign))?.[1] ??
    'these are the words of the receiver; more is in health() and the events on node:diagnostics_channel'
  );
}
