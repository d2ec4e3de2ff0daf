import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClickHouseClient } from '../../../src/dashboard/store/clickhouse/client.ts';

const engine = new URL('../../engine/', import.meta.url);
/** Of the client, which else writes every error to the console. */
const LOG_OFF = 127;
const START_MILLIS = 60_000;
/** Serves until the process is ended; a block of one row, because a block may not sleep for long. */
const QUERY = `SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP;
  SELECT sleepEachRow(3) FROM system.numbers SETTINGS max_block_size = 1 FORMAT Null`;

/** Whether ClickHouse can be served: `npm install --prefix test/engine`, on Linux with glibc. */
export const canServe =
  existsSync(new URL('node_modules/chdb', engine)) &&
  existsSync(new URL('node_modules/ffi-rs', engine)) &&
  process.platform === 'linux';

export interface Servers {
  readonly urls: readonly string[];
  /** The official client, over HTTP. */
  client(index?: number, options?: object): ClickHouseClient;
  /** Ends one of them at once. */
  kill(index: number): Promise<void>;
  close(): Promise<void>;
}

/** So many ClickHouse servers, each a process with its own data, that know each other as the cluster `shards`. */
export async function startServers(count: number): Promise<Servers> {
  const directory = mkdtempSync(path.join(tmpdir(), 'isotrace-clickhouse-'));
  const ports = await Promise.all(Array.from({ length: 2 * count }, freePort));
  const tcpPorts = ports.slice(count);
  const shards = tcpPorts.map((port) => `<shard><replica><host>127.0.0.1</host><port>${port}</port></replica></shard>`);
  const config = path.join(directory, 'config.xml');
  writeFileSync(
    config,
    `<clickhouse><remote_servers><shards>${shards.join('')}</shards></remote_servers></clickhouse>`,
  );
  const children = tcpPorts.map((tcpPort, index) => {
    const data = path.join(directory, `data-${index}`);
    return spawn(
      process.execPath,
      [
        ...[fileURLToPath(new URL('serve.cjs', engine)), `--config-file=${config}`, `--path=${data}`],
        ...[`--http_port=${ports[index]}`, `--tcp_port=${tcpPort}`, '--listen_host=127.0.0.1', `--query=${QUERY}`],
      ],
      { stdio: 'ignore' },
    );
  });
  const endAll = (): void => children.forEach((child) => void child.kill('SIGKILL'));
  process.once('exit', endAll);
  const urls = ports.slice(0, count).map((port) => `http://127.0.0.1:${port}`);
  const close = async (): Promise<void> => {
    await Promise.all(children.map(end));
    process.off('exit', endAll);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await Promise.all(urls.map((url, index) => answers(url, children[index] as ChildProcess)));
  } catch (error) {
    await close();
    throw error;
  }
  const { createClient } = createRequire(new URL('package.json', engine))('@clickhouse/client') as {
    createClient(options: object): ClickHouseClient;
  };
  return {
    urls,
    client: (index = 0, options = {}) => createClient({ url: urls[index], log: { level: LOG_OFF }, ...options }),
    kill: (index) => end(children[index] as ChildProcess),
    close,
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  const endsAt = Date.now() + START_MILLIS;
  while (Date.now() < endsAt && child.exitCode === null) {
    const answer = await fetch(`${url}/ping`).catch(() => undefined);
    if (answer?.ok === true) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
  throw new Error(`ClickHouse does not answer at ${url}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
