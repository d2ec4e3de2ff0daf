import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findProgram } from './find-program.ts';

/** A RabbitMQ of one's own, on the loopback interface. */
export interface RabbitMq {
  /** For `amqplib`. */
  readonly url: string;
  stop(): Promise<void>;
}

export interface RabbitMqPrograms {
  readonly server: string;
  readonly epmd: string;
}

const START_LIMIT_MILLIS = 90_000;
const STOP_LIMIT_MILLIS = 10_000;

/**
 * Where the programs are; `undefined` when they are not installed. Debian's command on the path changes the user, and
 * refuses all but two: the script behind it does not.
 */
export function findRabbitMq(): RabbitMqPrograms | undefined {
  const server = '/usr/lib/rabbitmq/bin/rabbitmq-server';
  const epmd = findProgram('epmd');
  return existsSync(server) && epmd !== undefined ? { server, epmd } : undefined;
}

/**
 * Starts a node with its own name, ports, port mapper and folders. Erlang takes its time: `undefined` when it was not
 * ready within a limit, as on a machine that is too busy.
 */
export async function startRabbitMq({ server, epmd }: RabbitMqPrograms): Promise<RabbitMq | undefined> {
  const home = mkdtempSync(path.join(tmpdir(), 'isotrace-rabbit-'));
  const [port, distribution, mapper] = await freePorts(3);
  const config = path.join(home, 'rabbitmq.conf');
  writeFileSync(config, `listeners.tcp.1 = 127.0.0.1:${port}\nlog.console = true\nlog.file = false\n`);
  writeFileSync(path.join(home, 'enabled_plugins'), '[].\n');
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `isotrace-${process.pid}@localhost`,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_CONFIG_FILE: config,
    RABBITMQ_CONF_ENV_FILE: path.join(home, 'none.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: path.join(home, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: home,
    RABBITMQ_LOG_BASE: home,
    RABBITMQ_PID_FILE: path.join(home, 'pid'),
  };
  const names = spawn(epmd, ['-port', String(mapper), '-address', '127.0.0.1'], { env, stdio: 'ignore' });
  const node = spawn(server, [], { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const stop = async (): Promise<void> => {
    await end(node, true);
    await end(names, false);
    rmSync(home, { recursive: true, force: true });
  };
  if (await isReady(node)) return { url: `amqp://guest:guest@127.0.0.1:${port}`, stop };
  await stop();
  return undefined;
}

async function isReady(node: ChildProcess): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const ready = new Promise<boolean>((resolve) => {
    let log = '';
    const read = (chunk: Buffer): void => {
      log += chunk.toString();
      if (/startup complete|Starting broker\.\.\. completed/.test(log)) resolve(true);
    };
    node.stdout?.on('data', read);
    node.stderr?.on('data', read);
    node.once('error', () => resolve(false));
    node.once('close', () => resolve(false));
    timer = setTimeout(() => resolve(false), START_LIMIT_MILLIS);
  });
  try {
    return await ready;
  } finally {
    clearTimeout(timer);
  }
}

/** The node's script starts Erlang as a child: both are one process group. */
async function end(child: ChildProcess, isGroup: boolean): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  const signal = (name: NodeJS.Signals): void => {
    try {
      process.kill(isGroup ? -(child.pid as number) : (child.pid as number), name);
    } catch {
      // It has ended meanwhile.
    }
  };
  const timer = setTimeout(() => signal('SIGKILL'), STOP_LIMIT_MILLIS);
  signal('SIGTERM');
  await closed;
  clearTimeout(timer);
}

/** All are held until all are known, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((held) => once(held, 'listening')));
  const ports = servers.map((held) => (held.address() as { port: number }).port);
  await Promise.all(servers.map((held) => once(held.close(), 'close')));
  return ports;
}
