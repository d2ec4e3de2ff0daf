import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Agenda } from '../../src/processing/agenda.ts';
import { type BudgetUser, ByteBudget } from '../../src/processing/byte-budget.ts';
import { SpanByteQueue } from '../../src/processing/byte-queue.ts';
import { createChunkPool } from '../../src/processing/chunk-pool.ts';
import { ProtoWriter } from '../../src/processing/proto-writer.ts';
import type { SpanDestination } from '../../src/processing/span-attempt.ts';
import type { SpanBatch } from '../../src/processing/span-batch.ts';
import { SpanCargo } from '../../src/processing/span-cargo.ts';
import { encodeSpan } from '../../src/processing/span-encoder.ts';
import { PROTOBUF } from '../../src/processing/wire-format.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { allSpans, decodeTraceRequest } from '../support/otlp-decoder.ts';
import { endedSpan } from './ended-spans.ts';
import { FakeGrpcTransport, FakeTransport, PLAIN_WIRE, response } from './fake-transport.ts';

interface CargoOptions extends Partial<SpanDestination> {
  readonly maxBytes?: number;
  readonly maxTotalBytes?: number;
  readonly budget?: ByteBudget;
}

function cargoWith({ maxBytes = 1_000_000, maxTotalBytes = 1_000_000, budget, ...destination }: CargoOptions = {}) {
  const clock = new FakeClock();
  const agenda = new Agenda(clock);
  const chunks = createChunkPool();
  const transport = new FakeTransport();
  const shared = budget ?? new ByteBudget(maxTotalBytes);
  const lost: number[] = [];
  const target: SpanDestination = {
    ...PLAIN_WIRE,
    url: new URL('https://otlp.test/v1/traces?key=secret'),
    timeoutMillis: 10_000,
    headers: () => ({ authorization: 'Bearer one' }),
    ...destination,
  };
  const cargo = new SpanCargo({
    destination: target,
    queue: new SpanByteQueue({ chunks, maxSize: 1_000, maxBytes }),
    maxBatchSize: 10,
    maxBatchBytes: 100_000,
    budget: shared,
    via: { agenda, clock, transport, grpc: new FakeGrpcTransport() },
    framer: { frame: (batch) => PROTOBUF.frame(new Uint8Array(0), [], batch) },
  });
  cargo.tell({ lost: (count) => lost.push(count) });
  return { agenda, budget: shared, cargo, chunks, clock, lost, signal: new AbortController().signal, transport };
}

function push(cargo: SpanCargo, name: string): boolean {
  const writer = new ProtoWriter();
  encodeSpan(writer, endedSpan(name));
  return cargo.push(writer.buffer, 0, writer.position, 0);
}

function take(cargo: SpanCargo): SpanBatch {
  const batch = cargo.take();
  if (batch === undefined) throw new Error('nothing waits');
  return batch;
}

describe('a request', () => {
  it('has the spans in order, the headers of the moment and the rest of the deadline', async () => {
    const { cargo, signal, transport } = cargoWith();
    for (const name of ['a', 'b', 'c']) push(cargo, name);
    await expect(cargo.attempt(take(cargo), signal)).resolves.toEqual({ status: 'success', rejected: 0 });

    const [request] = transport.requests;
    expect(request?.url.href).toBe('https://otlp.test/v1/traces?key=secret');
    expect(request?.timeoutMillis).toBe(10_000);
    expect(request?.headers).toEqual({
      authorization: 'Bearer one',
      'content-type': 'application/x-protobuf',
    });
    const spans = allSpans(decodeTraceRequest(request?.body as Uint8Array));
    expect(spans.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });

  it('reads the headers anew for every attempt', async () => {
    let reads = 0;
    const headers = async (): Promise<Record<string, string>> => {
      reads += 1;
      return { authorization: `Bearer ${reads}` };
    };
    const { cargo, signal, transport } = cargoWith({ headers });
    push(cargo, 'a');
    const batch = take(cargo);
    transport.answer = () => response(401);
    await cargo.attempt(batch, signal);
    await cargo.attempt(batch, signal);
    expect(transport.requests.map((request) => request.headers['authorization'])).toEqual(['Bearer 1', 'Bearer 2']);
    expect(transport.requests[0]?.body).toEqual(transport.requests[1]?.body);
  });

  it('is compressed from a kilobyte on', async () => {
    const { cargo, signal, transport } = cargoWith({ compression: 'gzip' });
    push(cargo, 'small');
    await cargo.attempt(take(cargo), signal);
    for (let index = 0; index < 10; index += 1) push(cargo, `${index}`.repeat(500));
    await cargo.attempt(take(cargo), signal);

    const [small, large] = transport.requests;
    expect(small?.headers['content-encoding']).toBeUndefined();
    expect(large?.headers['content-encoding']).toBe('gzip');
    expect(large?.body.length).toBeLessThan(2_000);
    expect(allSpans(decodeTraceRequest(gunzipSync(large?.body as Uint8Array)))).toHaveLength(10);
  });

  it('is not made while the headers cannot be had', async () => {
    const failing = cargoWith({ headers: () => Promise.reject(new Error('vault is sealed')) });
    push(failing.cargo, 'a');
    await expect(failing.cargo.attempt(take(failing.cargo), failing.signal)).resolves.toMatchObject({
      status: 'retryable',
      reason: 'hook',
      message: expect.stringContaining('vault is sealed'),
    });
    const throwing = cargoWith({
      headers: () => {
        throw new Error('no vault');
      },
    });
    push(throwing.cargo, 'a');
    const outcome = await throwing.cargo.attempt(take(throwing.cargo), throwing.signal);
    expect(outcome).toMatchObject({ status: 'retryable', reason: 'hook' });
    expect([...failing.transport.requests, ...throwing.transport.requests]).toEqual([]);
  });

  it('fails in time when the headers never come', async () => {
    const { agenda, cargo, clock, signal, transport } = cargoWith({ headers: () => new Promise(() => {}) });
    push(cargo, 'a');
    const attempt = cargo.attempt(take(cargo), signal);
    clock.advance(10_000);
    await expect(attempt).resolves.toMatchObject({ status: 'retryable', reason: 'hook' });
    expect([transport.requests.length, agenda.size]).toEqual([0, 0]);
  });

  it('ends with its signal when the headers never come', async () => {
    const { cargo, transport } = cargoWith({ headers: () => new Promise(() => {}) });
    const controller = new AbortController();
    push(cargo, 'a');
    const attempt = cargo.attempt(take(cargo), controller.signal);
    controller.abort();
    await expect(attempt).resolves.toMatchObject({ status: 'retryable', reason: 'aborted' });
    expect(transport.requests).toEqual([]);
  });

  it('has less time after headers that took long', async () => {
    const waiting: ((headers: Record<string, string>) => void)[] = [];
    const { cargo, clock, signal, transport } = cargoWith({
      headers: () =>
        new Promise((resolve) => {
          waiting.push(resolve);
        }),
    });
    push(cargo, 'a');
    const attempt = cargo.attempt(take(cargo), signal);
    clock.advance(9_000);
    waiting[0]?.({});
    await attempt;
    expect(transport.requests[0]?.timeoutMillis).toBe(1_000);
  });

  it('is described without its query', () => {
    const { cargo } = cargoWith();
    expect([cargo.destination, cargo.origin]).toEqual(['https://otlp.test/v1/traces', 'https://otlp.test']);
  });
});

describe('the budget', () => {
  it('counts what waits and what is under way, and nothing in the end, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(stepArbitrary(), { maxLength: 80 }), (steps) => {
        const { budget, cargo, chunks } = cargoWith({ maxBytes: 5_000, maxTotalBytes: 6_000 });
        const taken: SpanBatch[] = [];
        for (const step of steps) {
          if (step.kind === 'push') push(cargo, 'x'.repeat(step.length));
          else if (step.kind === 'shed') cargo.shed(step.length);
          else if (step.kind === 'take') taken.push(...[cargo.take()].filter((batch) => batch !== undefined));
          else endOne(cargo, taken, step.kind);
          expect(budget.used).toBe(cargo.bytes);
          expect(budget.used).toBeLessThanOrEqual(6_000);
        }
        cargo.clear();
        for (const batch of taken) cargo.release(batch);
        expect([budget.used, cargo.bytes, cargo.size, chunks.usedBytes]).toEqual([0, 0, 0, 0]);
      }),
      { numRuns: 500 },
    );
  });

  it('takes the newest spans of the largest, and tells how many', () => {
    const budget = new ByteBudget(200_000);
    const large = cargoWith({ budget, maxBytes: 200_000 });
    const small = cargoWith({ budget, maxBytes: 200_000 });
    let pushed = 0;
    while (push(large.cargo, 'x'.repeat(1_000))) pushed += 1;
    expect(pushed).toBeGreaterThan(150);
    for (let count = 0; count < 20; count += 1) expect(push(small.cargo, 'y'.repeat(1_000))).toBe(true);

    expect(small.lost).toEqual([]);
    expect(large.lost).toHaveLength(1);
    expect(large.cargo.size).toBe(pushed - (large.lost[0] as number));
    expect(budget.used).toBe(large.cargo.bytes + small.cargo.bytes);
  });

  it('that is used up by the queue itself costs just the new span', () => {
    const { budget, cargo, lost } = cargoWith({ maxTotalBytes: 10_000 });
    let pushed = 0;
    while (push(cargo, 'x'.repeat(1_000))) pushed += 1;
    expect([cargo.size, cargo.bytes, lost]).toEqual([pushed, budget.used, []]);
    expect(push(cargo, 'small')).toBe(true);
  });

  it('is not asked for room by a queue that is full itself', () => {
    const budget = new ByteBudget(100_000);
    const full = cargoWith({ budget, maxBytes: 5_000 });
    const large = cargoWith({ budget });
    while (push(full.cargo, 'x'.repeat(1_000)));
    while (push(large.cargo, 'y'.repeat(1_000)));
    expect(budget.used).toBeGreaterThan(98_000);
    for (let count = 0; count < 10; count += 1) expect(push(full.cargo, 'x'.repeat(3_000))).toBe(false);
    expect(large.lost).toEqual([]);
  });

  it('is left when the queue is closed, while what is under way still counts', () => {
    const members = new Set<BudgetUser>();
    class OpenBudget extends ByteBudget {
      override join(user: BudgetUser): void {
        members.add(user);
        super.join(user);
      }

      override leave(user: BudgetUser): void {
        members.delete(user);
        super.leave(user);
      }
    }
    const { budget, cargo } = cargoWith({ budget: new OpenBudget(1_000_000) });
    for (let count = 0; count < 15; count += 1) push(cargo, 'a');
    const batch = take(cargo);
    expect(members.size).toBe(1);
    expect(cargo.clear()).toBe(5);
    expect([members.size, budget.used]).toEqual([0, batch.bytes]);
    cargo.release(batch);
    expect(budget.used).toBe(0);
  });
});

function endOne(cargo: SpanCargo, taken: SpanBatch[], how: string): void {
  const batch = taken.shift();
  if (batch === undefined) return;
  if (how === 'split') taken.push(...(cargo.split(batch) ?? [batch]));
  else cargo.release(batch);
}

function stepArbitrary() {
  return fc.record({
    kind: fc.constantFrom('push', 'push', 'push', 'take', 'release', 'split', 'shed'),
    length: fc.nat({ max: 1_500 }),
  });
}
