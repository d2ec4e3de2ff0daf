import { AlwaysOnSampler, InMemorySpanExporter, NoopSpanProcessor, RandomIdGenerator } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { resolveTracerSettings } from '../../src/core/config.ts';
import { createFingerprint } from '../../src/core/fingerprint.ts';

const headers = () => ({ key: 'value' });
const sampler = new AlwaysOnSampler();
const destination = { endpoint: 'https://host', headers: { b: '2', a: '1' } };

const pem = (content: string) => `-----BEGIN CERTIFICATE-----\n${content}`;
const custom = () => undefined;
const pattern = /a/;

const settingsOf = (input: unknown) => resolveTracerSettings(input, { tenantId: 'acme' }).settings;

describe('createFingerprint', () => {
  const fingerprint = createFingerprint();

  it.each([
    [{}, undefined],
    [{ batch: { maxSize: 512 } }, {}],
    [{ attributes: { a: 1, b: 2 } }, { attributes: { b: 2, a: 1 } }],
    [{ destination }, { destination: [{ ...destination, headers: { A: '1', B: '2' } }] }],
    [{ destination: { endpoint: 'https://host/' } }, { destination: { endpoint: 'https://HOST' } }],
    [{ destination: { endpoint: 'https://host', headers } }, { destination: { endpoint: 'https://host', headers } }],
    [{ sampling: sampler }, { sampling: sampler }],
    [
      { destination: { ...destination, tls: { cert: pem('a'), key: pem('b') } } },
      { destination: { ...destination, tls: { cert: Buffer.from(pem('a')), key: Buffer.from(pem('b')) } } },
    ],
    [
      { destination: { ...destination, tenantHeader: 'X-Org' } },
      { destination: { ...destination, tenantHeader: 'x-org' } },
    ],
    [{ redact: true }, { redact: { values: true, keys: [] } }],
    [{ redact: { keys: ['a', pattern], custom } }, { redact: { keys: ['a', pattern], custom } }],
    [{ propagation: { baggage: ['a', 'b'] } }, { propagation: { baggage: ['b', 'a'] } }],
    [{ propagation: { propagateTo: ['a', 'b'] } }, { propagation: { propagateTo: ['b', 'a'] } }],
  ])('is the same for options that mean the same (%#)', (left, right) => {
    expect(fingerprint(settingsOf(left))).toBe(fingerprint(settingsOf(right)));
  });

  it('is another for each option that differs', () => {
    const variants = [
      {},
      { service: { name: 'a' } },
      { service: { version: 'a' } },
      { service: { namespace: 'a' } },
      { service: { instanceId: 'a' } },
      { environment: 'a' },
      { attributes: { a: 'a' } },
      { attributes: { a: ['a'] } },
      { destination },
      { destination: [destination, destination] },
      { destination: { ...destination, endpoint: 'https://other' } },
      { destination: { ...destination, endpoint: 'https://host?q=1' } },
      { destination: { ...destination, headers: { b: '2', a: 'other' } } },
      { destination: { ...destination, headers } },
      { destination: { ...destination, headers: () => ({}) } },
      { destination: { ...destination, compression: 'gzip' } },
      { destination: { ...destination, temporality: 'delta' } },
      { metrics: { intervalMillis: 1_000 } },
      { metrics: { temporality: 'delta' } },
      { metrics: { cardinalityLimit: 10 } },
      { metrics: { exemplars: true } },
      { metrics: { views: [{ instrument: 'a' }] } },
      { metrics: { views: [{ instrument: 'a', buckets: [1] }] } },
      { metrics: { views: [{ instrument: 'a', attributes: ['b'] }] } },
      { profile: 'low-latency' },
      { destination: { ...destination, isolateConnections: true } },
      { destination: { ...destination, timeoutMillis: 5 } },
      { destination: { ...destination, protocol: 'http/json' } },
      { destination: { ...destination, protocol: 'grpc' } },
      { destination: { ...destination, tenantHeader: 'x-org' } },
      { destination: { ...destination, tls: { ca: pem('a') } } },
      { destination: { ...destination, tls: { ca: pem('b') } } },
      { destination: { ...destination, tls: { cert: pem('a'), key: pem('b') } } },
      { destination: { ...destination, tls: { cert: pem('a'), key: pem('c') } } },
      { destination: { ...destination, tls: { serverName: 'a' } } },
      { destination: { ...destination, redact: true } },
      { destination: { ...destination, redact: { values: false } } },
      { redact: true },
      { redact: { keys: ['a'] } },
      { redact: { keys: ['1'] } },
      { redact: { keys: [pattern] } },
      { redact: { keys: [/a/] } },
      { redact: { values: false } },
      { redact: { custom } },
      { redact: { custom: () => undefined } },
      { redact: { replacement: '***' } },
      { limits: { spansPerSecond: 5 } },
      { sampling: { ratio: 0.5 } },
      { sampling: { spansPerSecond: 5 } },
      { sampling: { keepErrors: true } },
      { sampling: { keepSlowerThanMillis: 5 } },
      { sampling: sampler },
      { sampling: new AlwaysOnSampler() },
      { limits: { maxQueueSize: 600 } },
      { limits: { linkCountLimit: 5 } },
      { batch: { maxSize: 5 } },
      { batch: { delayMillis: 5 } },
      { retry: { initialMillis: 5 } },
      { retry: { giveUpMillis: 0 } },
      { boundary: 'link' },
      { capture: true },
      { capture: { arguments: true } },
      { capture: { result: custom } },
      { capture: { result: () => undefined } },
      { capture: { result: true, aggregate: custom } },
      { capture: { result: true, maxBytes: 64 } },
      { capture: { result: true, maxDepth: 2 } },
      { sessions: 'per-root' },
      { agents: true },
      { agents: { currency: 'EUR' } },
      { agents: { pendingAfterMillis: 100 } },
      { agents: { prices: { m: { input: 1, output: 1 } } } },
      { agents: { prices: { m: { input: 1, output: 2 } } } },
      { resilience: 'strict' },
      { spanProcessors: [new NoopSpanProcessor()] },
      { exporter: new InMemorySpanExporter() },
      { idGenerator: new RandomIdGenerator() },
      { spool: { directory: '/a' } },
      { spool: { directory: '/b' } },
      { spool: { directory: '/a', maxBytes: 100_000 } },
      { spool: { directory: '/a', fsync: 'always' } },
      { propagation: { baggage: ['a'] } },
      { propagation: { baggage: () => true } },
      { propagation: { propagateTo: ['a'] } },
      { propagation: { propagateTo: ['a:1'] } },
      { propagation: { propagateTo: [] } },
      { propagation: { propagateTo: () => true } },
    ];
    expect(new Set(variants.map((input) => fingerprint(settingsOf(input)))).size).toBe(variants.length);
  });

  it('is another under another rule for addresses', () => {
    const settings = (endpointPolicy: 'any' | 'public') =>
      resolveTracerSettings({ destination }, { tenantId: 'acme', endpointPolicy }).settings;
    expect(fingerprint(settings('public'))).not.toBe(fingerprint(settings('any')));
  });

  it('tells nothing about the settings, not even to whoever guesses them', () => {
    const settings = settingsOf({ destination: { endpoint: 'https://host', headers: { key: 'CANARY' } } });
    expect(fingerprint(settings)).toMatch(/^[\w-]{43}$/);
    expect(createFingerprint()(settings)).not.toBe(fingerprint(settings));
  });
});
