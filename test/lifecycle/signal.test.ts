import { expect, it } from 'vitest';
import { Signal } from '../../src/lifecycle/signal.ts';
import { settle } from '../support/fake-clock.ts';

it('a signal wakes all who wait at that moment, once, and nobody who comes later', async () => {
  const signal = new Signal();
  const woken: string[] = [];
  const wait = (name: string): void => {
    void signal.wait().then(() => woken.push(name));
  };
  signal.raise();
  wait('a');
  wait('b');
  await settle();
  expect(woken).toEqual([]);
  signal.raise();
  wait('c');
  await settle();
  expect(woken).toEqual(['a', 'b']);
  signal.raise();
  signal.raise();
  await settle();
  expect(woken).toEqual(['a', 'b', 'c']);
});
