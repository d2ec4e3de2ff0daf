import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate } from 'node:timers/promises';
import type { CallFailure, CallScope } from '../../src/processing/call-scope.ts';

const current = new AsyncLocalStorage<string>();

/** A real scope (its context is an AsyncLocalStorage) that records how often and how it was ended. */
export class RecordedCall implements CallScope {
  readonly ends: (CallFailure | 'success')[] = [];
  readonly name: string;

  constructor(name = 'call') {
    this.name = name;
  }

  /** Name of the call whose context is active. */
  static get active(): string | undefined {
    return current.getStore();
  }

  run<T>(fn: () => T): T {
    return current.run(this.name, fn);
  }

  end(failure?: CallFailure): void {
    this.ends.push(failure ?? 'success');
  }
}

/** Values that are hard to carry through unchanged. */
export function createOddValues(): unknown[] {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  class NoMessage extends Error {
    override get message(): string {
      throw new Error('getter');
    }
  }
  return [
    undefined,
    null,
    0,
    -0,
    Number.NaN,
    '',
    'text',
    false,
    true,
    10n,
    Symbol('thrown'),
    () => 'function',
    class Thrown {},
    [],
    cyclic,
    Object.create(null),
    Object.freeze(new Error('frozen')),
    new NoMessage(),
    new AggregateError([new Error('inner')], 'many'),
    new DOMException('aborted', 'AbortError'),
    revoked.proxy,
    createHostileProxy(),
    new Date(Number.NaN),
    /regexp/,
  ];
}

/** Throws, whatever is asked of it. */
export function createHostileProxy(): object {
  const refuse = (): never => {
    throw new Error('hostile');
  };
  return new Proxy({}, new Proxy({}, { get: () => refuse }));
}

/** Lets everything run that is due: microtasks, ticks, and stream events. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await setImmediate();
}
