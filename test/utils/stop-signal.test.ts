import { describe, expect, it, vi } from 'vitest';
import { Stopper, type StopSignal } from '../../src/utils/stop-signal.ts';

describe.each<[string, () => { stop(): void; signal: StopSignal }]>([
  ['Stopper', () => ofStopper()],
  ['AbortController', () => ofController()],
])('%s', (_name, make) => {
  it('calls each listener once, and none that left or came too late', () => {
    const { signal, stop } = make();
    const [stays, leaves, late] = [vi.fn(), vi.fn(), vi.fn()];
    signal.addEventListener('abort', stays, { once: true });
    signal.addEventListener('abort', leaves, { once: true });
    signal.removeEventListener('abort', leaves);
    signal.removeEventListener('abort', late);
    expect(signal.aborted).toBe(false);
    stop();
    stop();
    signal.addEventListener('abort', late, { once: true });
    expect(signal.aborted).toBe(true);
    expect([stays, leaves, late].map((listener) => listener.mock.calls.length)).toEqual([1, 0, 0]);
  });

  it('calls the others when a listener takes itself out', () => {
    const { signal, stop } = make();
    const calls: string[] = [];
    const first = (): void => {
      calls.push('first');
      signal.removeEventListener('abort', first);
    };
    signal.addEventListener('abort', first);
    signal.addEventListener('abort', () => calls.push('second'));
    stop();
    expect(calls).toEqual(['first', 'second']);
  });
});

function ofStopper() {
  const signal = new Stopper();
  return { signal, stop: () => signal.abort() };
}

function ofController() {
  const controller = new AbortController();
  return { signal: controller.signal, stop: () => controller.abort() };
}
