import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { Agenda } from '../../src/processing/agenda.ts';
import { ObjectCargo, type SpanObjects } from '../../src/processing/object-cargo.ts';
import { Guard, type ResilienceLevel } from '../../src/utils/guard.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { endedSpan } from './ended-spans.ts';

type Export = SpanExporter['export'];
type Answer = Parameters<Export>[1];

function cargoWith(doExport: Export, level: ResilienceLevel = 'balanced') {
  const clock = new FakeClock();
  const agenda = new Agenda(clock);
  const guard = new Guard({ clock, level });
  const exporter: SpanExporter = { export: doExport, shutdown: async () => {} };
  const cargo = new ObjectCargo({
    exporter,
    hook: guard.hook('exporter', 'export'),
    agenda,
    clock,
    maxQueueSize: 5,
    maxBatchSize: 2,
    timeoutMillis: 30_000,
  });
  return { agenda, cargo, clock, controller: new AbortController(), exporter, guard };
}

function takeOne(cargo: ObjectCargo): SpanObjects {
  cargo.push(endedSpan('a'));
  const batch = cargo.take();
  if (batch === undefined) throw new Error('nothing waits');
  return batch;
}

const succeed: Export = (_spans, answer) => answer({ code: 0 });

describe('the queue', () => {
  it('is bounded, first in first out, and gives whole batches', () => {
    const { cargo } = cargoWith(succeed);
    const spans = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => endedSpan(name));
    expect(spans.map((span) => cargo.push(span))).toEqual([true, true, true, true, true, false]);
    expect(cargo.full).toBe(true);
    const batches = [cargo.take(), cargo.take(), cargo.take(), cargo.take()];
    expect(batches.map((batch) => batch?.spans.map(({ name }) => name))).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['e'],
      undefined,
    ]);
    expect(cargo.split()).toBeUndefined();
  });

  it('tells how many spans it gave up', () => {
    const { cargo } = cargoWith(succeed);
    for (const name of ['a', 'b', 'c']) cargo.push(endedSpan(name));
    expect([cargo.clear(), cargo.size, cargo.clear()]).toEqual([3, 0, 0]);
  });
});

describe('an export', () => {
  it('hands over the very spans and succeeds with the exporter', async () => {
    const seen: ReadableSpan[][] = [];
    const { agenda, cargo, controller } = cargoWith((spans, answer) => {
      seen.push(spans);
      answer({ code: 0 });
    });
    const batch = takeOne(cargo);
    await expect(cargo.attempt(batch, controller.signal)).resolves.toEqual({ status: 'success', rejected: 0 });
    expect(seen[0]?.[0]).toBe(batch.spans[0]);
    expect(agenda.size).toBe(0);
  });

  it.each<[string, Export, object]>([
    ['fails', (_spans, answer) => answer({ code: 1, error: new Error('full') }), { message: 'Error: full' }],
    ['fails without a reason', (_spans, answer) => answer({ code: 1 }), { message: 'the exporter failed' }],
    ['answers rubbish', (_spans, answer) => (answer as (result: unknown) => void)(undefined), {}],
    [
      'throws',
      () => {
        throw new Error('bug');
      },
      { message: 'Error: bug' },
    ],
  ])('that %s is tried again', async (_case, doExport, expected) => {
    const { agenda, cargo, controller } = cargoWith(doExport);
    const outcome = await cargo.attempt(takeOne(cargo), controller.signal);
    expect(outcome).toMatchObject({ status: 'retryable', reason: 'hook', ...expected });
    expect(agenda.size).toBe(0);
  });

  it('that never answers is tried again, and its late answer counts for nothing', async () => {
    const answers: Answer[] = [];
    const { agenda, cargo, clock, controller, guard } = cargoWith((_spans, answer) => {
      answers.push(answer);
    });
    const attempt = cargo.attempt(takeOne(cargo), controller.signal);
    clock.advance(30_000);
    await expect(attempt).resolves.toMatchObject({ status: 'retryable', reason: 'timeout' });
    answers[0]?.({ code: 0 });
    answers[0]?.({ code: 1 });
    expect([agenda.size, guard.counts()]).toEqual([0, { exporter: 1 }]);
  });

  it('ends with its signal', async () => {
    const { agenda, cargo, controller } = cargoWith(() => {});
    const attempt = cargo.attempt(takeOne(cargo), controller.signal);
    controller.abort();
    await expect(attempt).resolves.toMatchObject({ status: 'retryable', reason: 'aborted' });
    expect(agenda.size).toBe(0);
  });

  it('is not made by an exporter that is switched off', async () => {
    let calls = 0;
    const throwing: Export = () => {
      calls += 1;
      throw new Error('bug');
    };
    const { cargo, controller } = cargoWith(throwing, 'strict');
    await cargo.attempt(takeOne(cargo), controller.signal);
    const outcome = await cargo.attempt(takeOne(cargo), controller.signal);
    expect(outcome).toMatchObject({ status: 'failure', reason: 'rejected' });
    expect(calls).toBe(1);
  });

  it('shares slots with the other tenants of the exporter', () => {
    const { cargo, exporter } = cargoWith(succeed);
    expect(cargo.origin).toBe(exporter);
  });
});
