import { createRequire } from 'node:module';
import * as api from '@opentelemetry/api';
import * as hooks from '@opentelemetry/context-async-hooks';
import * as core from '@opentelemetry/core';
import * as exporter from '@opentelemetry/exporter-trace-otlp-proto';
import * as resources from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import * as sdkTrace from '@opentelemetry/sdk-trace';
import { OpenOtelSdk } from './otel-sdk.ts';
import type { Peer } from './peer.ts';

/** From where the exporter itself takes it, so that it is the same version. */
const { ProtobufTraceSerializer } = createRequire(
  createRequire(import.meta.url).resolve('@opentelemetry/exporter-trace-otlp-proto'),
)('@opentelemetry/otlp-transformer') as {
  ProtobufTraceSerializer: { serializeRequest(spans: ReadableSpan[]): Uint8Array };
};

/** OpenTelemetry's own SDK, as it is installed for development. */
export const stock: Peer = {
  packages: [
    '@opentelemetry/api',
    '@opentelemetry/context-async-hooks',
    '@opentelemetry/resources',
    '@opentelemetry/sdk-trace',
    '@opentelemetry/exporter-trace-otlp-proto',
  ],
  open: (settings) =>
    new OpenOtelSdk(
      {
        ...{ api, hooks, core, resources, sdkTrace, exporter },
        serialize: (spans) => ProtobufTraceSerializer.serializeRequest(spans),
      },
      settings,
    ),
};
