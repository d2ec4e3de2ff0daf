import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A PostgreSQL of one's own, on a Unix socket and nowhere else. */
export interface Postgres {
  /** The directory of the socket: `host` for `pg`. */
  readonly host: string;
  readonly user: string;
  readonly database: string;
  stop(): Promise<void>;
}

/** Where PostgreSQL's programs are, on the path or where Debian puts them; `undefined` when it is not installed. */
export function findPostgres(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).map((version) => path.join(debian, version, 'bin')) : [];
  const candidates = [...(process.env['PATH'] ?? '').split(path.delimiter), ...versions];
  return candidates.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(path.join(folder, name))));
}

/** Starts a fresh cluster in a temporary folder, as another user when this is root, which PostgreSQL refuses. */
export async function startPostgres(programs: string): Promise<Postgres> {
  const home = mkdtempSync(path.join(tmpdir(), 'isotrace-pg-'));
  const user = process.getuid?.() === 0 ? otherUser() : undefined;
  if (user !== undefined) chownSync(home, user.uid, user.gid);
  const data = path.join(home, 'data');
  const options = { ...user, cwd: home };
  await run(
    path.join(programs, 'initdb'),
    ['-D', data, '-A', 'trust', '-U', 'shop', '--no-sync', '-E', 'UTF8'],
    options,
  );
  const settings = ['listen_addresses=', 'fsync=off', 'shared_buffers=16MB', 'max_connections=50'];
  const args = ['-D', data, '-k', home, '-p', '5432', ...settings.flatMap((setting) => ['-c', setting])];
  const server = spawn(path.join(programs, 'postgres'), args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(server, 'close');
  const stop = async (): Promise<void> => {
    // Fast shutdown.
    server.kill('SIGINT');
    await ended;
    rmSync(home, { recursive: true, force: true });
  };
  let log = '';
  await new Promise<void>((resolve, reject) => {
    server.stderr.on('data', (chunk: Buffer) => {
      log += chunk.toString();
      if (log.includes('ready to accept connections')) resolve();
    });
    server.once('close', () => reject(new Error(`PostgreSQL ended: ${log}`)));
  });
  return { host: home, user: 'shop', database: 'postgres', stop };
}

function otherUser(): { readonly uid: number; readonly gid: number } {
  const idOf = (flag: string, name: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  try {
    return { uid: idOf('-u', 'postgres'), gid: idOf('-g', 'postgres') };
  } catch {
    return { uid: idOf('-u', 'nobody'), gid: idOf('-g', 'nobody') };
  }
}
