import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IsotraceError, TracerRegistry } from '../../src/index.ts';
import { ENVIRONMENT_VARIABLES } from '../../src/infra/environment-variables.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';
import { names, receiver, registryOf, resources, SILENT, toReceiver } from './registry-kit.ts';

const CANARY = 'canary-of-the-platform';

beforeEach(() => {
  for (const name of Object.keys(ENVIRONMENT_VARIABLES)) vi.stubEnv(name, undefined);
});

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the platform tracer', () => {
  it('is the only one that the OTEL_* variables apply to', async () => {
    const own = await receiver();
    const tenants = await receiver();
    vi.stubEnv('OTEL_SERVICE_NAME', 'the platform');
    vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', `owner=${CANARY},service.version=9`);
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', own.url);
    vi.stubEnv('OTEL_EXPORTER_OTLP_HEADERS', `authorization=Bearer ${CANARY},x-shared=${CANARY}`);
    vi.stubEnv('OTEL_EXPORTER_OTLP_TRACES_HEADERS', `x-traces=${CANARY}`);
    vi.stubEnv('OTEL_EXPORTER_OTLP_COMPRESSION', 'gzip');
    const configure = (id: string) => (id === 'bare' ? {} : { ...toReceiver(tenants)(id), service: { name: id } });
    const registry = registryOf({ platform: {}, configure });
    for (const id of ['a', 'b', 'bare']) registry.get(id).startSpan(`of ${id}`).end();
    registry.run('a', () => registry.platform.withSpan('of the platform', () => {}));
    await registry.flush();
    expect(names(own)).toEqual(['of the platform']);
    expect(own.requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${CANARY}`,
      'x-shared': CANARY,
      'x-traces': CANARY,
    });
    expect(resources(own)[0]).toMatchObject({ 'service.name': 'the platform', 'service.version': '9', owner: CANARY });
    expect(names(tenants)).toEqual(['of a', 'of b']);
    expectNoCanary(tenants);
    for (const resource of resources(tenants)) expect(resource).not.toHaveProperty('service.version');
    expect(registry.get('bare').stats().traces.dropped).toEqual({ no_destination: 1 });
  });

  it('never lends its headers to a tenant, whichever way that names the same endpoint', async () => {
    const shared = await receiver();
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', shared.url);
    vi.stubEnv('OTEL_EXPORTER_OTLP_HEADERS', `authorization=Bearer ${CANARY}`);
    const registry = registryOf({
      platform: {},
      destination: { endpoint: shared.url },
      configure: (id) => (id === 'own' ? { destination: { endpoint: `${shared.url}/` } } : {}),
    });
    for (const id of ['own', 'inherits']) registry.get(id).startSpan(`of ${id}`).end();
    await registry.flush();
    expect(names(shared)).toEqual(['of inherits', 'of own']);
    expectNoCanary(shared);
  });

  it('has its own options over those of the registry, over the variables', async () => {
    const own = await receiver();
    vi.stubEnv('OTEL_SERVICE_NAME', 'from the environment');
    vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'a=environment,b=environment,c=environment');
    const registry = registryOf({
      attributes: { b: 'registry', c: 'registry' },
      platform: { attributes: { c: 'platform' }, destination: { endpoint: own.url, signals: ['traces'] } },
    });
    registry.platform.startSpan('work').end();
    await registry.flush();
    expect(resources(own)[0]).toMatchObject({
      'service.name': 'from the environment',
      a: 'environment',
      b: 'registry',
      c: 'platform',
    });
  });

  it('follows the sampler of the environment; tenants do not', async () => {
    const target = await receiver();
    vi.stubEnv('OTEL_TRACES_SAMPLER', 'always_off');
    const registry = registryOf({ platform: {}, destination: { endpoint: target.url } });
    registry.platform.startSpan('of the platform').end();
    registry.get('acme').startSpan('of a tenant').end();
    await registry.flush();
    expect(names(target)).toEqual(['of a tenant']);
    expect(registry.platform.stats().traces.dropped).toEqual({ sampled: 1 });
  });

  it.each([
    ['OTEL_SDK_DISABLED is true', 'true', { service: { name: 'platform' } }],
    ['platform is false', '', false as const],
  ])('does nothing when %s, while tenants work', async (_when, disabled, platform) => {
    const target = await receiver();
    vi.stubEnv('OTEL_SDK_DISABLED', disabled);
    vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', target.url);
    const registry = registryOf({ platform, configure: toReceiver(target) });
    expect(registry.platform.state).toBe('disabled');
    registry.platform.withSpan('of the platform', () => {});
    registry.get('acme').withSpan('of a tenant', () => {});
    await registry.flush();
    expect(names(target)).toEqual(['of a tenant']);
  });

  it('is made on first use, is no tenant, and is part of flush, stats and shutdown', async () => {
    const target = await receiver();
    const registry = registryOf({ platform: { destination: { endpoint: target.url, signals: ['traces'] } } });
    const { platform } = registry;
    expect(registry.platform).toBe(platform);
    expect(platform.tenantId).toBe('platform');
    expect(registry.get('platform')).not.toBe(platform);
    platform.startSpan('work').end();
    expect([...registry.keys()]).toEqual(['platform']);
    expect(registry.size).toBe(1);
    expect(registry.stats().traces).toMatchObject({ created: 1, queued: 1 });
    platform.startSpan('more').end();
    expect(await registry.shutdown()).toMatchObject({ ok: true, delivered: 2 });
    expect(platform.state).toBe('closed');
  });

  it('names a bad variable in the issues; under strict it throws', () => {
    vi.stubEnv('OTEL_BSP_MAX_QUEUE_SIZE', 'many');
    expect(
      registryOf({ platform: {} })
        .health()
        .issues.map(({ option }) => option),
    ).toEqual(['OTEL_BSP_MAX_QUEUE_SIZE']);
    expect(() => new TracerRegistry({ strict: true, logger: SILENT })).toThrow(IsotraceError);
    expect(registryOf({ strict: true, platform: false }).health().ok).toBe(true);
  });
});

describe('the options of a registry', () => {
  const bad = {
    maxTenants: 0,
    idleTimeoutMillis: 'soon',
    sampling: { ratio: 7 },
    destination: { endpoint: 'ftp://user:hunter2@example.test' },
    configure: 'not a function',
    colour: 'blue',
  } as never;
  const options = ['colour', 'configure', 'destination.endpoint', 'idleTimeoutMillis', 'maxTenants', 'sampling.ratio'];

  it('throw one error that lists every problem, without secrets, under strict', () => {
    const make = () => new TracerRegistry(Object.assign({ strict: true, platform: false, logger: SILENT }, bad));
    const thrown = thrownBy(make);
    expect(thrown).toBeInstanceOf(IsotraceError);
    const { code, issues, message } = thrown as IsotraceError;
    expect(code).toBe('config_invalid');
    expect(issues.map(({ option }) => option).sort()).toEqual(options);
    for (const option of options) expect(message).toContain(option);
    expect(message + JSON.stringify(issues)).not.toContain('hunter2');
  });

  it('fall back to their defaults otherwise, and health says so', () => {
    const warnings: object[] = [];
    const logger = { ...SILENT, warn: (fields: object) => warnings.push(fields) };
    const registry = registryOf(Object.assign({ logger, platform: false as const }, bad));
    const { ok, issues } = registry.health();
    expect(ok).toBe(false);
    expect(issues.map(({ option }) => option).sort()).toEqual(options);
    expect(registry.stats().maxTenants).toBe(1_000);
    expect(registry.get('acme').state).toBe('active');
    expect(warnings).toHaveLength(1);
    expect(JSON.stringify(warnings)).not.toContain('hunter2');
  });

  it.each([undefined, null, 7, 'text', [], () => {}])('may be rubbish as a whole (%s)', async (rubbish) => {
    const registry = new TracerRegistry(rubbish as never);
    expect(registry.get('acme').withSpan('work', () => 1)).toBe(1);
    await registry.shutdown({ timeoutMillis: 0 });
  });
});

function thrownBy(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  return undefined;
}

function expectNoCanary(target: OtlpReceiver): void {
  for (const { headers, body, path } of target.requests) {
    expect(JSON.stringify(headers)).not.toContain(CANARY);
    expect(Buffer.from(body).includes(CANARY)).toBe(false);
    expect(path).not.toContain(CANARY);
  }
}
