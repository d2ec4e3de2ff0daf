import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startReceiver } from '../support/otlp-receiver.ts';
import { startProxy } from '../support/proxy.ts';
import { authorityCert, serverCert, serverKey } from '../support/test-certificates.ts';

const TLS = { key: serverKey, cert: serverCert };

/** A process that trusts the authority of the tests everywhere, as a host with a company's proxy does. */
function runChild(script: string): ChildProcess {
  const directory = mkdtempSync(path.join(tmpdir(), 'isotrace-proxy-'));
  const authority = path.join(directory, 'authority.pem');
  writeFileSync(authority, authorityCert);
  const source = (file: string): string => JSON.stringify(new URL(`../../src/${file}`, import.meta.url).href);
  const program = `
    import { createHttpTransport } from ${source('infra/http-transport.ts')};
    import { systemClock } from ${source('utils/clock.ts')};
    import { Secret } from ${source('utils/secret.ts')};
    const transport = createHttpTransport({ clock: systemClock });
    const send = (url, proxy) => transport.send({
      url: new URL(url), proxy: new Secret(new URL(proxy)), headers: {}, body: Buffer.from('x'), timeoutMillis: 600_000,
    });
    ${script}
  `;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NODE_EXTRA_CA_CERTS: authority },
  });
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    rmSync(directory, { recursive: true, force: true });
  });
  return child;
}

it.each(['http', 'https'] as const)(
  'reaches an %s receiver through a proxy over TLS, and lets the process end',
  async (scheme) => {
    const receiver = await startReceiver(scheme === 'https' ? { tls: TLS } : {});
    onTestFinished(() => receiver.close());
    const proxy = await startProxy({ tls: TLS });
    onTestFinished(() => proxy.close());
    const url = `${scheme}://otlp.test:${receiver.port}/v1/metrics`;
    const child = runChild(`
    // Keeps it alive until then.
    process.once('message', () => process.disconnect());
    const results = [await send('${url}', '${proxy.url}'), await send('${url}', '${proxy.url}')];
    process.send(results.map(({ kind, status, message }) => message ?? [kind, status].join(' ')));
    void send('${url}', '${proxy.url}');
  `);
    receiver.setFault((_request, index) => ({ mode: index < 2 ? 'ok' : 'hang' }));
    expect((await once(child, 'message'))[0]).toEqual(['response 200', 'response 200']);
    await receiver.waitForRequests(3, 20_000);
    child.send('the host is done');
    // A request is under way and a connection is open.
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(new Set(proxy.requests.map(({ method }) => method))).toEqual(
      new Set([scheme === 'https' ? 'CONNECT' : 'POST']),
    );
  },
);

it('lets the process end while it waits for a tunnel', async () => {
  const proxy = await startProxy({ fault: 'hang' });
  onTestFinished(() => proxy.close());
  const child = runChild(`void send('https://otlp.test', '${proxy.url}');`);
  child.disconnect();
  expect(await once(child, 'exit')).toEqual([0, null]);
});
