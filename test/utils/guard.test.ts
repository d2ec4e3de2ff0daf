import { describe, expect, it } from 'vitest';
import { Guard, type ResilienceLevel } from '../../src/utils/guard.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';

interface Line {
  readonly component: string;
  readonly operation: string;
  readonly suppressed: number;
  readonly tenantId?: string;
  readonly error: string;
}

function guardOf(level: ResilienceLevel = 'balanced') {
  const clock = new FakeClock();
  const lines: Line[] = [];
  const write = (fields: object): void => void lines.push(fields as Line);
  const logger = { debug: write, info: write, warn: write, error: write };
  return { clock, lines, guard: new Guard({ clock, level, logger }) };
}

const fail = (): never => {
  throw new Error('broken');
};

describe('a guard', () => {
  it('answers the result, or the fallback for a function that throws', () => {
    const { guard } = guardOf();
    expect(guard.run('api', 'good', () => 'result', 'fallback')).toBe('result');
    expect(guard.run('api', 'bad', fail, 'fallback')).toBe('fallback');
  });

  it('counts failures by component and remembers the latest 20', () => {
    const { guard, clock } = guardOf();
    guard.report('sampler', 'first', new Error('first'));
    for (let index = 0; index < 20; index += 1) {
      clock.advance(1);
      guard.report('exporter', 'export', `failure ${index}`);
    }
    expect(guard.counts()).toEqual({ sampler: 1, exporter: 20 });
    const recent = guard.recent();
    expect(recent.map(({ message }) => message)).toEqual(Array.from({ length: 20 }, (_, index) => `failure ${index}`));
    expect(recent[19]).toEqual({
      component: 'exporter',
      operation: 'export',
      message: 'failure 19',
      at: clock.now(),
    });
  });

  it('writes one line a burst and in the next the number that it kept back', () => {
    const { guard, lines, clock } = guardOf();
    for (let index = 0; index < 1_000; index += 1) guard.report('processor', 'onEnd', new Error('again'));
    guard.report('processor', 'onStart', new Error('another kind'));
    expect(lines).toMatchObject([
      { component: 'processor', operation: 'onEnd', suppressed: 0, error: 'Error: again' },
      { component: 'processor', operation: 'onStart', suppressed: 0 },
    ]);
    clock.advance(60_000);
    guard.report('processor', 'onEnd', new Error('again'));
    expect(lines[2]).toMatchObject({ operation: 'onEnd', suppressed: 999 });
  });

  it('forgets the oldest kinds of failure when their names have no end', () => {
    const { guard, lines } = guardOf();
    for (let index = 0; index < 101; index += 1) guard.report('headers', `header ${index}`, 'bad');
    guard.report('headers', 'header 100', 'known');
    expect(lines).toHaveLength(101);
    guard.report('headers', 'header 0', 'forgotten');
    expect(lines).toHaveLength(102);
  });

  it('tells its parent, which names the tenant in its lines and remembers it', () => {
    const { guard, lines, clock } = guardOf();
    const child = new Guard({ clock, level: 'balanced', tenantId: 'acme', parent: guard });
    child.report('configure', 'configure', new Error('no database'));
    expect(guard.counts()).toEqual({ configure: 1 });
    expect(guard.recent()).toMatchObject([{ tenantId: 'acme', message: 'Error: no database' }]);
    expect(lines).toMatchObject([{ tenantId: 'acme', component: 'configure' }]);
  });

  it.each([
    ['throws', fail],
    ['rejects', () => Promise.reject(new Error('broken'))],
  ])('survives a logger that %s, and counts it', async (_, warn) => {
    const clock = new FakeClock();
    const logger = { debug: fail, info: fail, warn, error: fail } as never;
    const guard = new Guard({ clock, level: 'balanced', logger });
    guard.report('sampler', 'shouldSample', new Error('first'));
    await settle();
    expect(guard.counts()).toEqual({ sampler: 1, logger: 1 });
  });

  it('survives a clock that throws and an error that cannot be read', () => {
    const clock = Object.assign(new FakeClock(), { now: fail });
    expect(() => new Guard({ clock, level: 'strict' }).report('api', 'x', new Error('lost'))).not.toThrow();
    const { guard } = guardOf();
    guard.report('api', 'x', Object.defineProperty(new Error(''), 'message', { get: fail }));
    expect(guard.recent()[0]?.message).toBe('an error that cannot be described');
  });
});

describe('a hook switch', () => {
  it.each([
    ['strict', 1],
    ['balanced', 10],
    ['resilient', 10],
  ] as const)('at level %s is off after %i failures within a minute, and says so once', (level, allowed) => {
    const { guard, clock, lines } = guardOf(level);
    const hook = guard.hook('sampler', 'shouldSample');
    let calls = 0;
    for (let index = 0; index < 30; index += 1) {
      clock.advance(100);
      hook.run(() => {
        calls += 1;
        return fail();
      }, 'fallback');
    }
    expect(calls).toBe(allowed);
    expect(guard.counts()).toEqual({ sampler: allowed });
    expect(guard.switchedOff()).toEqual(['sampler.shouldSample']);
    expect(lines.filter(({ operation }) => operation === 'shouldSample (switched off)')).toHaveLength(1);
  });

  it('counts failures within any minute, not within fixed ones', () => {
    const { guard, clock } = guardOf();
    const hook = guard.hook('processor', 'p');
    hook.failed('long ago');
    clock.advance(59_000);
    for (let index = 0; index < 5; index += 1) hook.failed('before the minute is over');
    clock.advance(2_000);
    for (let index = 0; index < 4; index += 1) hook.failed('after it');
    expect(hook.on).toBe(true);
    hook.failed('the tenth within a minute');
    expect(hook.on).toBe(false);
  });

  it('stays on with failures now and then', () => {
    const { guard, clock } = guardOf();
    const hook = guard.hook('processor', 'p');
    for (let index = 0; index < 100; index += 1) {
      hook.failed('now and then');
      clock.advance(6_700);
    }
    expect(hook.on).toBe(true);
  });

  it('is off for good at level balanced', () => {
    const { guard, clock } = guardOf('balanced');
    const hook = guard.hook('exporter', 'export');
    for (let index = 0; index < 10; index += 1) hook.failed('broken');
    clock.advance(24 * 3_600_000);
    expect(hook.on).toBe(false);
  });

  it('is tried again after 30 seconds at level resilient: one more failure switches it off, good calls keep it on', () => {
    const { guard, clock } = guardOf('resilient');
    const hook = guard.hook('exporter', 'export');
    for (let index = 0; index < 10; index += 1) hook.failed('broken');
    clock.advance(29_999);
    expect(hook.run(() => 'called', 'fallback')).toBe('fallback');
    clock.advance(1);
    expect(guard.switchedOff()).toEqual([]);
    expect(hook.run(() => 'called', 'fallback')).toBe('called');
    hook.failed('still broken');
    expect(hook.on).toBe(false);
    clock.advance(30_000);
    expect(hook.run(() => 'called', 'fallback')).toBe('called');
    clock.advance(60_001);
    hook.failed('once');
    expect(hook.on).toBe(true);
  });

  it('follows a change of the level', () => {
    const { guard } = guardOf('balanced');
    const hook = guard.hook('exporter', 'export');
    guard.level = 'strict';
    hook.failed('once');
    expect(hook.on).toBe(false);
  });

  it('takes the place of an earlier one of the same name', () => {
    const { guard } = guardOf('strict');
    guard.hook('exporter', 'export').failed('broken');
    expect(guard.switchedOff()).toEqual(['exporter.export']);
    guard.hook('exporter', 'export');
    expect(guard.switchedOff()).toEqual([]);
  });

  it('counts the rejection of a promise that the hook returns, and lets it go no further', async () => {
    const { guard } = guardOf();
    const hook = guard.hook('processor', 'p');
    const returned = hook.run(() => Promise.reject(new Error('later')), undefined);
    await settle();
    expect(guard.counts()).toEqual({ processor: 1 });
    await expect(returned).rejects.toThrow('later');
  });
});
