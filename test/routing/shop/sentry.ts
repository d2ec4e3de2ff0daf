// Loaded before the shop, which then has Sentry, with its instrumentations, and a registry that joins it.
import * as Sentry from '@sentry/node';
import { createSpanProcessor, TracerRegistry } from '../../../src/index.ts';
import { registryOptions } from './service.ts';

const registry = new TracerRegistry(registryOptions(process.env['SERVICE'] as string));
(globalThis as { registry?: TracerRegistry }).registry = registry;
Sentry.init({
  dsn: (process.env['COLLECTOR'] as string).replace('://', '://key@').concat('/1'),
  tracesSampleRate: 1,
  propagateTraceparent: true,
  openTelemetrySpanProcessors: [createSpanProcessor(registry)],
});
