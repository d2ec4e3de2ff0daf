// A host that has OpenTelemetry's NodeSDK with instrumentations of its own, and lets a registry join it.
import { ExpressInstrumentation } from '@opentelemetry/instrumentation-express';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import { createSpanProcessor, TracerRegistry } from '../../../src/index.ts';
import serve from './serve.cjs';

const exporter = new InMemorySpanExporter();
globalThis.registry = new TracerRegistry(serve.optionsOf(process.env.COLLECTOR));
const sdk = new NodeSDK({
  instrumentations: [new HttpInstrumentation(), new ExpressInstrumentation(), new UndiciInstrumentation()],
  spanProcessors: [new SimpleSpanProcessor({ exporter }), createSpanProcessor(globalThis.registry)],
});
sdk.start();
globalThis.hostSpans = () => exporter.getFinishedSpans();
