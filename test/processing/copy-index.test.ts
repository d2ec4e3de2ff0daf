import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpanByteQueue } from '../../src/processing/byte-queue.ts';
import { createChunkPool } from '../../src/processing/chunk-pool.ts';
import { CopyIndex } from '../../src/processing/copy-index.ts';
import { ProtoWriter } from '../../src/processing/proto-writer.ts';
import type { SpanBatch } from '../../src/processing/span-batch.ts';
import { SpanWire } from '../../src/processing/span-wire.ts';
import { JSON_FORMAT, PROTOBUF, type WireFormat } from '../../src/processing/wire-format.ts';
import { WireParts } from '../../src/processing/wire-parts.ts';
import { systemClock } from '../../src/utils/clock.ts';
import { Guard } from '../../src/utils/guard.ts';
import { decodeTraceRequest } from '../support/otlp-decoder.ts';
import { decodeJsonTraceRequest } from '../support/otlp-json-decoder.ts';
import { endedSpan } from './ended-spans.ts';

const guard = new Guard({ clock: systemClock, level: 'balanced' });

type Step =
  | { readonly kind: 'push'; readonly tenant: number; readonly scope: number }
  | { readonly kind: 'take' | 'dropNewest' | 'release' | 'split' | 'renew'; readonly size: number };

const STEP: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('push'), tenant: fc.nat(3), scope: fc.nat(2) }) },
  fc.record({
    kind: fc.constantFrom('take', 'dropNewest', 'release', 'split', 'renew'),
    size: fc.integer({ min: 1, max: 9 }),
  }),
) as fc.Arbitrary<Step>;

/** A shared queue, its index, and what should be in it. */
class World {
  readonly index = new CopyIndex({ maxSize: 1_000_000, maxBytes: 1_000_000_000 });
  readonly queue: SpanByteQueue;
  readonly format: WireFormat;
  readonly batches: SpanBatch[] = [];
  readonly #writer = new ProtoWriter();
  readonly #wires: SpanWire[];
  #made = 0;
  #epoch = 0;

  constructor(format: WireFormat) {
    this.format = format;
    const removed = (at: number, count: number, bytes: number) => this.index.removed(at, count, bytes);
    this.queue = new SpanByteQueue({
      chunks: createChunkPool(),
      maxSize: 1_000,
      maxBytes: 1_000_000,
      dropped: removed,
    });
    this.#wires = [0, 1, 2, 3].map((tenant) => this.#wire(tenant));
  }

  run(step: Step): void {
    if (step.kind === 'push') this.#push(step.tenant, step.scope);
    else if (step.kind === 'take') {
      const batch = this.queue.take(step.size, 100_000);
      if (batch) this.batches.push(batch);
    } else if (step.kind === 'dropNewest') this.queue.dropNewest(step.size * 40);
    else if (step.kind === 'release') this.#release();
    else if (step.kind === 'split') {
      const halves = this.batches[0]?.split();
      if (halves) this.batches.splice(0, 1, ...halves);
    } else this.#wires[step.size % 4] = this.#wire(step.size % 4);
    this.check();
  }

  /** Every record stands under the resource and scope that it was pushed with. */
  check(): void {
    for (const batch of this.batches) {
      const body = this.format.frameGroups(this.index.groups(batch), batch.bytes);
      const { resourceSpans } = this.format === PROTOBUF ? decodeTraceRequest(body) : decodeJsonTraceRequest(body);
      let count = 0;
      for (const { resource, scopeSpans } of resourceSpans) {
        for (const { scope, spans } of scopeSpans) {
          for (const { name } of spans) {
            const [, of] = name.split(' ');
            expect(`${String(resource.attributes['of'])}/${scope.name}`).toBe(of);
          }
          count += spans.length;
        }
      }
      expect(count).toBe(batch.count);
      const resources = resourceSpans.map(({ resource }) => resource.attributes['of']);
      expect(new Set(resources).size).toBe(resources.length);
    }
  }

  drain(): void {
    while (this.batches.length > 0) this.#release();
    this.queue.clear();
    expect(this.index.size).toBe(0);
  }

  #push(tenant: number, scope: number): void {
    const wire = this.#wires[tenant] as SpanWire;
    const name = `${this.#made++} ${String(this.#of(wire))}/scope-${scope}`;
    this.#writer.reset();
    this.format.encode(this.#writer, endedSpan(name));
    const before = this.queue.bytes;
    wire.noteScope({ index: scope, name: `scope-${scope}` });
    const at = this.index.indexOf(`t${tenant}`, wire, scope);
    if (this.queue.push(this.#writer.buffer, 0, this.#writer.position, at)) {
      this.index.added(at, this.queue.bytes - before);
    } else this.index.unused(at);
  }

  #release(): void {
    const batch = this.batches.shift();
    batch?.tally((at, count, bytes) => this.index.removed(at, count, bytes));
    batch?.release();
  }

  readonly #names = new Map<SpanWire, string>();
  #of(wire: SpanWire): string | undefined {
    return this.#names.get(wire);
  }

  #wire(tenant: number): SpanWire {
    const of = `t${tenant}-${this.#epoch++}`;
    const wire = new SpanWire(this.format, new WireParts(() => ({ of }), guard));
    this.#names.set(wire, of);
    return wire;
  }
}

describe.each([
  ['protobuf', PROTOBUF],
  ['json', JSON_FORMAT],
])('a queue that tenants share, in %s', (_name, format) => {
  it('keeps every record with its resource and scope, whatever is taken, split and dropped', {
    timeout: 60_000,
  }, () => {
    fc.assert(
      fc.property(fc.array(STEP, { maxLength: 60 }), (steps) => {
        const world = new World(format);
        for (const step of steps) world.run(step);
        world.drain();
      }),
      { numRuns: 200 },
    );
  });
});

describe('the shares of tenants', () => {
  const wire = new SpanWire(PROTOBUF, new WireParts(() => ({}), guard));

  /** Pushes records of one byte until the tenant may have no more; answers how many there were. */
  function fill(index: CopyIndex, tenantId: string): number {
    const own = new SpanWire(PROTOBUF, new WireParts(() => ({}), guard));
    let count = 0;
    for (; index.mayAdd(tenantId, 1); count += 1) index.added(index.indexOf(tenantId, own, 0), 1);
    return count;
  }

  it.each([
    { maxSize: 1_000, maxBytes: 1_000_000 },
    { maxSize: 1_000_000, maxBytes: 1_000 },
  ])('leave room for others, however many flood the queue (%j)', (bounds) => {
    const index = new CopyIndex(bounds);
    expect(fill(index, 'first')).toBe(500);
    expect(fill(index, 'second')).toBe(250);
    expect(fill(index, 'third')).toBe(125);
    expect(index.mayAdd('fourth', 1)).toBe(true);
    expect(index.mayAdd('first', 1)).toBe(false);
  });

  it('count what a tenant has under several configurations together', () => {
    const index = new CopyIndex({ maxSize: 100, maxBytes: 1_000_000 });
    expect(fill(index, 'same') + fill(index, 'same')).toBe(50);
  });

  it('are free again with the records, and so are the indices', () => {
    const index = new CopyIndex({ maxSize: 10, maxBytes: 1_000 });
    const at = index.indexOf('a', wire, 0);
    for (let count = 0; count < 5; count += 1) index.added(at, 10);
    expect([index.mayAdd('a', 1), index.size]).toEqual([false, 1]);
    index.removed(at, 4, 40);
    expect([index.mayAdd('a', 1), index.size]).toEqual([true, 1]);
    index.removed(at, 1, 10);
    expect(index.size).toBe(0);
    expect(index.indexOf('b', wire, 7)).toBe(at);
  });
});
