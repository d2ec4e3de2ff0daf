import { expect, onTestFinished, vi } from 'vitest';
import { HoneyHiveTracer, type HoneyHiveTracerProperties } from '../../src/honeyhive.ts';
import { receiverWith } from '../delivery/delivery-kit.ts';
import type { DecodedSpan } from '../support/otlp-decoder.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';

export const SESSION = '0f6c1d2e-1111-4222-8333-444455556666';
export const LOGGER = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** What both SDKs put on every span: typescript-sdk `getTraceloopAssociationProperties`, python-sdk `on_start`. */
export const COMMON = {
  'traceloop.association.properties.session_id': SESSION,
  'traceloop.association.properties.project': 'shop',
  'traceloop.association.properties.source': 'staging',
  'traceloop.association.properties.disable_http_tracing': 'false',
  'honeyhive.session_id': SESSION,
  'honeyhive.project': 'shop',
  'honeyhive.source': 'staging',
};

/** A tracer that sends to a receiver of its own; both are gone with the test. */
export async function tracerWith(
  more: HoneyHiveTracerProperties = {},
): Promise<{ tracer: HoneyHiveTracer; receiver: OtlpReceiver }> {
  const receiver = await receiverWith();
  const tracer = await HoneyHiveTracer.init({
    apiKey: 'hh-key',
    project: 'shop',
    source: 'staging',
    sessionId: SESSION,
    serverUrl: receiver.url,
    options: { logger: LOGGER },
    ...more,
  });
  onTestFinished(async () => {
    await tracer.shutdown({ timeoutMillis: 0 });
  });
  return { tracer, receiver };
}

export function spanNamed(receiver: OtlpReceiver, name: string): DecodedSpan {
  const found = receiver.spans().filter((span) => span.name === name);
  expect(found).toHaveLength(1);
  return found[0] as DecodedSpan;
}

/** The calls of HoneyHive's API, in order. */
export function apiCalls({ requests }: OtlpReceiver): { call: string; key: string | undefined; body: unknown }[] {
  return requests
    .filter(({ path }) => !path.endsWith('/v1/traces'))
    .map(({ body, headers, method, path }) => ({
      call: `${method} ${path}`,
      key: headers.authorization,
      body: JSON.parse(Buffer.from(body).toString()) as unknown,
    }));
}

/** Sets variables until the test is over. */
export function withVariables(variables: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
}
