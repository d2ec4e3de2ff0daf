import { describe, expect, it } from 'vitest';
import { Agenda } from '../../src/processing/agenda.ts';
import { limitAttempt } from '../../src/processing/attempt-limit.ts';
import { FakeClock } from '../support/fake-clock.ts';

function limits() {
  const clock = new FakeClock();
  const agenda = new Agenda(clock);
  const controller = new AbortController();
  return { clock, agenda, controller, limit: { agenda, endsAt: 1_000, signal: controller.signal } };
}

const never = new Promise<string>(() => {});

describe('limitAttempt', () => {
  it('settles as the work does and leaves nothing in the agenda', async () => {
    const { agenda, limit } = limits();
    const error = new Error('broken');
    await expect(limitAttempt(Promise.resolve('done'), limit)).resolves.toBe('done');
    await expect(limitAttempt(Promise.reject(error), limit)).rejects.toBe(error);
    expect(agenda.size).toBe(0);
  });

  it('ends when the time is over', async () => {
    const { clock, limit } = limits();
    const limited = limitAttempt(never, limit);
    clock.advance(1_000);
    await expect(limited).resolves.toBe('timeout');
  });

  it('ends with the signal, also with one that was aborted before', async () => {
    const { agenda, controller, limit } = limits();
    const limited = limitAttempt(never, limit);
    controller.abort();
    await expect(limited).resolves.toBe('aborted');
    await expect(limitAttempt(never, limit)).resolves.toBe('aborted');
    expect(agenda.size).toBe(0);
  });

  it('swallows a failure that comes after the end', async () => {
    const { controller, limit } = limits();
    let fail = (_error: Error): void => {};
    const work = new Promise<string>((_resolve, reject) => {
      fail = reject;
    });
    const limited = limitAttempt(work, limit);
    controller.abort();
    fail(new Error('too late'));
    await expect(limited).resolves.toBe('aborted');
  });
});
