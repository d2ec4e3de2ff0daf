import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Attributes } from '@opentelemetry/api';

/** What the resource of every tenant of a process says about the process. */
export interface ProcessFacts {
  /** Of isotrace. */
  readonly sdkVersion: string;
  /** Of Node.js, without the `v`. */
  readonly runtimeVersion: string;
  readonly pid: number;
  /** Absent where the host does not tell. */
  readonly hostName: string | undefined;
  /** Random, one for each process, so that two replicas of a service can be told apart. */
  readonly instanceId: string;
}

/** What a tenant's options say about its resource. */
export interface ResourceSettings {
  readonly service: {
    readonly name: string | undefined;
    readonly version: string | undefined;
    readonly namespace: string | undefined;
    readonly instanceId: string | undefined;
  };
  readonly environment: string | undefined;
  readonly attributes: Attributes;
}

/** Reads the facts; call it once and share the answer, since each call makes a new instance id. */
export function readProcessFacts(sdkVersion: string): ProcessFacts {
  return {
    sdkVersion,
    runtimeVersion: process.versions.node,
    pid: process.pid,
    hostName: readHostName(),
    instanceId: randomUUID(),
  };
}

function readHostName(): string | undefined {
  try {
    return hostname() || undefined;
  } catch {
    return undefined;
  }
}

/** The attributes that all tenants share, named by OpenTelemetry's semantic conventions. */
export function baseResourceAttributes(facts: ProcessFacts): Readonly<Attributes> {
  return Object.freeze({
    // "opentelemetry" is reserved for OpenTelemetry's own SDK (semantic conventions, telemetry.sdk.name).
    'telemetry.sdk.language': 'nodejs',
    'telemetry.sdk.name': 'isotrace',
    'telemetry.sdk.version': facts.sdkVersion,
    'process.runtime.name': 'nodejs',
    'process.runtime.version': facts.runtimeVersion,
    'process.pid': facts.pid,
    ...(facts.hostName !== undefined && { 'host.name': facts.hostName }),
    'service.instance.id': facts.instanceId,
  });
}

/**
 * The resource of one tenant: the shared attributes, then the user's, then `service` and `environment`, each over
 * the ones before. The tenant's id is not in it: it never goes on the wire by itself.
 */
export function tenantResource(base: Readonly<Attributes>, settings: ResourceSettings): Readonly<Attributes> {
  const { service, environment, attributes } = settings;
  const resource: Attributes = Object.assign(Object.create(null), base, attributes);
  // Resource semantic conventions: unknown_service:<process executable>.
  resource['service.name'] = service.name ?? 'unknown_service:node';
  if (service.version !== undefined) resource['service.version'] = service.version;
  if (service.namespace !== undefined) resource['service.namespace'] = service.namespace;
  if (service.instanceId !== undefined) resource['service.instance.id'] = service.instanceId;
  if (environment !== undefined) resource['deployment.environment.name'] = environment;
  return Object.freeze(resource);
}
