import { setTimeout as pause } from 'node:timers/promises';
import type * as Api from '@opentelemetry/api';
import { trace as ownTrace } from '@opentelemetry/api';
import type { TracerRegistry } from '../../../src/index.ts';

// A host in which a library uses another version of the API than isotrace does.
const { API = '', FIRST = 'isotrace', TARGETS = '{}' } = process.env;
const targets = JSON.parse(TARGETS) as Record<string, string>;
const api = (await import(API)) as typeof Api;
const escaped: string[] = [];
process.on('unhandledRejection', (error) => escaped.push(String(error)));
process.on('uncaughtException', (error) => escaped.push(String(error)));

/** What such a library is: it knows the global API of its own copy. */
async function library(id: string): Promise<void> {
  const tracer = api.trace.getTracer('library', '1.0.0');
  await tracer.startActiveSpan(`library of ${id}`, async (span) => {
    await pause(Math.random() * 5);
    tracer.startSpan(`nested of ${id}`).end();
    span.end();
  });
}

async function request(registry: TracerRegistry, id: string): Promise<void> {
  const tracer = registry.get(id);
  await tracer.withSpan(`request of ${id}`, async () => {
    await pause(Math.random() * 5);
    await library(id);
    registry.current()?.withSpan(`after of ${id}`, () => undefined);
    // As a library does that uses the same copy as isotrace.
    ownTrace.getActiveSpan()?.setAttribute('seen', id);
  });
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
let kept = 0;
/** A provider of the library's own, which only counts. */
const counting = {
  getTracer: () => ({
    startSpan: () => {
      kept += 1;
      return api.trace.wrapSpanContext(api.INVALID_SPAN_CONTEXT);
    },
    startActiveSpan(...args: readonly unknown[]): unknown {
      return (args.at(-1) as (span: Api.Span) => unknown)(this.startSpan());
    },
  }),
} as unknown as Api.TracerProvider;
/** The library's copy is the first to register something: its logger, or a provider. */
const registered: Readonly<Record<string, () => boolean>> = {
  library: () => api.diag.setLogger({ ...silent, verbose: () => {} }),
  provider: () => api.trace.setGlobalTracerProvider(counting),
};
const isRefused = registered[FIRST]?.() === false;
const { TracerRegistry: Registry } = await import('../../../src/index.ts');
const registry = new Registry({
  logger: silent,
  platform: false,
  configure: (id) => (targets[id] === undefined ? undefined : { destination: { endpoint: targets[id] } }),
});
const installation = registry.install(FIRST === 'provider' ? { strategy: 'own' } : {});
for (let round = 0; round < 10; round += 1) {
  await Promise.all(Object.keys(targets).map((id) => request(registry, id)));
}
const health = registry.health();
const report = await registry.shutdown();
process.stdout.write(
  JSON.stringify({ isRefused, kept, installation, health, report, stats: registry.stats(), escaped }),
);
