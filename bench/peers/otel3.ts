import { createRequire } from 'node:module';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { packagesDirectory, requireFrom } from './install-packages.ts';
import { OpenOtelSdk, type OtelSdk } from './otel-sdk.ts';
import type { Peer } from './peer.ts';

const FOLDER = 'otel3';

/** OpenTelemetry 3: the same set-up as `stock`, of the newer line. */
export const otel3: Peer = {
  packages: [
    '@opentelemetry/api',
    '@opentelemetry/context-async-hooks',
    '@opentelemetry/resources',
    '@opentelemetry/sdk-trace',
    '@opentelemetry/exporter-trace-otlp-proto',
  ],
  open: (settings) => new OpenOtelSdk(loadOtel3(), settings),
};

/** It has the types of version 2 as far as it is used here. */
function loadOtel3(): OtelSdk {
  const load = <T>(name: string): T => requireFrom<T>(FOLDER, `@opentelemetry/${name}`);
  const fromFolder = createRequire(packagesDirectory(FOLDER));
  const fromExporter = createRequire(fromFolder.resolve('@opentelemetry/exporter-trace-otlp-proto'));
  const { ProtobufTraceSerializer } = fromExporter('@opentelemetry/otlp-transformer') as {
    ProtobufTraceSerializer: { serializeRequest(spans: ReadableSpan[]): Uint8Array };
  };
  return {
    api: load('api'),
    hooks: load('context-async-hooks'),
    core: load('core'),
    resources: load('resources'),
    sdkTrace: load('sdk-trace'),
    exporter: load('exporter-trace-otlp-proto'),
    serialize: (spans) => ProtobufTraceSerializer.serializeRequest(spans),
  };
}
