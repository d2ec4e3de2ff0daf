import { ROOT_CONTEXT } from '@opentelemetry/api';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import type { RecordingSpan } from '../../src/processing/span.ts';
import { SpanHooks } from '../../src/processing/span-hooks.ts';
import { Guard, type ResilienceLevel } from '../../src/utils/guard.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';

const SPAN = {} as RecordingSpan;

function hooksOf(processors: readonly Partial<SpanProcessor>[], level: ResilienceLevel = 'balanced') {
  const guard = new Guard({ clock: new FakeClock(), level });
  return { guard, hooks: new SpanHooks(processors as readonly SpanProcessor[], guard) };
}

/** Notes what it is told, under its name. */
function recording(name: string, calls: string[]): SpanProcessor {
  return {
    onStart: () => void calls.push(`${name}.onStart`),
    onEnding: () => void calls.push(`${name}.onEnding`),
    onEnd: () => void calls.push(`${name}.onEnd`),
    forceFlush: async () => void calls.push(`${name}.forceFlush`),
    shutdown: async () => void calls.push(`${name}.shutdown`),
  };
}

const fail = (): never => {
  throw new Error('broken');
};
const reject = (): Promise<never> => Promise.reject(new Error('broken'));
const failing = (how: () => unknown): SpanProcessor =>
  ({ onStart: how, onEnding: how, onEnd: how, forceFlush: how, shutdown: how }) as unknown as SpanProcessor;

describe('span processors', () => {
  it.each([
    ['throws', fail],
    ['rejects', reject],
  ])('run although one between them %s; its failures are counted under its index', async (_, how) => {
    const calls: string[] = [];
    const { guard, hooks } = hooksOf([recording('first', calls), failing(how), recording('last', calls)]);
    hooks.started(SPAN, ROOT_CONTEXT);
    hooks.ending(SPAN);
    hooks.ended(SPAN);
    await hooks.flush();
    await hooks.shutdown();
    await settle();
    const steps = ['onStart', 'onEnding', 'onEnd', 'forceFlush', 'shutdown'];
    expect(calls).toEqual(steps.flatMap((step) => [`first.${step}`, `last.${step}`]));
    expect(guard.counts()).toEqual({ processor: 5 });
    expect(new Set(guard.recent().map(({ operation }) => operation))).toEqual(new Set(['spanProcessors[1]']));
  });

  it('are left out when they fail again and again, and still shut down', async () => {
    const calls: string[] = [];
    const bad = { ...recording('bad', calls), onStart: fail };
    const { guard, hooks } = hooksOf([bad, recording('good', calls)], 'strict');
    hooks.started(SPAN, ROOT_CONTEXT);
    hooks.ended(SPAN);
    await hooks.flush();
    await hooks.shutdown();
    expect(guard.switchedOff()).toEqual(['processor.spanProcessors[0]']);
    expect(calls).toEqual(['good.onStart', 'good.onEnd', 'good.forceFlush', 'bad.shutdown', 'good.shutdown']);
  });

  it('need no onEnding', () => {
    const { guard, hooks } = hooksOf([{ onStart: () => undefined, onEnd: () => undefined }]);
    hooks.ending(SPAN);
    expect(guard.counts()).toEqual({});
    expect(hooks.empty).toBe(false);
    expect(hooksOf([]).hooks.empty).toBe(true);
  });
});
