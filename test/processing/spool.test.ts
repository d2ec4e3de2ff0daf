import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createChunkPool } from '../../src/processing/chunk-pool.ts';
import { type FileMarker, readSegment } from '../../src/processing/spool-frame.ts';
import { parseMarker, SpoolSegment } from '../../src/processing/spool-segment.ts';
import { settle } from '../support/fake-clock.ts';
import { SpoolKit, segmentsIn, spoolDirectory } from './spool-kit.ts';

function named(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}

/** A process that leaves `names` of tenant `a` on the disk. */
async function leave(directory: string, names: readonly string[], tenant = 'a'): Promise<void> {
  const kit = new SpoolKit({ directory, tenants: [tenant] });
  kit.weather = 'down';
  kit.end(tenant, ...names);
  await kit.shutdown();
}

describe('what waits', () => {
  it('is on the disk half a second later', async () => {
    const directory = spoolDirectory();
    const kit = new SpoolKit({ directory });
    kit.end('a', 'one', 'two');
    await kit.advance(480);
    expect(segmentsIn(directory)).toEqual([]);
    await kit.advance(20);
    const [file = ''] = segmentsIn(directory);
    const content = readFileSync(file, 'latin1');
    expect([content.includes('one'), content.includes('two')]).toEqual([true, true]);
    expect(kit.account()).toMatchObject({ queued: 2, spooled: 0 });
    expect(kit.disk.calls.filter((call) => call === 'write')).toHaveLength(1);
  });

  it('is on the disk before `end` returns, where that is asked for', () => {
    const directory = spoolDirectory();
    const kit = new SpoolKit({ directory, fsync: 'always' });
    for (const name of ['one', 'two', 'three']) {
      kit.end('a', name);
      expect(readFileSync(segmentsIn(directory)[0] ?? '', 'latin1')).toContain(name);
    }
    expect(segmentsIn(directory)).toHaveLength(1);
  });

  it('never reaches the disk when it is delivered before', async () => {
    const kit = new SpoolKit({ directory: spoolDirectory() });
    await kit.advance(1_000);
    kit.disk.calls.length = 0;
    kit.end('a', ...named('span', 30));
    await settle(20);
    expect(kit.account()).toMatchObject({ exported: 30, queued: 0 });
    await kit.advance(5_000);
    expect(kit.disk.calls).toEqual([]);
  });

  it('is gone from the disk when it was delivered, and when it was refused for good', async () => {
    const directory = spoolDirectory();
    const kit = new SpoolKit({ directory });
    for (const weather of ['up', 'closed'] as const) {
      kit.weather = weather;
      kit.end('a', 'one');
      await kit.advance(500);
      expect(segmentsIn(directory)).toHaveLength(1);
      await kit.advance(1_000);
      expect(segmentsIn(directory)).toEqual([]);
    }
    expect(kit.account()).toMatchObject({ created: 2, exported: 1, dropped: { rejected: 1 } });
  });

  it('is kept for longer than any time limit on retries', async () => {
    const kit = new SpoolKit({ directory: spoolDirectory() });
    kit.weather = 'down';
    kit.end('a', ...named('span', 15));
    await kit.advance(600_000);
    expect(kit.account()).toMatchObject({ created: 15, queued: 15, dropped: {} });
    kit.weather = 'up';
    await kit.drain();
    expect(kit.account()).toMatchObject({ exported: 15, queued: 0, dropped: {} });
  });

  it('is kept for as long when it had to be divided', async () => {
    const kit = new SpoolKit({ directory: spoolDirectory() });
    kit.weather = 'narrow';
    const { answer } = kit.transport;
    kit.transport.answer = (request) => {
      const answered = answer(request);
      kit.weather = 'down';
      return answered;
    };
    kit.end('a', ...named('span', 10));
    await kit.advance(600_000);
    expect(kit.transport.requests.length).toBeGreaterThan(10);
    expect(kit.account()).toMatchObject({ created: 10, queued: 10, dropped: {} });
    await kit.shutdown();
    expect(kit.account()).toMatchObject({ queued: 0, spooled: 10, dropped: {} });
  });

  it('is sent one batch at a time', async () => {
    const kit = new SpoolKit({ directory: spoolDirectory() });
    kit.weather = 'mute';
    kit.end('a', ...named('span', 50));
    await kit.advance(2_000);
    expect(kit.transport.requests).toHaveLength(1);
  });

  it('goes to the disk alone beyond the bounds of memory, and comes back in order', async () => {
    const directory = spoolDirectory();
    const kit = new SpoolKit({ directory, maxQueueSize: 20 });
    kit.weather = 'down';
    kit.end('a', ...named('span', 500));
    const { queued, spooled } = kit.account();
    expect(queued).toBeLessThanOrEqual(30);
    expect(queued + spooled).toBe(500);
    await kit.calm();
    expect(kit.pipeline.budget.used).toBe(kit.outletOf('a').bytes);
    kit.weather = 'up';
    await kit.drain();
    expect(kit.account()).toMatchObject({ created: 500, exported: 500, dropped: {} });
    expect(new Set(kit.names).size).toBe(500);
    expect(kit.names).toHaveLength(500);
    expect([kit.pipeline.budget.used, kit.pipeline.chunks.usedBytes]).toEqual([0, 0]);
  });

  it('makes room for other tenants without a loss', async () => {
    const kit = new SpoolKit({ directory: spoolDirectory(), tenants: ['big', 'small'], maxTotalBytes: 4_000 });
    kit.weather = 'down';
    kit.end('big', ...named('big', 200));
    kit.end('small', ...named('small', 20));
    expect(kit.pipeline.budget.used).toBeLessThanOrEqual(4_000);
    kit.weather = 'up';
    await kit.drain();
    expect(kit.account('big')).toMatchObject({ exported: 200, dropped: {} });
    expect(kit.account('small')).toMatchObject({ exported: 20, dropped: {} });
  });

  it('is written a few files at a time', async () => {
    const tenants = named('tenant', 50);
    const kit = new SpoolKit({ directory: spoolDirectory(), tenants });
    kit.weather = 'down';
    for (const tenant of tenants) kit.end(tenant, 'one');
    await kit.advance(500);
    expect(kit.disk.calls.filter((call) => call === 'write')).toHaveLength(50);
    expect(kit.disk.mostOpen).toBe(4);
  });
});

describe('the bound of a tenant', () => {
  it('holds on the disk, give or take a segment; beyond it, and beyond memory, the newest are dropped', async () => {
    const directory = spoolDirectory();
    const maxBytes = 8_000;
    const kit = new SpoolKit({ directory, maxBytes, maxQueueSize: 20 });
    kit.weather = 'down';
    const names = named('span', 500);
    kit.end('a', ...names);
    await kit.advance(2_000);
    const sizes = segmentsIn(directory).map((file) => statSync(file).size);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(total).toBeGreaterThan(maxBytes / 2);
    expect(total).toBeLessThanOrEqual(maxBytes + Math.max(...sizes));
    const { dropped, queued, spooled } = kit.account();
    expect(dropped).toEqual({ spool_full: 500 - queued - spooled });
    kit.weather = 'up';
    await kit.drain();
    expect(kit.names.toSorted()).toEqual(names.slice(0, queued + spooled).toSorted());
  });

  it('is of that tenant alone', async () => {
    const kit = new SpoolKit({ directory: spoolDirectory(), tenants: ['a', 'b'], maxBytes: 4_000, maxQueueSize: 20 });
    kit.weather = 'down';
    kit.end('a', ...named('a', 300));
    kit.end('b', ...named('b', 25));
    expect(kit.account('a').dropped['spool_full']).toBeGreaterThan(0);
    expect(kit.account('b').dropped).toEqual({});
  });

  it('counts what earlier processes left', async () => {
    const directory = spoolDirectory();
    await leave(directory, named('old', 60));
    const kit = new SpoolKit({ directory, maxBytes: 3_000, maxQueueSize: 10 });
    kit.weather = 'down';
    await kit.advance(1_000);
    kit.end('a', ...named('new', 50));
    expect(kit.account().dropped['spool_full']).toBeGreaterThanOrEqual(30);
    expect(kit.imbalance).toEqual([]);
  });
});

describe('a disk that fails', () => {
  it.each(['ENOSPC', 'EROFS', 'EMFILE', 'EACCES', 'EIO', 'ENOTDIR', 'EDQUOT'])(
    'with %s costs nothing while memory lasts, and is tried again after a minute',
    async (code) => {
      const directory = spoolDirectory();
      const kit = new SpoolKit({ directory, maxQueueSize: 30 });
      kit.weather = 'down';
      kit.disk.failure = code;
      kit.end('a', ...named('span', 25));
      await kit.advance(10_000);
      expect(kit.spool.store.problem).toContain(code);
      expect(kit.guard.counts()).toMatchObject({ spool: 1 });
      expect(kit.account()).toMatchObject({ created: 25, queued: 25, dropped: {} });
      kit.end('a', ...named('more', 25));
      expect(kit.account().dropped).toEqual({ spool_full: 50 - kit.account().queued });
      const tries = kit.disk.calls.filter((call) => /^(write|makeDirectory)/.test(call)).length;
      await kit.advance(30_000);
      expect(kit.disk.calls.filter((call) => /^(write|makeDirectory)/.test(call))).toHaveLength(tries);
      kit.disk.failure = undefined;
      await kit.advance(31_000);
      expect(kit.spool.store.problem).toBeUndefined();
      expect(segmentsIn(directory).length).toBeGreaterThan(0);
      expect(kit.imbalance).toEqual([]);
    },
  );

  it('does not stop delivery', async () => {
    const kit = new SpoolKit({ directory: spoolDirectory() });
    kit.disk.failure = 'ENOSPC';
    kit.end('a', ...named('span', 25));
    await kit.advance(2_000);
    expect(kit.account()).toMatchObject({ exported: 25, queued: 0 });
  });

  it('that is no directory at all is the same', async () => {
    const directory = spoolDirectory();
    writeFileSync(directory, 'a file');
    const kit = new SpoolKit({ directory: path.join(directory, 'below') });
    kit.end('a', 'one');
    await kit.advance(500);
    expect(kit.spool.store.problem).toContain('ENOTDIR');
    await kit.advance(1_000);
    expect(kit.account()).toMatchObject({ exported: 1 });
  });

  it('at the end counts what is not on it, and only that', async () => {
    const kit = new SpoolKit({ directory: spoolDirectory() });
    kit.weather = 'down';
    kit.end('a', ...named('kept', 8));
    await kit.advance(600);
    kit.disk.failure = 'ENOSPC';
    kit.end('a', ...named('lost', 2));
    await kit.shutdown();
    expect(kit.account()).toMatchObject({ created: 10, queued: 0, spooled: 8, dropped: { shutdown_deadline: 2 } });
  });

  it('to read from is asked again, while newer spans are sent', async () => {
    const directory = spoolDirectory();
    await leave(directory, ['old']);
    const kit = new SpoolKit({ directory });
    const { read } = kit.disk.files;
    let reads = 0;
    Object.assign(kit.disk.files, {
      read: (file: string, maxBytes: number) => {
        // The first is to see what the file holds, the next two are to send it.
        if (file.endsWith('.seg')) reads += 1;
        return reads < 2 || reads > 3
          ? read(file, maxBytes)
          : Promise.reject(Object.assign(new Error('EMFILE'), { code: 'EMFILE' }));
      },
    });
    kit.end('a', 'new');
    await kit.advance(5_000);
    expect(kit.names).toContain('new');
    expect(kit.names).not.toContain('old');
    await kit.advance(180_000);
    expect(kit.names.toSorted()).toEqual(['new', 'old']);
    expect(reads).toBe(4);
    expect(kit.imbalance).toEqual([]);
  });
});

describe('files', () => {
  it('that disappear are written anew while their spans are in memory', async () => {
    const directory = spoolDirectory();
    const kit = new SpoolKit({ directory });
    kit.weather = 'down';
    kit.end('a', 'one');
    await kit.advance(600);
    for (const file of segmentsIn(directory)) unlinkSync(file);
    kit.end('a', 'two');
    kit.end('a', 'three');
    await kit.shutdown();
    const next = new SpoolKit({ directory });
    await next.drain();
    expect(next.names.toSorted()).toEqual(['one', 'three', 'two']);
    expect(kit.imbalance).toEqual([]);
  });

  it('that disappear with their spans are counted', async () => {
    const directory = spoolDirectory();
    const kit = new SpoolKit({ directory, maxQueueSize: 20 });
    kit.weather = 'down';
    kit.end('a', ...named('span', 60));
    for (const file of segmentsIn(directory)) unlinkSync(file);
    kit.weather = 'up';
    await kit.drain();
    const { dropped, exported } = kit.account();
    expect(dropped).toEqual({ corrupted: 60 - exported });
    expect(kit.imbalance).toEqual([]);
  });

  it('belong to their owner alone, and say nothing of the tenant in their names', async () => {
    const directory = spoolDirectory();
    await leave(directory, ['one'], '../../etc/acme');
    const all = readdirSync(directory, { recursive: true, withFileTypes: true });
    expect(all.length).toBeGreaterThanOrEqual(2);
    for (const entry of all) {
      const mode = statSync(path.join(entry.parentPath, entry.name)).mode & 0o777;
      expect(mode).toBe(entry.isDirectory() ? 0o700 : 0o600);
      expect(entry.name).not.toContain('acme');
      expect(entry.name).toMatch(/^[0-9a-f]{16}(-[0-9a-f]{16}\.seg)?$/);
    }
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  it('hold no credentials', async () => {
    const directory = spoolDirectory();
    await leave(directory, ['one']);
    const [content = ''] = segmentsIn(directory).map((file) => readFileSync(file, 'latin1'));
    expect(content).toContain('one');
    expect(content).not.toContain('canary');
  });

  it('of any tenant are inside the directory', async () => {
    const parts = ['..', '/', '\\', '%2f', '\u0000', '.', 'a', '~', 'CON', ':', '\u202e', '\n', ' '];
    const hostileId = (): string => [...randomBytes(12)].map((byte) => parts[byte % parts.length]).join('');
    const account = { bytes: 0, maxBytes: 1_000_000 };
    const header = { version: 1, signal: 'traces', key: '', position: 0, destinations: 1, contentType: '' } as const;
    const source = { resource: new Uint8Array(0), scopes: [] };
    const chunks = createChunkPool();
    for (let count = 0; count < 10_000; count += 1) {
      const options = { header: { ...header, name: hostileId() }, account, chunks };
      expect(SpoolSegment.create(options, source).fileName).toMatch(/^[0-9a-f]{16}-[0-9a-f]{16}\.seg$/);
    }
    const directory = spoolDirectory();
    const tenants = Array.from({ length: 50 }, hostileId);
    const kit = new SpoolKit({ directory, tenants });
    kit.weather = 'down';
    for (const tenant of tenants) kit.end(tenant, 'one');
    await kit.shutdown();
    expect(segmentsIn(directory)).toHaveLength(new Set(tenants).size);
    expect(readdirSync(path.dirname(directory))).toEqual([path.basename(directory)]);
  });

  it('lose one span at most by one bit, wherever it is', async () => {
    const directory = spoolDirectory();
    const kit = new SpoolKit({ directory });
    kit.weather = 'down';
    kit.end('a', 'old-0', 'old-1', 'old-2');
    await kit.advance(600);
    // The same file, written in two goes.
    kit.end('a', 'old-3', 'old-4');
    await kit.shutdown();
    const [file = ''] = segmentsIn(directory);
    const good = readFileSync(file);
    const marker = parseMarker(path.basename(file)) as FileMarker;
    const read = (data: Buffer) => readSegment(data, marker, () => {});
    const { header, resource, scopes } = read(good);
    expect(read(good)).toMatchObject({ count: 5, damaged: 0, header: { name: 'a' } });
    for (let offset = 0; offset < good.length; offset += 1) {
      const data = Buffer.from(good);
      data[offset] = (data[offset] ?? 0) ^ (1 << (offset & 7));
      const reading = read(data);
      expect(reading, `byte ${offset}`).toMatchObject({ header, resource, scopes });
      expect(reading.count + reading.damaged, `byte ${offset}`).toBe(5);
      expect(reading.damaged, `byte ${offset}`).toBeLessThanOrEqual(1);
    }
  });
});

describe('what another process left', () => {
  it('is delivered by the next one with the resource that it was recorded with', async () => {
    const directory = spoolDirectory();
    await leave(directory, named('old', 15));
    const kit = new SpoolKit({ directory, version: '2' });
    kit.end('a', 'new');
    await kit.drain();
    expect(kit.names.toSorted()).toEqual([...named('old', 15), 'new'].sort());
    const versions = kit.accepted.map(({ names, resource }) => [names[0]?.slice(0, 3), resource['service.version']]);
    expect(new Set(versions.map(String))).toEqual(new Set(['old,1', 'new,2']));
    expect(kit.account()).toMatchObject({ created: 16, exported: 16, dropped: {} });
  });

  it('wakes the tenants that it belongs to, sixteen at a time', async () => {
    const directory = spoolDirectory();
    const tenants = named('tenant', 40);
    const first = new SpoolKit({ directory, tenants });
    first.weather = 'down';
    for (const tenant of tenants) first.end(tenant, tenant);
    await first.shutdown();
    const kit = new SpoolKit({ directory, tenants, asleep: true });
    const wakes: number[] = [];
    for (let step = 0; step < 6; step += 1) {
      await kit.advance(100);
      wakes.push(kit.woken.length);
    }
    expect(Math.max(...wakes.map((count, index) => count - (wakes[index - 1] ?? 0)))).toBe(16);
    await kit.drain();
    expect(kit.woken.toSorted()).toEqual(tenants.toSorted());
    for (const { names, url } of kit.accepted) expect(names).toEqual([url.split('/').at(-1)]);
  });

  it('is deleted and counted when there is no such tenant', async () => {
    const directory = spoolDirectory();
    await leave(directory, named('old', 5), 'gone');
    const kit = new SpoolKit({ directory });
    await kit.advance(1_000);
    expect(kit.woken).toEqual(['gone']);
    kit.pipeline.spools.disown('gone', kit.books);
    expect(kit.ledger.snapshot(0)).toMatchObject({ created: 5, dropped: { tenant_unknown: 5 } });
    await kit.calm();
    expect(segmentsIn(directory)).toEqual([]);
  });

  it('of a tenant that there is no more is counted where it was created', async () => {
    const kit = new SpoolKit({ directory: spoolDirectory() });
    kit.weather = 'down';
    kit.end('a', ...named('span', 5));
    const outlet = kit.outletOf('a');
    kit.release('a');
    void outlet.close('evicted');
    expect(kit.ledger.snapshot(0, kit.spool.spooled('traces'))).toMatchObject({ created: 5, spooled: 5, dropped: {} });
    kit.pipeline.spools.disown('a', kit.books);
    expect(kit.ledger.snapshot(0, kit.spool.spooled('traces'))).toMatchObject({
      created: 5,
      spooled: 0,
      dropped: { tenant_unknown: 5 },
    });
    expect(kit.imbalance).toEqual([]);
  });

  it('is taken by exactly one of several that look at the same time', async () => {
    const directory = spoolDirectory();
    const names = named('old', 45);
    await leave(directory, names);
    const kits = [1, 2, 3, 4].map(() => new SpoolKit({ directory }));
    await Promise.all(kits.map((kit) => kit.drain()));
    expect(kits.flatMap((kit) => kit.names).toSorted()).toEqual(names.toSorted());
    expect(kits.reduce((sum, kit) => sum + kit.account().created, 0)).toBe(45);
  });

  it('is not taken from one that lives', async () => {
    const directory = spoolDirectory();
    const [one, two] = [new SpoolKit({ directory }), new SpoolKit({ directory })];
    one.weather = 'down';
    one.end('a', ...named('one', 15));
    for (let minute = 0; minute < 5; minute += 1) await Promise.all([one.advance(60_000), two.advance(60_000)]);
    expect(two.account()).toMatchObject({ created: 0 });
    one.weather = 'up';
    await one.drain();
    expect(one.names.toSorted()).toEqual(named('one', 15).sort());
  });

  it('is counted as far as it is damaged', async () => {
    const directory = spoolDirectory();
    await leave(directory, named('old', 10));
    const [file = ''] = segmentsIn(directory);
    const content = readFileSync(file);
    content[content.indexOf('old-4')] = 0;
    writeFileSync(file, content.subarray(0, content.length - 3));
    const kit = new SpoolKit({ directory });
    await kit.drain();
    expect(kit.account()).toMatchObject({ created: 10, exported: 8, dropped: { corrupted: 2 } });
    expect(kit.names).toEqual(named('old', 10).filter((name) => name !== 'old-4' && name !== 'old-9'));
  });

  it('and nobody can say whose it was is counted and deleted', async () => {
    const directory = spoolDirectory();
    await leave(directory, named('old', 10));
    const [file = ''] = segmentsIn(directory);
    const content = readFileSync(file);
    for (let at = content.indexOf('"name"'); at >= 0; at = content.indexOf('"name"')) content[at] = 0;
    writeFileSync(file, content);
    const kit = new SpoolKit({ directory });
    await kit.advance(1_000);
    expect(kit.ledger.snapshot(0)).toMatchObject({ created: 10, dropped: { corrupted: 10 } });
    expect(segmentsIn(directory)).toEqual([]);
  });

  it('by another version of isotrace, or by somebody else, is left alone', async () => {
    const directory = spoolDirectory();
    mkdirSync(path.join(directory, '0123456789abcdef'), { recursive: true });
    const strange = path.join(directory, '0123456789abcdef', 'notes.txt');
    writeFileSync(strange, 'hello');
    const kit = new SpoolKit({ directory });
    await kit.advance(1_000);
    const left = readdirSync(directory, { recursive: true, encoding: 'utf8' });
    expect(left.some((name) => name.endsWith('notes.txt'))).toBe(true);
    expect(kit.ledger.created).toBe(0);
  });
});

describe('a destination', () => {
  it('that moved in the list gets what was meant for it', async () => {
    const directory = spoolDirectory();
    const [x, y, z] = ['https://x.test/', 'https://y.test/', 'https://z.test/'] as const;
    const first = new SpoolKit({ directory, urls: [x, y] });
    first.weather = 'down';
    first.end('a', 'one');
    await first.shutdown();
    const second = new SpoolKit({ directory, urls: [y, z, x] });
    await second.drain();
    expect(second.accepted.map(({ url }) => url).sort()).toEqual([x, y]);
  });

  it('in the same place gets what was meant for one that is gone, if there are as many', async () => {
    const directory = spoolDirectory();
    await leave(directory, ['one']);
    const kit = new SpoolKit({ directory, urls: ['https://moved.test/'] });
    await kit.drain();
    expect(kit.accepted.map(({ url }) => url)).toEqual(['https://moved.test/']);
  });

  it('that is gone leaves its spans without one', async () => {
    const directory = spoolDirectory();
    await leave(directory, ['one']);
    const kit = new SpoolKit({ directory, urls: ['https://b.test/', 'https://c.test/'] });
    await kit.advance(1_000);
    expect(kit.account()).toMatchObject({ created: 1, queued: 0, spooled: 0, dropped: { no_destination: 1 } });
    expect(segmentsIn(directory)).toEqual([]);
  });

  it('over HTTP that reads another format now is sent the one on the disk', async () => {
    const directory = spoolDirectory();
    await leave(directory, ['one']);
    const kit = new SpoolKit({ directory, protocol: 'http/json' });
    await kit.drain();
    expect(kit.accepted).toMatchObject([{ names: ['one'], contentType: 'application/x-protobuf' }]);
  });

  it('over gRPC leaves JSON on the disk and says so', async () => {
    const directory = spoolDirectory();
    const first = new SpoolKit({ directory, protocol: 'http/json' });
    first.weather = 'down';
    first.end('a', 'one');
    await first.shutdown();
    const kit = new SpoolKit({ directory, protocol: 'grpc', urls: ['https://receiver.test/a'] });
    await kit.advance(1_000);
    expect(kit.guard.recent()).toMatchObject([{ component: 'spool', operation: 'replay' }]);
    expect(segmentsIn(directory)).toHaveLength(1);
    expect(kit.account()).toMatchObject({ created: 0, dropped: {} });
  });
});

describe('a process that ends while it takes over', () => {
  it('leaves to the next one what it has not read, quietly', async () => {
    const directory = spoolDirectory();
    const names = named('old', 60);
    await leave(directory, names);
    const kit = new SpoolKit({ directory, asleep: true, tenants: [] });
    const recovering = kit.spool.recover();
    while (segmentsIn(directory).every((file) => !file.includes('orphan-'))) await settle(1);
    await kit.shutdown();
    await recovering;
    expect(kit.guard.counts()).toEqual({});
    const next = new SpoolKit({ directory });
    await next.drain();
    expect(next.names.toSorted()).toEqual(names.toSorted());
  });
});
