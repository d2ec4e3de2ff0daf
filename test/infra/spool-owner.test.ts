import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSpoolFiles } from '../../src/infra/spool-files.ts';
import { SpoolOwner } from '../../src/infra/spool-owner.ts';

const TOKEN = '00112233445566ff';

interface OwnerFile {
  host: string;
  pid: number;
  start: string;
  thread: number;
}

function sharedDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'isotrace-owner-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return path.join(directory, 'spool');
}

function ownerOf(directory: string, now: () => number = Date.now): SpoolOwner {
  const owner = new SpoolOwner({ directory, files: createSpoolFiles(), now });
  onTestFinished(() => owner.close());
  return owner;
}

/** A directory with one file whose owner is described by `change`. */
function strangerIn(directory: string, change: (self: OwnerFile) => OwnerFile | string, silentMillis = 0): string {
  const self = JSON.parse(readFileSync(path.join(ownerOf(directory).open(), 'owner'), 'utf8')) as OwnerFile;
  const stranger = path.join(directory, TOKEN);
  mkdirSync(stranger);
  writeFileSync(path.join(stranger, 'file'), 'content');
  const changed = change(self);
  const ownerFile = path.join(stranger, 'owner');
  writeFileSync(ownerFile, typeof changed === 'string' ? changed : JSON.stringify(changed));
  const at = (Date.now() - silentMillis) / 1_000;
  utimesSync(ownerFile, at, at);
  return stranger;
}

async function taken(owner: SpoolOwner): Promise<string[]> {
  const files: string[] = [];
  for await (const file of owner.takeOrphans()) files.push(file);
  return files;
}

const MINUTES = 60_000;

describe('the owner of a spool directory', () => {
  it('has one of its own, for it alone', () => {
    const directory = sharedDirectory();
    const [one, two] = [ownerOf(directory), ownerOf(directory)];
    expect(one.open()).not.toBe(two.open());
    expect(one.open()).toBe(one.open());
    expect(readdirSync(directory)).toHaveLength(2);
  });

  it('leaves nothing behind when there was nothing in it', () => {
    const directory = sharedDirectory();
    const owner = ownerOf(directory);
    owner.open();
    owner.close();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('leaves its files to others when it closes', async () => {
    const directory = sharedDirectory();
    const first = ownerOf(directory);
    writeFileSync(path.join(first.open(), 'file'), 'content');
    const second = ownerOf(directory);
    expect(await taken(second)).toEqual([]);
    first.close();
    const [file = ''] = await taken(second);
    expect(file.startsWith(second.open())).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe('content');
  });

  it('makes another directory when its own is gone', async () => {
    const directory = sharedDirectory();
    const owner = ownerOf(directory);
    const lost = owner.open();
    rmSync(lost, { recursive: true });
    await owner.beat();
    expect(owner.open()).not.toBe(lost);
    expect(existsSync(owner.open())).toBe(true);
  });

  it('takes over what was taken over by one that died', async () => {
    const directory = sharedDirectory();
    const nested = path.join(directory, TOKEN, `orphan-${'0'.repeat(16)}`);
    mkdirSync(nested, { recursive: true });
    writeFileSync(path.join(nested, 'inner'), '');
    writeFileSync(path.join(directory, TOKEN, 'outer'), '');
    const files = await taken(ownerOf(directory));
    expect(files.map((file) => path.basename(file)).sort()).toEqual(['inner', 'outer']);
  });

  it('does not follow links out of the directory', async () => {
    const directory = sharedDirectory();
    const outside = sharedDirectory();
    mkdirSync(outside, { recursive: true });
    writeFileSync(path.join(outside, 'file'), 'content');
    mkdirSync(directory, { recursive: true });
    symlinkSync(outside, path.join(directory, TOKEN));
    mkdirSync(path.join(directory, '1'.repeat(16)));
    symlinkSync(path.join(outside, 'file'), path.join(directory, '1'.repeat(16), 'link'));
    expect(await taken(ownerOf(directory))).toEqual([]);
    expect(readFileSync(path.join(outside, 'file'), 'utf8')).toBe('content');
  });
});

describe('an owner counts as dead', () => {
  const exited = spawnSync(process.execPath, ['-e', '']).pid;

  it.each<[string, (self: OwnerFile) => OwnerFile | string, number, boolean]>([
    ['when its process is gone', (self) => ({ ...self, pid: exited }), 0, true],
    ['when another process has its number now', (self) => ({ ...self, pid: process.ppid, start: '1' }), 0, true],
    ['when an earlier process had our number', (self) => ({ ...self, start: '1' }), 0, true],
    ['when it was of this thread and is not known', (self) => self, 0, true],
    [
      'not when its process runs, however silent',
      (self) => ({ ...self, pid: process.ppid, start: startOf(process.ppid) }),
      10 * MINUTES,
      false,
    ],
    ['not while another thread of ours gives signs', (self) => ({ ...self, thread: 99 }), 30_000, false],
    ['when another thread of ours is silent', (self) => ({ ...self, thread: 99 }), 2 * MINUTES, true],
    ['not while another host gives signs', (self) => ({ ...self, host: 'other', pid: exited }), 30_000, false],
    ['when another host is silent', (self) => ({ ...self, host: 'other' }), 2 * MINUTES, true],
    ['not while it cannot be read and gives signs', () => 'no owner', 30_000, false],
    ['when it cannot be read and is silent', () => '{}', 2 * MINUTES, true],
    ['not when its clock runs ahead', (self) => ({ ...self, host: 'other' }), -10 * MINUTES, false],
  ])('%s', async (_case, change, silentMillis, isDead) => {
    const directory = sharedDirectory();
    const stranger = strangerIn(directory, change, silentMillis);
    const files = await taken(ownerOf(directory));
    expect(files.map((file) => path.basename(file))).toEqual(isDead ? ['file'] : []);
    expect(existsSync(stranger)).toBe(!isDead);
  });

  it('when it was killed, also before anybody has asked for its exit status', async () => {
    // The second `sleep` takes the place of the shell and never asks for the status of the first.
    const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    onTestFinished(() => {
      parent.kill('SIGKILL');
    });
    const [output] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(output);
    const start = startOf(pid);
    const [living, dead] = [sharedDirectory(), sharedDirectory()];
    strangerIn(living, (self) => ({ ...self, pid, start }));
    expect(await taken(ownerOf(living))).toEqual([]);
    process.kill(pid, 'SIGKILL');
    while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) await nextTurn();
    strangerIn(dead, (self) => ({ ...self, pid, start }));
    expect(await taken(ownerOf(dead))).toHaveLength(1);
  });

  it('to one of many at most', async () => {
    const directory = sharedDirectory();
    for (let index = 0; index < 20; index += 1) {
      const dead = path.join(directory, `${index}`.padStart(16, '0'));
      mkdirSync(dead, { recursive: true });
      writeFileSync(path.join(dead, `file-${index}`), '');
    }
    const files = (await Promise.all([1, 2, 3, 4, 5].map(() => taken(ownerOf(directory))))).flat();
    expect(files).toHaveLength(20);
    expect(new Set(files.map((file) => path.basename(file))).size).toBe(20);
  });
});

function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
