import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findProgram } from './find-program.ts';

/** A Redis of one's own, on a Unix socket and nowhere else. */
export interface Redis {
  /** `path` for `ioredis`. */
  readonly path: string;
  stop(): Promise<void>;
}

/** Where the server is, on the path or where Debian puts it; `undefined` when it is not installed. */
export function findRedis(): string | undefined {
  return findProgram('redis-server');
}

/** Starts an empty server that keeps nothing, in a temporary folder. */
export async function startRedis(program: string): Promise<Redis> {
  const home = mkdtempSync(path.join(tmpdir(), 'isotrace-redis-'));
  const socket = path.join(home, 'redis.sock');
  const args = ['--port', '0', '--unixsocket', socket, '--dir', home, '--save', '', '--appendonly', 'no'];
  const server = spawn(program, args, { cwd: home, stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(server, 'close');
  let log = '';
  await new Promise<void>((resolve, reject) => {
    server.stdout.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (/ready to accept connections/i.test(log)) resolve();
    });
    server.once('error', reject);
    server.once('close', () => reject(new Error(`Redis ended: ${log}`)));
  });
  return {
    path: socket,
    stop: async () => {
      server.kill('SIGTERM');
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}
