// A host that has Sentry, which brings its own instrumentations, and lets a registry join it.
import * as Sentry from '@sentry/node';
import { createSpanProcessor, TracerRegistry } from '../../../src/index.ts';
import serve from './serve.cjs';

const spans = [];
globalThis.registry = new TracerRegistry(serve.optionsOf(process.env.COLLECTOR));
Sentry.init({
  dsn: process.env.COLLECTOR.replace('://', '://key@').concat('/1'),
  tracesSampleRate: 1,
  propagateTraceparent: true,
  openTelemetrySpanProcessors: [
    createSpanProcessor(globalThis.registry),
    { onStart() {}, onEnd: (span) => spans.push(span), forceFlush: async () => {}, shutdown: async () => {} },
  ],
});
globalThis.hostSpans = () => spans;
globalThis.finish = () => Sentry.close(2_000);
