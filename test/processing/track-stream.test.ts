import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addAbortSignal, Duplex, PassThrough, pipeline, Readable, Stream, Transform, Writable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { pipeline as pipelineAsync } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trackResult } from '../../src/processing/track-result.ts';
import { RecordedCall, settle } from './recorded-call.ts';
import { runChild } from './run-child.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'track-stream-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('a readable stream', () => {
  it('stays the same object, does not start to flow, and ends the call when it has been read', async () => {
    const call = new RecordedCall();
    const stream = Readable.from(['a', 'b']);
    const read = stream._read;
    const tracked = trackResult(stream, call);
    expect(tracked).toBe(stream);
    await settle();
    expect(tracked.readableFlowing).toBeNull();
    expect(call.ends).toEqual([]);
    expect(await text(tracked)).toBe('ab');
    await settle();
    expect(call.ends).toEqual(['success']);
    expect(tracked._read).toBe(read);
  });

  it('reads its source inside the call', async () => {
    const call = new RecordedCall('stream');
    const seen: unknown[] = [];
    const source = Readable.from(
      (function* () {
        for (let value = 0; value < 3; value += 1) {
          seen.push(RecordedCall.active);
          yield String(value);
        }
      })(),
    );
    const tracked = trackResult(source, call);
    await new RecordedCall('consumer').run(async () => {
      for await (const _ of tracked) expect(RecordedCall.active).toBe('consumer');
    });
    expect(seen).toEqual(['stream', 'stream', 'stream']);
  });

  const exits: [string, (stream: Readable) => unknown][] = [
    ['destroy()', (stream) => stream.destroy()],
    [
      'a break',
      async (stream) => {
        for await (const _ of stream) break;
      },
    ],
    [
      'a pipeline whose target stops',
      (stream) => {
        const target = new PassThrough();
        pipeline(stream, target, () => {});
        target.destroy();
      },
    ],
  ];
  it.each(exits)('ends the call once, without an error, when it is left early by %s', async (_title, leave) => {
    const call = new RecordedCall();
    await leave(trackResult(Readable.from(['a', 'b', 'c']), call));
    await settle();
    expect(call.ends.length).toBe(1);
  });

  it('ends 1,000 of 1,000 calls that are left early', async () => {
    const calls = Array.from({ length: 1_000 }, () => new RecordedCall());
    await Promise.all(
      calls.map((call, index) => exits[index % 2]?.[1](trackResult(Readable.from(['a', 'b', 'c']), call))),
    );
    await settle();
    expect(calls.filter((call) => call.ends.length !== 1 || call.ends[0] !== 'success')).toEqual([]);
  });

  it('ends the call with its error', async () => {
    const error = new Error('disk');
    const call = new RecordedCall();
    const tracked = trackResult(new Readable({ read: () => {} }), call);
    tracked.on('error', () => {});
    tracked.destroy(error);
    await settle();
    expect(call.ends).toEqual([{ error }]);
  });

  it('ends the call with the reason when it is aborted', async () => {
    const abort = new AbortController();
    const call = new RecordedCall();
    const tracked = trackResult(addAbortSignal(abort.signal, new Readable({ read: () => {} })), call);
    tracked.on('error', () => {});
    abort.abort();
    await settle();
    expect(call.ends).toMatchObject([{ error: { name: 'AbortError' } }]);
  });

  it.each([
    ['destroyed', () => new Readable({ read: () => {} }).destroy()],
    [
      'closed after its end',
      () => {
        const stream = Readable.from([]);
        stream.resume();
        return stream;
      },
    ],
  ])('ends the call also if it is over when it is returned: %s', async (_title, create) => {
    const stream = create();
    await settle();
    const call = new RecordedCall();
    trackResult(stream, call);
    await settle();
    expect(call.ends).toEqual(['success']);
  });

  it('adds listeners once, however often it is handed on, and removes them all', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): number => warnings.push(warning);
    process.on('warning', onWarning);
    const stream = new Readable({ read: () => {} });
    const listeners = (): number => stream.eventNames().reduce((sum, name) => sum + stream.listenerCount(name), 0);
    const before = listeners();
    const calls = Array.from({ length: 200 }, () => new RecordedCall());
    for (const call of calls) trackResult(stream, call);
    expect(stream.listenerCount('error')).toBe(0);
    stream.destroy();
    await settle();
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    expect(calls.every((call) => call.ends.length === 1)).toBe(true);
    expect(listeners()).toBe(before);
  });

  it('reads a file to the end', async () => {
    const path = join(directory, 'read.txt');
    writeFileSync(path, 'x'.repeat(300_000));
    const call = new RecordedCall();
    const content = await buffer(trackResult(createReadStream(path), call));
    await settle();
    expect(content.length).toBe(300_000);
    expect(call.ends).toEqual(['success']);
  });

  it('fails with the error of a missing file', async () => {
    const call = new RecordedCall();
    const tracked = trackResult(createReadStream(join(directory, 'missing')), call);
    await expect(buffer(tracked)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(call.ends).toMatchObject([{ error: { code: 'ENOENT' } }]);
  });
});

describe('other streams', () => {
  it('a writable ends the call when it has been written', async () => {
    const path = join(directory, 'write.txt');
    const call = new RecordedCall();
    const tracked = trackResult(createWriteStream(path), call);
    await pipelineAsync(Readable.from(['a', 'b']), tracked);
    await settle();
    expect(readFileSync(path, 'utf8')).toBe('ab');
    expect(call.ends).toEqual(['success']);
  });

  it('a writable does its work inside the call', async () => {
    const seen: unknown[] = [];
    const note = (_chunk: unknown, _encoding: unknown, done: () => void): void => {
      seen.push(RecordedCall.active);
      done();
    };
    const tracked = trackResult(
      new Writable({ write: note, final: (done) => note(undefined, undefined, done) }),
      new RecordedCall('writable'),
    );
    await pipelineAsync(Readable.from(['a', 'b']), tracked);
    expect(seen).toEqual(['writable', 'writable', 'writable']);
  });

  it('a transform works inside the call, flushes once, and is open until both sides are done', async () => {
    const call = new RecordedCall('transform');
    const seen: unknown[] = [];
    const tracked = trackResult(
      new Transform({
        transform(chunk, _encoding, done) {
          seen.push(RecordedCall.active);
          done(null, String(chunk).toUpperCase());
        },
        flush(done) {
          seen.push('flush');
          done(null, '.');
        },
      }),
      call,
    );
    tracked.end('a');
    await settle();
    expect(call.ends).toEqual([]);
    expect(await text(tracked)).toBe('A.');
    await settle();
    expect(seen).toEqual(['transform', 'flush']);
    expect(call.ends).toEqual(['success']);
  });

  it('a zlib stream keeps working', async () => {
    const call = new RecordedCall();
    const tracked = trackResult(createGzip(), call);
    tracked.end('zipped');
    expect(gunzipSync(await buffer(tracked)).toString()).toBe('zipped');
    await settle();
    expect(call.ends).toEqual(['success']);
  });

  it('a duplex is open while one side is', async () => {
    const call = new RecordedCall();
    const tracked = trackResult(
      new Duplex({
        read() {
          this.push(null);
        },
        write: (_chunk, _encoding, done) => done(),
      }),
      call,
    );
    tracked.resume();
    await settle();
    expect(call.ends).toEqual([]);
    tracked.end('last');
    await settle();
    expect(call.ends).toEqual(['success']);
  });

  it('a legacy stream ends the call with its close', () => {
    const call = new RecordedCall();
    const tracked = trackResult(new Stream(), call);
    tracked.emit('close');
    expect(call.ends).toEqual(['success']);
  });

  it('an error is no more and no less handled than before', async () => {
    const { code, lines } = await runChild(`
      import { Readable } from 'node:stream';
      const stream = watched(() => new Readable({ read() {} }))();
      process.on('exit', () => print('listeners', stream.listenerCount('error')));
      stream.destroy(new Error('x'));
      setTimeout(() => print('survived'), 1_000);`);
    expect(code).toBe(1);
    expect(lines).toEqual(['end error', 'listeners 0']);
  });
});

describe('HTTP messages', () => {
  it('a response ends the call of its handler and of its client when it is sent and read', async () => {
    const handler = new RecordedCall();
    const request = new RecordedCall();
    const client = new RecordedCall();
    const server = createServer((_incoming, response) => {
      trackResult(response.end('hello'), handler);
    }).listen(0);
    const message = await new Promise<IncomingMessage>((resolve) => {
      trackResult(get({ port: (server.address() as AddressInfo).port, agent: false }, resolve), request);
    });
    expect(await text(trackResult(message, client))).toBe('hello');
    await closeServer(server);
    await settle();
    expect([handler.ends, request.ends, client.ends]).toEqual([['success'], ['success'], ['success']]);
  });

  it('a client that goes away ends the call without adding an error to the request', async () => {
    const call = new RecordedCall();
    let closed: (() => void) | undefined;
    const isClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const server = createServer((incoming) => {
      trackResult(incoming, call);
      incoming.on('close', () => closed?.());
      outgoing.destroy();
    }).listen(0);
    const outgoing = get({
      port: (server.address() as AddressInfo).port,
      method: 'POST',
      headers: { 'content-length': 9 },
    });
    outgoing.on('error', () => {});
    outgoing.flushHeaders();
    await isClosed;
    await closeServer(server);
    expect(call.ends).toMatchObject([{ error: { code: 'ECONNRESET' } }]);
  });
});

function closeServer(server: Server): Promise<void> {
  return promisify(server.close.bind(server))();
}
