// Loaded before the shop, which then has OpenTelemetry's NodeSDK, with its instrumentations, and a registry that joins it.
import { register } from 'node:module';
import { ExpressInstrumentation } from '@opentelemetry/instrumentation-express';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { createSpanProcessor, TracerRegistry } from '../../../src/index.ts';
import { registryOptions } from './service.ts';

// As NodeSDK's users do for applications of ES modules.
register('@opentelemetry/instrumentation/hook.mjs', import.meta.url);
const registry = new TracerRegistry(registryOptions(process.env['SERVICE'] as string));
(globalThis as { registry?: TracerRegistry }).registry = registry;
new NodeSDK({
  instrumentations: [
    new HttpInstrumentation(),
    new ExpressInstrumentation(),
    new PgInstrumentation(),
    new UndiciInstrumentation(),
  ],
  spanProcessors: [createSpanProcessor(registry)],
}).start();
