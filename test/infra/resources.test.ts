import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { baseResourceAttributes, readProcessFacts, tenantResource } from '../../src/infra/resources.ts';

const FACTS = { sdkVersion: '1.2.3', runtimeVersion: '20.19.0', pid: 42, hostName: 'node-1', instanceId: 'i-1' };
const NO_SERVICE = { name: undefined, version: undefined, namespace: undefined, instanceId: undefined };
const NOTHING = { service: NO_SERVICE, environment: undefined, attributes: {} };

describe('baseResourceAttributes', () => {
  it('names the facts by the semantic conventions', () => {
    expect(baseResourceAttributes(FACTS)).toEqual({
      'telemetry.sdk.language': 'nodejs',
      'telemetry.sdk.name': 'isotrace',
      'telemetry.sdk.version': '1.2.3',
      'process.runtime.name': 'nodejs',
      'process.runtime.version': '20.19.0',
      'process.pid': 42,
      'host.name': 'node-1',
      'service.instance.id': 'i-1',
    });
  });

  it('leaves out a host name that is not known', () => {
    expect(baseResourceAttributes({ ...FACTS, hostName: undefined })).not.toHaveProperty('host.name');
  });
});

describe('readProcessFacts', () => {
  it('tells about this process, with a random instance id', () => {
    const facts = readProcessFacts('1.2.3');
    expect(facts).toMatchObject({
      sdkVersion: '1.2.3',
      runtimeVersion: process.version.slice(1),
      pid: process.pid,
      hostName: hostname(),
    });
    expect(facts.instanceId).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    expect(readProcessFacts('1.2.3').instanceId).not.toBe(facts.instanceId);
  });
});

describe('tenantResource', () => {
  const base = baseResourceAttributes(FACTS);

  it('adds the unknown service name to the shared attributes when nothing is set', () => {
    expect({ ...tenantResource(base, NOTHING) }).toEqual({ ...base, 'service.name': 'unknown_service:node' });
  });

  it('names the service and the environment', () => {
    const resource = tenantResource(base, {
      service: { name: 'api', version: '2.0.0', namespace: 'shop', instanceId: 'i-2' },
      environment: 'production',
      attributes: { 'tenant.plan': 'free', tags: ['a', 'b'] },
    });
    expect({ ...resource }).toEqual({
      ...base,
      'service.name': 'api',
      'service.version': '2.0.0',
      'service.namespace': 'shop',
      'service.instance.id': 'i-2',
      'deployment.environment.name': 'production',
      'tenant.plan': 'free',
      tags: ['a', 'b'],
    });
  });

  it('lets user attributes replace shared ones', () => {
    expect(tenantResource(base, { ...NOTHING, attributes: { 'host.name': 'pod-7' } })['host.name']).toBe('pod-7');
  });

  it('is frozen and leaves the shared attributes as they are', () => {
    const before = { ...base };
    expect(Object.isFrozen(tenantResource(base, { ...NOTHING, attributes: { extra: 1 } }))).toBe(true);
    expect({ ...base }).toEqual(before);
  });
});
