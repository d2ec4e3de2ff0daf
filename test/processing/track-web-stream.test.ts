import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { trackResult } from '../../src/processing/track-result.ts';
import { createOddValues, RecordedCall, settle } from './recorded-call.ts';

function create(chunks: readonly string[], seen: unknown[] = []): ReadableStream<string> {
  const rest = [...chunks];
  return new ReadableStream<string>(
    {
      pull(controller) {
        seen.push(RecordedCall.active);
        const chunk = rest.shift();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel(reason) {
        seen.push(`cancelled: ${String(reason)}`);
      },
    },
    { highWaterMark: 0 },
  );
}

async function readAll<T>(stream: ReadableStream<T>): Promise<T[]> {
  const chunks: T[] = [];
  const reader = stream.getReader();
  for (let step = await reader.read(); !step.done; step = await reader.read()) chunks.push(step.value);
  return chunks;
}

function createSink(chunks: unknown[] = []): WritableStream<string> {
  return new WritableStream({ write: (chunk) => void chunks.push(chunk) });
}

const consumers: [string, (stream: ReadableStream<string>) => Promise<unknown>][] = [
  ['a reader', readAll],
  [
    'async iteration',
    async (stream) => {
      const chunks: unknown[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      return chunks;
    },
  ],
  [
    'values()',
    async (stream) => {
      const chunks: unknown[] = [];
      for await (const chunk of stream.values()) chunks.push(chunk);
      return chunks;
    },
  ],
  [
    'values() that keep the stream',
    async (stream) => {
      const chunks: unknown[] = [];
      for await (const chunk of stream.values({ preventCancel: true })) chunks.push(chunk);
      return chunks;
    },
  ],
  [
    'pipeTo',
    async (stream) => {
      const chunks: unknown[] = [];
      await stream.pipeTo(createSink(chunks));
      return chunks;
    },
  ],
  ['pipeThrough', (stream) => readAll(stream.pipeThrough(new TransformStream<string, string>()))],
  ['one branch of tee', (stream) => readAll(stream.tee()[0])],
  ['both branches of tee', async (stream) => (await Promise.all(stream.tee().map(readAll)))[1]],
  ['tee twice', async (stream) => readAll(stream.tee()[1].tee()[0])],
  ['Readable.fromWeb', (stream) => Readable.fromWeb(stream as never, { objectMode: true }).toArray()],
  [
    'two readers',
    async (stream) => {
      const first = stream.getReader();
      const { value } = await first.read();
      first.releaseLock();
      return [value, ...(await readAll(stream))];
    },
  ],
];

describe('a web stream', () => {
  it.each(consumers)(
    'is the same object, not started, and ends the call when it is consumed by %s',
    async (_title, consume) => {
      const call = new RecordedCall('stream');
      const seen: unknown[] = [];
      const stream = create(['a', 'b'], seen);
      const tracked = trackResult(stream, call);
      expect(tracked).toBe(stream);
      await settle();
      expect(seen).toEqual([]);
      expect(tracked.locked).toBe(false);
      expect(await consume(tracked)).toEqual(['a', 'b']);
      await settle();
      expect(call.ends).toEqual(['success']);
      expect(seen[0]).toBe('stream');
      expect(seen.length).toBe(3);
      expect(Reflect.ownKeys(tracked).filter((key) => typeof key === 'string')).toEqual([]);
    },
  );

  it('ends the call before the consumer sees the end', async () => {
    const call = new RecordedCall();
    const reader = trackResult(create(['a']), call).getReader();
    await reader.read();
    expect(call.ends).toEqual([]);
    expect(await reader.read().then(({ done }) => [done, call.ends.length])).toEqual([true, 1]);
  });

  it('reads inside the call and leaves the context of the consumer alone', async () => {
    const seen: unknown[] = [];
    const tracked = trackResult(create(['a', 'b'], seen), new RecordedCall('stream'));
    await new RecordedCall('consumer').run(async () => {
      for await (const _ of tracked) expect(RecordedCall.active).toBe('consumer');
    });
    expect(seen).toEqual(['stream', 'stream', 'stream']);
  });

  const exits: [string, (stream: ReadableStream<string>) => Promise<unknown>][] = [
    ['cancel()', (stream) => stream.cancel('enough')],
    ["the reader's cancel()", (stream) => stream.getReader().cancel('enough')],
    [
      'a break',
      async (stream) => {
        for await (const _ of stream) break;
      },
    ],
    ['an iterator that is returned at once', async (stream) => stream.values().return?.()],
    [
      'a break behind a pipe',
      async (stream) => {
        for await (const _ of stream.pipeThrough(new TransformStream<string, string>())) break;
        await settle();
      },
    ],
    ['cancelling both branches', (stream) => Promise.all(stream.tee().map((branch) => branch.cancel()))],
    [
      'a reader after another',
      async (stream) => {
        const first = stream.getReader();
        await first.read();
        first.releaseLock();
        await stream.cancel();
      },
    ],
  ];
  it.each(exits)('ends the call once when it is left early by %s', async (_title, leave) => {
    const call = new RecordedCall();
    const seen: unknown[] = [];
    await leave(trackResult(create(['a', 'b', 'c'], seen), call));
    expect(seen.at(-1)).toMatch(/^cancelled/);
    expect(call.ends).toEqual(['success']);
  });

  it('ends 1,000 of 1,000 calls that are left early', async () => {
    const calls = Array.from({ length: 1_000 }, () => new RecordedCall());
    await Promise.all(
      calls.map(async (call, index) => exits[index % exits.length]?.[1](trackResult(create(['a', 'b']), call))),
    );
    expect(calls.filter((call) => call.ends.length !== 1)).toEqual([]);
  });

  it.each(consumers)('ends the call with its very error under %s', async (_title, consume) => {
    const error = new Error('source');
    const call = new RecordedCall();
    const stream = new ReadableStream<string>(
      {
        pull(controller) {
          controller.error(error);
        },
      },
      { highWaterMark: 0 },
    );
    await expect(consume(trackResult(stream, call))).rejects.toBe(error);
    await settle();
    expect(call.ends).toEqual([{ error }]);
  });

  it('carries odd errors through', async () => {
    for (const error of createOddValues()) {
      const call = new RecordedCall();
      const stream = new ReadableStream<string>(
        { pull: (controller) => controller.error(error) },
        { highWaterMark: 0 },
      );
      let caught: { error: unknown } | undefined;
      await readAll(trackResult(stream, call)).catch((thrown: unknown) => {
        caught = { error: thrown };
      });
      expect(caught !== undefined && Object.is(caught.error, error)).toBe(true);
      expect(call.ends.length).toBe(1);
    }
  });

  it('reads bytes into the buffer of a BYOB reader', async () => {
    const call = new RecordedCall();
    const rest = [1, 2, 3];
    const stream = new ReadableStream({
      type: 'bytes',
      pull(controller) {
        const byte = rest.shift();
        if (byte === undefined) {
          controller.close();
          controller.byobRequest?.respond(0);
        } else {
          controller.enqueue(Uint8Array.of(byte));
        }
      },
    });
    const reader = trackResult(stream, call).getReader({ mode: 'byob' });
    expect(reader).toBeInstanceOf(ReadableStreamBYOBReader);
    const bytes: number[] = [];
    for (let step = await reader.read(new Uint8Array(8)); !step.done; step = await reader.read(new Uint8Array(8))) {
      bytes.push(...step.value);
    }
    expect(bytes).toEqual([1, 2, 3]);
    expect(call.ends).toEqual(['success']);
  });

  it('is the body of a response', async () => {
    const call = new RecordedCall();
    const encoded = create(['a', 'b']).pipeThrough(new TextEncoderStream());
    expect(await new Response(trackResult(encoded, call) as never).text()).toBe('ab');
    expect(call.ends).toEqual(['success']);
  });

  it('stays open while one branch is cancelled and the other is read', async () => {
    const call = new RecordedCall();
    const [left, right] = trackResult(create(['a', 'b']), call).tee();
    const cancelled = left.getReader().cancel();
    await settle();
    expect(call.ends).toEqual([]);
    expect(await readAll(right)).toEqual(['a', 'b']);
    await cancelled;
    expect(call.ends).toEqual(['success']);
  });

  it('stays open when its lock is released, and when an iteration that keeps it is left', async () => {
    const call = new RecordedCall();
    const tracked = trackResult(create(['a', 'b', 'c']), call);
    const reader = tracked.getReader();
    await reader.read();
    reader.releaseLock();
    await expect(reader.closed).rejects.toBeInstanceOf(TypeError);
    for await (const _ of tracked.values({ preventCancel: true })) break;
    await settle();
    expect(call.ends).toEqual([]);
    expect(await readAll(tracked)).toEqual(['c']);
    expect(call.ends).toEqual(['success']);
  });

  it('fails in the same way as before, and stays open, while it is locked', async () => {
    const call = new RecordedCall();
    const tracked = trackResult(create(['a']), call);
    const reader = tracked.getReader();
    expect(() => tracked.getReader()).toThrow(TypeError);
    expect(() => tracked.tee()).toThrow(TypeError);
    expect(() => tracked.values()).toThrow(TypeError);
    expect(() => tracked.pipeThrough(new TransformStream())).toThrow(TypeError);
    await expect(tracked.cancel()).rejects.toBeInstanceOf(TypeError);
    await expect(tracked.pipeTo(createSink())).rejects.toBeInstanceOf(TypeError);
    expect(call.ends).toEqual([]);
    await reader.cancel();
    expect(call.ends).toEqual(['success']);
  });

  it('refuses the arguments that it refused before', () => {
    const call = new RecordedCall();
    const tracked = trackResult(create(['a']), call);
    expect(() => tracked.pipeThrough(undefined as never)).toThrow(TypeError);
    expect(() => tracked.pipeThrough({} as never)).toThrow(TypeError);
    expect(() => tracked.pipeThrough(new TransformStream(), { signal: 'no' as never })).toThrow(TypeError);
    expect(() => tracked.getReader({ mode: 'odd' as never })).toThrow(TypeError);
    expect(tracked.locked).toBe(false);
    expect(call.ends).toEqual([]);
  });

  it('ends the call with the error of its target or of an abort', async () => {
    const error = new Error('target');
    const failing = new WritableStream<string>({ write: () => Promise.reject(error) });
    const piped = new RecordedCall();
    await expect(trackResult(create(['a']), piped).pipeTo(failing)).rejects.toBe(error);
    expect(piped.ends).toEqual([{ error }]);

    const aborted = new RecordedCall();
    const signal = AbortSignal.abort(error);
    await expect(trackResult(create(['a']), aborted).pipeTo(createSink(), { signal })).rejects.toBe(error);
    expect(aborted.ends).toEqual([{ error }]);
  });

  it('stays open when a pipe that keeps it is left', async () => {
    const call = new RecordedCall();
    const tracked = trackResult(create(['a', 'b', 'c']), call);
    for await (const _ of tracked.pipeThrough(new TransformStream<string, string>(), { preventCancel: true })) break;
    await settle();
    expect(call.ends).toEqual([]);
    expect(tracked.locked).toBe(false);
    await tracked.cancel();
    expect(call.ends).toEqual(['success']);
  });

  it('ends the call at once when a pipe leads to a stream that it cannot judge', () => {
    const call = new RecordedCall();
    const pair = new TransformStream<string, string>();
    const { readable } = pair;
    Object.setPrototypeOf(readable, Object.create(null) as object);
    expect(trackResult(create(['a']), call).pipeThrough(pair) === readable).toBe(true);
    expect(call.ends).toEqual(['success']);
  });

  it('ends the call at once when somebody reads it already', async () => {
    const stream = create(['a']);
    const reader = stream.getReader();
    const call = new RecordedCall();
    expect(trackResult(stream, call)).toBe(stream);
    expect(call.ends).toEqual(['success']);
    await reader.cancel();
  });

  it('ends every call that handed it on', async () => {
    const inner = new RecordedCall('inner');
    const outer = new RecordedCall('outer');
    const seen: unknown[] = [];
    const tracked = trackResult(trackResult(create(['a'], seen), inner), outer);
    await settle();
    expect(await readAll(tracked)).toEqual(['a']);
    expect(seen).toEqual(['inner', 'inner']);
    expect([inner.ends, outer.ends]).toEqual([['success'], ['success']]);
  });
});
