import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { threadId } from 'node:worker_threads';
import type { SpoolFiles } from './spool-files.ts';

export interface SpoolOwnerOptions {
  /** What all owners share. */
  readonly directory: string;
  readonly files: SpoolFiles;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Who writes to a directory, as its `owner` file says. */
interface OwnerRecord {
  /** Host, its boot and the namespace of the process id: where a process id means the same process. */
  readonly host: string;
  readonly pid: number;
  /** When the process started; empty where the system does not tell. */
  readonly start: string;
  readonly thread: number;
}

export const HEARTBEAT_MILLIS = 10_000;
/** Without a heartbeat for so long, an owner that cannot be looked up counts as dead. */
const SILENCE_MILLIS = 60_000;
const OWNER_FILE = 'owner';
const MAX_OWNER_BYTES = 4_096;
const TOKEN = /^[0-9a-f]{16}$/;
const ORPHAN_PREFIX = 'orphan-';
const MAX_DEPTH = 8;

/**
 * A directory below the shared one that only this owner writes to, and the way to those of owners that died. A dead
 * owner's directory is taken over by renaming it into one's own: of several that try, exactly one succeeds.
 */
export class SpoolOwner {
  readonly #options: SpoolOwnerOptions;
  readonly #self = describeSelf();
  #token: string | undefined;
  #closed = false;

  constructor(options: SpoolOwnerOptions) {
    this.#options = options;
  }

  /** Whether the directory was given up for good. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The owner's directory, made now if there is none. @throws what the disk says */
  open(): string {
    const { directory, files } = this.#options;
    if (this.#closed) throw new Error('the spool is closed');
    if (this.#token === undefined) {
      const token = randomBytes(8).toString('hex');
      const draft = path.join(directory, `.${token}`);
      files.makeDirectory(draft);
      files.createFile(path.join(draft, OWNER_FILE), JSON.stringify(this.#self));
      // Before others can see it: another registry of this process takes a directory whose token is not known for dead.
      liveTokens().add(token);
      files.renameSync(draft, path.join(directory, token));
      this.#token = token;
    }
    return path.join(directory, this.#token);
  }

  /** Says that the owner lives. Forgets a directory that is gone, so that `open` makes another. Never rejects. */
  async beat(): Promise<void> {
    const { directory, files, now } = this.#options;
    const token = this.#token;
    if (token === undefined) return;
    try {
      await files.touch(path.join(directory, token, OWNER_FILE), now());
    } catch (error) {
      if (isMissing(error)) this.lost(path.join(directory, token));
    }
  }

  /** Somebody took this directory over, or removed it. */
  lost(directory: string): void {
    if (this.#token === undefined || path.basename(directory) !== this.#token) return;
    liveTokens().delete(this.#token);
    this.#token = undefined;
  }

  /**
   * Takes over the directories of dead owners, and answers the files that are in them: each path once, however many
   * processes look at the same time. @throws what the disk says about the shared directory
   */
  async *takeOrphans(): AsyncGenerator<string> {
    const { directory, files } = this.#options;
    const own = this.open();
    for (const { name, kind } of await files.list(directory)) {
      if (kind !== 'directory' || !TOKEN.test(name) || !(await this.#isDead(name))) continue;
      const taken = path.join(own, `${ORPHAN_PREFIX}${name}`);
      try {
        await files.rename(path.join(directory, name), taken);
      } catch {
        // Another process was faster.
        continue;
      }
      yield* this.#filesIn(taken, 0);
    }
  }

  /** Gives the directory up: whoever looks next may take what is in it. */
  close(): void {
    const { directory, files } = this.#options;
    const token = this.#token;
    this.#closed = true;
    if (token === undefined) return;
    this.#token = undefined;
    liveTokens().delete(token);
    try {
      files.removeSync(path.join(directory, token, OWNER_FILE));
      files.removeDirectory(path.join(directory, token));
    } catch {
      // It is not empty.
    }
  }

  /** The files of a directory and of those that its owner had taken over in turn; removes what gets empty. */
  async *#filesIn(directory: string, depth: number): AsyncGenerator<string> {
    const { files } = this.#options;
    for (const { name, kind } of await files.list(directory)) {
      const entry = path.join(directory, name);
      if (kind === 'file' && name !== OWNER_FILE) yield entry;
      else if (kind === 'file') await files.remove(entry).catch(() => undefined);
      else if (kind === 'directory' && name.startsWith(ORPHAN_PREFIX) && depth < MAX_DEPTH) {
        yield* this.#filesIn(entry, depth + 1);
      }
    }
    try {
      files.removeDirectory(directory);
    } catch {
      // What is left in it is not ours.
    }
  }

  async #isDead(token: string): Promise<boolean> {
    const { directory, files, now } = this.#options;
    if (liveTokens().has(token)) return false;
    const target = path.join(directory, token);
    try {
      // Only what the same user wrote: the files say whose spans they hold.
      const { uid } = await files.inspect(target);
      if (process.getuid !== undefined && uid !== process.getuid()) return false;
      const owner = parseOwner(await files.read(path.join(target, OWNER_FILE), MAX_OWNER_BYTES));
      const alive = owner && isAlive(owner, this.#self);
      if (alive !== undefined) return !alive;
      return now() - (await files.inspect(path.join(target, OWNER_FILE))).changedAt > SILENCE_MILLIS;
    } catch (error) {
      // A directory without an owner was given up.
      return isMissing(error);
    }
  }
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

export function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null ? (error as NodeJS.ErrnoException).code : undefined;
}

/** Tokens of this thread's owners, also of those of another copy of isotrace. */
function liveTokens(): Set<string> {
  const key = Symbol.for('isotrace.spool.owners');
  const holder = globalThis as { [key: symbol]: unknown };
  holder[key] ??= new Set<string>();
  return holder[key] as Set<string>;
}

/** Whether the process, or for our own the thread, lives; `undefined` when that cannot be known from here. */
function isAlive(owner: OwnerRecord, self: OwnerRecord): boolean | undefined {
  if (owner.host !== self.host) return undefined;
  const isOurs = owner.pid === self.pid;
  if (!isOurs && !processExists(owner.pid)) return false;
  const start = isOurs ? self.start : startOf(owner.pid);
  const known = owner.start !== '' && start !== '';
  if (known && owner.start !== start) return false;
  if (!isOurs) return known ? true : undefined;
  // Other threads of this process have tokens of their own. Ours are known, and this is none of them.
  return owner.thread === self.thread ? false : undefined;
}

function describeSelf(): OwnerRecord {
  const { pid } = process;
  const boot = readText('/proc/sys/kernel/random/boot_id').trim();
  return {
    host: [hostname(), boot, readLink('/proc/self/ns/pid')].join(' '),
    pid,
    start: startOf(pid),
    thread: threadId,
  };
}

function parseOwner(content: Buffer): OwnerRecord | undefined {
  try {
    const owner = JSON.parse(content.toString()) as OwnerRecord;
    const { host, pid, start, thread } = owner;
    const isGood = typeof host === 'string' && typeof start === 'string' && typeof thread === 'number';
    return isGood && Number.isInteger(pid) && pid > 0 ? owner : undefined;
  } catch {
    return undefined;
  }
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
  // Killed, and nobody has asked for its exit status.
  return statOf(pid)[0] !== 'Z';
}

/** When the process started, in clock ticks since the boot. */
function startOf(pid: number): string {
  return statOf(pid)[19] ?? '';
}

/** The fields of proc(5) `stat` from the third on, which is the state; the 22nd is the start. */
function statOf(pid: number): string[] {
  const stat = readText(`/proc/${pid}/stat`);
  // The second field, the name of the program in parentheses, may hold anything.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function readLink(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
