import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const sources = new URL('../../src/', import.meta.url).href;

it('undici is not loaded before the first request, which has its deadline and its headers all the same', async () => {
  const source = `
    import { createRequire } from 'node:module';
    import { createServer } from 'node:http';
    import { createHttpTransport } from '${sources}infra/http-transport.ts';
    import { systemClock } from '${sources}utils/clock.ts';
    import '${sources}index.ts';
    const isLoaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => /[\\\\/]undici[\\\\/]/.test(file));
    const server = createServer((request, response) => {
      request.resume();
      request.on('end', () => response.end(request.headers.authorization));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const transport = createHttpTransport({ clock: systemClock });
    const url = new URL('http://127.0.0.1:' + server.address().port);
    const before = isLoaded();
    const headers = { authorization: 'first' };
    const request = { url, headers, body: Buffer.from('body'), timeoutMillis: 20_000 };
    const late = transport.send({ ...request, timeoutMillis: 0 });
    const sent = transport.send(request);
    headers.authorization = 'changed';
    const { status, body } = await sent;
    const { reason } = await late;
    process.stdout.write(JSON.stringify([before, isLoaded(), status, String(body), reason]));
    await transport.close();
    server.close();
  `;
  const { stdout } = await run(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', source]);
  expect(JSON.parse(stdout)).toEqual([false, true, 200, 'first', 'timeout']);
});
