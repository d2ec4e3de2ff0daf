import { OTEL_PACKAGES } from './definition.ts';

interface Manifest {
  readonly devDependencies: Readonly<Record<string, string>>;
}

/**
 * What of the development dependencies has no release for OpenTelemetry 3, and the tests that are about it: `sdk-trace`
 * has taken the place of `sdk-trace-base`, and Langfuse's processor asks for version 2.
 */
export const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  '@opentelemetry/sdk-trace-base': [],
  '@langfuse/otel': ['test/libraries/langfuse.test.ts'],
};

/** Packages of OpenTelemetry that have a numbering of their own. */
const OWN_VERSIONS: Readonly<Record<string, string>> = {
  '@opentelemetry/api-logs': '^0.223.1',
  '@opentelemetry/auto-instrumentations-node': '^0.82.0',
  '@opentelemetry/instrumentation-express': '^0.72.0',
  '@opentelemetry/instrumentation-pg': '^0.77.0',
  '@opentelemetry/instrumentation-undici': '^0.34.0',
  '@opentelemetry/sdk-logs': '~3.1.0',
};

/** The package.json of the project, to be developed with OpenTelemetry 3.1. */
export function withOpenTelemetry3<M extends Manifest>(manifest: M): M {
  const overridden = Object.entries(manifest.devDependencies)
    .filter(([name]) => !Object.hasOwn(LEFT_OUT, name))
    .map(([name, range]): [string, string] => [name, versionOf(name, range)]);
  return { ...manifest, devDependencies: Object.fromEntries(overridden) };
}

function versionOf(name: string, range: string): string {
  if (!name.startsWith('@opentelemetry/')) return range;
  const own = OWN_VERSIONS[name] ?? OTEL_PACKAGES['3.1'].required[name];
  if (own !== undefined) return own;
  // Experimental packages of 3.1 are 0.301, some have stayed at 0.300; those that are stable have its own number.
  return /\b0\.\d/.test(range) ? '>=0.300.0 <0.302.0' : '~3.1.0';
}
