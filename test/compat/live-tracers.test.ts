import { describe, expect, it } from 'vitest';
import { LiveTracers } from '../../src/compat/live-tracers.ts';
import { OpenSpans } from '../../src/compat/open-spans.ts';
import { createTestTracer } from '../../src/testing.ts';

describe('what compat keeps of tracers and spans', () => {
  it('lists the objects that are in use, and forgets those that were deleted', () => {
    const live = new LiveTracers<{ name: string }>();
    const kept = Array.from({ length: 200 }, (_, index) => ({ name: `${index}` }));
    for (const object of kept) live.add(object);
    expect([...live]).toEqual(kept);
    for (const object of kept.slice(1)) live.delete(object);
    live.delete({ name: 'unknown' });
    expect([...live]).toEqual([kept[0]]);
    expect(live.size).toBe(1);
  });

  it('does not grow with objects that nobody holds any more', async () => {
    const live = new LiveTracers<object>();
    for (let round = 0; round < 20; round += 1) {
      for (let index = 0; index < 1_000; index += 1) live.add({ round, index, ballast: new Array(50).fill(index) });
      // Weak references are kept until the turn of the event loop is over.
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      globalThis.gc?.();
    }
    expect(live.size).toBeLessThan(10_000);
  });

  it('knows an open span by its id until it is taken, and no more than it has room for', async () => {
    const kit = createTestTracer();
    const { tracer } = kit;
    const open = new OpenSpans(2);
    const ids = ['a', 'b', 'c'].map((name) => open.add(tracer.startSpan(name)));
    expect(open.size).toBe(2);
    expect(open.get(ids[0])).toBeUndefined();
    expect(open.get(undefined)).toBeUndefined();
    open.take(ids[1] as string)?.end();
    expect(open.take(ids[1] as string)).toBeUndefined();
    open.abandonAll();
    expect(open.size).toBe(0);
    await kit.flush();
    expect(kit.spans.map(({ attributes, name }) => [name, attributes['isotrace.span.abandoned']])).toEqual([
      ['a', true],
      ['b', undefined],
      ['c', true],
    ]);
  });
});
