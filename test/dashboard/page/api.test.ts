import { EventEmitter, once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ask, askEarly, isPassing, startSession, tokenNeeded } from '../../../src/dashboard/page/state/api.ts';

async function urlOf(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

describe('a question of the page', () => {
  it('is answered with a connection error when the body is cut off, and not with nothing', async () => {
    const url = await urlOf((_request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('{"traces":', () => response.destroy());
    });
    const expected = { error: { status: 0, message: 'the answer of the dashboard was cut off' } };
    expect(await ask(url)).toEqual(expected);
    askEarly(url);
    expect(await ask(url)).toEqual(expected);
  });

  it('rejects when it is aborted while the body comes', async () => {
    const abort = new AbortController();
    const url = await urlOf((_request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('{"traces":');
    });
    const fetched = globalThis.fetch;
    onTestFinished(() => {
      globalThis.fetch = fetched;
    });
    // Aborted once the headers are there.
    globalThis.fetch = async (...args) => {
      const response = await fetched(...args);
      setImmediate(() => abort.abort());
      return response;
    };
    await expect(ask(url, abort.signal)).rejects.toThrow('aborted');
  });

  it('tells what an error says, also one that no dashboard made', async () => {
    const answers = [JSON.stringify({ error: { message: 'no such trace' } }), '<h1>bad gateway</h1>', ''];
    const url = await urlOf((_request, response) => void response.writeHead(502).end(answers.shift()));
    expect(await ask(url)).toEqual({ error: { status: 502, message: 'no such trace' } });
    for (let at = 0; at < 2; at += 1) {
      expect(await ask(url)).toEqual({ error: { status: 502, message: 'the dashboard answered 502' } });
    }
  });

  it('says that nobody answers', async () => {
    const url = await urlOf((request) => void request.destroy());
    expect(await ask(url)).toEqual({ error: { status: 0, message: 'the dashboard does not answer' } });
  });

  it('may be asked again where nobody could answer, and not where the answer is no', () => {
    const passing = [0, 400, 401, 403, 404, 429, 500, 502, 503].filter((status) => isPassing({ status, message: '' }));
    expect(passing).toEqual([0, 429, 500, 502, 503]);
  });
});

describe('a session of the page', () => {
  /** Answers what the page asks for, each address with what is next for it. */
  function answer(by: Readonly<Record<string, () => Promise<Response>>>): void {
    const fetched = globalThis.fetch;
    onTestFinished(() => {
      globalThis.fetch = fetched;
      tokenNeeded.value = false;
    });
    globalThis.fetch = (path) => (by[String(path)] as () => Promise<Response>)();
  }
  const response = (status: number) => Promise.resolve(new Response(null, { status }));

  it('goes on when a question from before it is refused afterwards', async () => {
    const steps = new EventEmitter();
    const refused = once(steps, 'refused').then(() => response(401));
    answer({
      '/api/v1/stats': () => refused,
      '/api/v1/tenants': () => response(401),
      '/api/v1/session': () => response(204),
    });
    const before = ask('/api/v1/stats');
    expect(await startSession('a-token')).toBeUndefined();
    steps.emit('refused');
    expect(await before).toMatchObject({ error: { status: 401 } });
    expect(tokenNeeded.value).toBe(false);
    await ask('/api/v1/tenants');
    expect(tokenNeeded.value).toBe(true);
  });

  it('says why it does not begin: a token that is not known, or a dashboard that does not answer', async () => {
    const answers = [() => response(401), () => Promise.reject(new TypeError('no connection')), () => response(502)];
    answer({ '/api/v1/session': () => (answers.shift() as () => Promise<Response>)() });
    const unknown = 'The dashboard does not know this token.';
    expect(await startSession('a-token')).toBe(unknown);
    expect(await startSession('a-token')).toBe('The dashboard does not answer.');
    expect(await startSession('a-token')).toBe('The dashboard answered 502.');
    expect(await startSession('a\ntoken')).toBe(unknown);
  });
});
