import { context, propagation, ROOT_CONTEXT, type Span, SpanKind, type Tracer, trace } from '@opentelemetry/api';
import { loadPeer } from './peers/peer.ts';
import { CpuMeter, expectEqual, nextTurn } from './support/measure.ts';
import type { Figures, Question, Task } from './support/question.ts';
import { startReceiver } from './support/receiver.ts';
import { eightAttributes } from './support/workload.ts';

/** Spans between two turns of the event loop: what stock takes into one batch. */
const SLICE = 500;
const SLICES = 16;
const SPANS_OF_REQUEST = 5;

/** What does a span of instrumented code cost, which knows nothing of tenants? */
export const routing: Question = {
  name: 'routing',
  title: 'One span of instrumented code, recorded and encoded: CPU',
  rounds: 7,
  shortVariants: ['request'],
  rows: [
    { variant: 'inside a tenant', figure: 'CPU', unit: 'ns', goal: { ratio: 1.15 } },
    { variant: 'request', figure: 'CPU', unit: 'ns', goal: { ratio: 1.15 } },
  ],
  async measure({ peer, short, variant }: Task): Promise<Figures> {
    const receiver = await startReceiver();
    const library = (await loadPeer(peer)).open({ mode: 'encode', endpoint: receiver.url });
    const tenant = library.tenant('bench');
    const enter = library.instrument('bench');
    const tracer = trace.getTracer('instrumentation', '1.0.0');
    const work = variant === 'request' ? () => requests(tracer, enter) : () => children(tracer, enter);
    const cpu = new CpuMeter();
    let made = 0;
    const windows = async (count: number): Promise<void> => {
      for (let window = 0; window < count; window++) {
        cpu.start();
        for (let slice = 0; slice < SLICES; slice++) {
          made += work();
          await nextTurn();
        }
        await library.encoded();
        cpu.stop();
        await library.flush();
      }
    };
    await windows(short ? 4 : 12);
    const before = { cpu: cpu.nanos, made };
    await windows(short ? 8 : 40);
    const perSpan = (cpu.nanos - before.cpu) / (made - before.made);
    await library.flush();
    expectEqual('spans exported', tenant.exported(), made);
    receiver.close();
    return { CPU: perSpan };
  },
};

/** Active spans with 8 attributes under a span of the tenant. */
function children(tracer: Tracer, enter: (fn: () => void) => void): number {
  enter(() =>
    tracer.startActiveSpan('parent', (parent) => {
      for (let turn = 1; turn < SLICE; turn++) tracer.startActiveSpan('work', (span) => endWithAttributes(span, turn));
      parent.end();
    }),
  );
  return SLICE;
}

/**
 * Requests as the instrumentations of an HTTP server, a framework and an HTTP client trace them: the server span and
 * the first middleware before the tenant is known, two more spans and an outgoing call after that.
 */
function requests(tracer: Tracer, enter: (fn: () => void) => void): number {
  for (let turn = 0; turn < SLICE / SPANS_OF_REQUEST; turn++) {
    const extracted = propagation.extract(ROOT_CONTEXT, INBOUND);
    const server = tracer.startSpan('GET', { kind: SpanKind.SERVER, attributes: eightAttributes(turn) }, extracted);
    context.with(trace.setSpan(extracted, server), () => {
      child(tracer, 'authenticate', turn, () => {});
      enter(() =>
        child(tracer, 'handler', turn, () => {
          child(tracer, 'query', turn, () => {});
          child(tracer, 'call', turn, () => propagation.inject(context.active(), {}));
        }),
      );
    });
    server.end();
  }
  return SLICE;
}

const INBOUND = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };

function child(tracer: Tracer, name: string, turn: number, fn: () => void): void {
  const span = tracer.startSpan(name, { attributes: eightAttributes(turn) });
  context.with(trace.setSpan(context.active(), span), fn);
  span.end();
}

function endWithAttributes(span: Span, turn: number): void {
  span.setAttributes(eightAttributes(turn));
  span.end();
}
