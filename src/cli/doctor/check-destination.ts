import { createTracer } from '../../core/create-tracer.ts';
import type { DestinationOptions } from '../../core/destination-options.ts';
import type { Tracer } from '../../core/tracer.ts';
import { type Finding, ok, problem } from './finding.ts';

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Sends one real span to a destination, and explains what became of it. Never rejects. */
export async function checkDestination(destination: DestinationOptions, timeoutMillis: number): Promise<Finding> {
  const tracer = createTracer({ destination, tenantId: 'doctor', logger: SILENT, retry: { giveUpMillis: 0 } });
  try {
    return await checkTracer(tracer, describe(destination), timeoutMillis);
  } finally {
    await tracer.shutdown({ timeoutMillis: 0 });
  }
}

/** The same for a tracer of the user's own registry. */
export async function checkTracer(tracer: Tracer, check: string, timeoutMillis: number): Promise<Finding> {
  const { issues } = tracer.health();
  tracer.startSpan('isotrace doctor', { attributes: { 'isotrace.doctor': true } }).end();
  const before = tracer.stats().traces.exported;
  await tracer.flush({ timeoutMillis });
  const [bad] = issues;
  if (bad !== undefined) {
    return problem(check, `${bad.option} is not acceptable: ${bad.received}`, `accepted: ${bad.accepted}`);
  }
  const { traces } = tracer.stats();
  const health = tracer.health();
  if (traces.exported > before) return ok(check, 'it took a test span');
  const failing = health.destinations.find(({ lastError }) => lastError !== undefined);
  const told =
    failing?.lastError ?? lastErrorOf(health) ?? (traces.queued > 0 ? 'no answer yet' : 'the span was not sent');
  return problem(check, told, adviceFor(told));
}

function lastErrorOf({ recentErrors }: ReturnType<Tracer['health']>): string | undefined {
  return recentErrors.findLast(({ component }) => component === 'delivery')?.message;
}

function describe({ endpoint, protocol = 'http/protobuf' }: DestinationOptions): string {
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
  [/\b413\b|resource.exhausted/i, 'the receiver takes smaller requests: see batch.maxBytes'],
  [/\b429\b/, 'the receiver throttles; isotrace waits as long as it asks for'],
  [/redirect|\b30[12378]\b/i, 'the receiver redirects; name the URL that it leads to'],
  [/\b50[0234]\b|unavailable/i, 'the receiver, or a proxy before it, has trouble; isotrace tries again'],
  [/refused/i, 'nobody listens there: is the receiver running, and is the port right (4318 for HTTP, 4317 for gRPC)?'],
  [/dns|ENOTFOUND|EAI_AGAIN/i, 'the host has no address here: look at its name and at the resolver'],
  [/certificate|tls|self.signed|ssl/i, 'its certificate is not trusted, or it does not speak TLS: see destination.tls'],
  [
    /protocol|parse error|HTTP\/0/i,
    'what listens there does not speak this protocol: 4318 is usual for HTTP, 4317 for gRPC',
  ],
  [/forbidden|not public/i, 'endpointPolicy does not let tenants send there'],
  [/timeout|deadline|no answer/i, 'it is reached, or a firewall drops it silently, but does not answer in time'],
];

export function adviceFor(message: string): string {
  return ADVICE.find(([sign]) => sign.test(message))?.[1] ?? 'see health() and the events on node:diagnostics_channel';
}
