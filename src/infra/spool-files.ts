import fs, { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import fsp from 'node:fs/promises';

/** How a piece of a file is written. */
export interface WriteMode {
  /** `'new'`: the file must not exist. `'may-exist'`: it is made if needed. `'old'`: it must exist. */
  readonly file: 'new' | 'may-exist' | 'old';
  /** Whether the data is on the disk, and not only in the system's cache, before this returns. */
  readonly sync: boolean;
}

export interface SpoolEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'other';
}

/**
 * What the spool does with the disk; a test puts failing disks in its place. Every method may throw, or reject with, an
 * `ErrnoException`. No symbolic link is followed in the last part of a path.
 */
export interface SpoolFiles {
  /** Makes a directory, and those above it, for the owner alone; one that exists is left as it is. */
  makeDirectory(path: string): void;
  /** Makes a file for the owner alone. */
  createFile(path: string, content: string): void;
  renameSync(from: string, to: string): void;
  removeSync(path: string): void;
  /** Removes an empty directory. */
  removeDirectory(path: string): void;
  /** Writes at an offset; a file is opened for this and closed again. */
  writeSync(path: string, bytes: Uint8Array, position: number, mode: WriteMode): void;
  write(path: string, bytes: Uint8Array, position: number, mode: WriteMode): Promise<void>;
  /** Brings what was written to a file, or the names in a directory, to the disk. */
  sync(path: string): Promise<void>;
  /** The content of a regular file; rejects with `EFBIG` above `maxBytes`. */
  read(path: string, maxBytes: number): Promise<Buffer>;
  list(path: string): Promise<readonly SpoolEntry[]>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Sets the time of the last change, in milliseconds since the epoch. */
  touch(path: string, at: number): Promise<void>;
  /** The time of the last change and who owns it. */
  inspect(path: string): Promise<{ readonly changedAt: number; readonly uid: number }>;
}

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
/** Not there on Windows, where no such link can be made without privileges. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0;
const FLAGS: Readonly<Record<WriteMode['file'], number>> = {
  new: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW,
  'may-exist': constants.O_WRONLY | constants.O_CREAT | NO_FOLLOW,
  old: constants.O_WRONLY | NO_FOLLOW,
};

export function createSpoolFiles(): SpoolFiles {
  return {
    makeDirectory: (path) => {
      fs.mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
    },
    createFile: (path, content) => fs.writeFileSync(path, content, { flag: 'wx', mode: FILE_MODE }),
    renameSync: fs.renameSync,
    removeSync: fs.unlinkSync,
    removeDirectory: fs.rmdirSync,
    writeSync,
    write,
    sync,
    read,
    list,
    rename: fsp.rename,
    remove: fsp.unlink,
    touch: (path, at) => fsp.utimes(path, at / 1_000, at / 1_000),
    inspect: async (path) => {
      const { mtimeMs, uid } = await fsp.lstat(path);
      return { changedAt: mtimeMs, uid };
    },
  };
}

function writeSync(path: string, bytes: Uint8Array, position: number, mode: WriteMode): void {
  const file = fs.openSync(path, FLAGS[mode.file], FILE_MODE);
  try {
    for (let offset = 0; offset < bytes.length; ) {
      offset += fs.writeSync(file, bytes, offset, bytes.length - offset, position + offset);
    }
    if (mode.sync) fs.fdatasyncSync(file);
  } finally {
    fs.closeSync(file);
  }
}

function write(path: string, bytes: Uint8Array, position: number, mode: WriteMode): Promise<void> {
  return using(path, FLAGS[mode.file], async (file) => {
    for (let offset = 0; offset < bytes.length; ) {
      const { bytesWritten } = await file.write(bytes, offset, bytes.length - offset, position + offset);
      offset += bytesWritten;
    }
    if (mode.sync) await file.datasync();
  });
}

function sync(path: string): Promise<void> {
  return using(path, constants.O_RDONLY | NO_FOLLOW, (file) => file.sync());
}

function read(path: string, maxBytes: number): Promise<Buffer> {
  return using(path, constants.O_RDONLY | NO_FOLLOW, async (file) => {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > maxBytes) throw Object.assign(new Error('file too large'), { code: 'EFBIG' });
    const content = Buffer.allocUnsafeSlow(stats.size);
    let length = 0;
    while (length < content.length) {
      const { bytesRead } = await file.read(content, length, content.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return content.subarray(0, length);
  });
}

async function list(path: string): Promise<SpoolEntry[]> {
  const entries = await fsp.readdir(path, { withFileTypes: true });
  return entries.map((entry) => ({
    name: entry.name,
    kind: entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other',
  }));
}

async function using<T>(path: string, flags: number, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await fsp.open(path, flags, FILE_MODE);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}
