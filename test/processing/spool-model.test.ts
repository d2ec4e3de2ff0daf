import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type KitOptions, SpoolKit, segmentsIn, spoolDirectory, type Weather } from './spool-kit.ts';

const TENANTS = ['a', 'b'] as const;
const MAX_SIZE = 5;

/** What has to be true of the spans, whatever the spool does. */
interface Model {
  /** Spans that ended, of each tenant. */
  readonly ended: Set<string>;
  /** Those that nothing but damage of their own file may lose. */
  readonly safe: Set<string>;
  /** Those that a process that is killed takes with it. */
  readonly unsafe: Set<string>;
  /** Requests that a process had under way when it died, or whose answer never came. */
  repeats: number;
  /** Spans that damage may have cost. */
  damage: number;
  /** Spans that were counted as dropped because the disk did not work, or the receiver refused them. */
  dropped: number;
}

/** A machine on which one process follows the other. */
class World {
  readonly directory = spoolDirectory();
  readonly model: Model = { ended: new Set(), safe: new Set(), unsafe: new Set(), repeats: 0, damage: 0, dropped: 0 };
  readonly accepted: { tenant: string; name: string }[] = [];
  kit: SpoolKit;
  #startMillis = 0;
  #next = 0;

  readonly #options: Pick<KitOptions, 'fsync' | 'maxTotalBytes'>;

  constructor(options: Pick<KitOptions, 'fsync' | 'maxTotalBytes'>) {
    this.#options = options;
    this.kit = this.#boot();
  }

  #boot(): SpoolKit {
    return new SpoolKit({
      directory: this.directory,
      tenants: TENANTS,
      maxSize: MAX_SIZE,
      maxQueueSize: 2 * MAX_SIZE,
      startMillis: this.#startMillis,
      ...this.#options,
    });
  }

  end(tenant: string, count: number): void {
    for (let left = count; left > 0; left -= 1) {
      const name = `${tenant}-${this.#next}`;
      this.#next += 1;
      this.model.ended.add(name);
      this.model.unsafe.add(name);
      this.kit.end(tenant, name);
    }
  }

  /** Half a second passes: with a disk that works, everything that ended is safe. */
  async flush(): Promise<void> {
    await this.kit.advance(1_000);
    if (this.kit.disk.failure === undefined && this.kit.spool.store.problem === undefined) {
      this.#secure();
    }
  }

  #secure(): void {
    for (const name of this.model.unsafe) this.model.safe.add(name);
    this.model.unsafe.clear();
  }

  async replace(end: 'kill' | 'shutdown'): Promise<void> {
    const { kit } = this;
    kit.disk.failure = end === 'shutdown' ? undefined : kit.disk.failure;
    await kit.calm();
    if (end === 'kill') {
      this.model.repeats += TENANTS.length;
      kit.kill();
    } else {
      this.model.repeats += TENANTS.length;
      await kit.shutdown();
      const problems = kit.imbalance;
      expect(problems).toEqual([]);
      if (kit.spool.store.problem === undefined) this.#secure();
    }
    this.model.unsafe.clear();
    this.#collect();
    this.#startMillis += kit.clock.monotonic() + 1_000;
  }

  /** The requests to a mute receiver end without an answer. */
  giveUp(): void {
    this.model.repeats += this.kit.muted.size;
    for (const end of this.kit.muted) end();
  }

  boot(): void {
    this.kit = this.#boot();
  }

  /** The newest file ends amid its last span. */
  tear(bytes: number): void {
    const file = segmentsIn(this.directory).at(-1);
    if (file === undefined) return;
    const { size } = statSync(file);
    // A span takes more than this.
    truncateSync(file, Math.max(size - bytes, 0));
    this.model.damage += 1;
  }

  flip(position: number): void {
    const files = segmentsIn(this.directory);
    const file = files[position % Math.max(files.length, 1)];
    if (file === undefined) return;
    const content = readFileSync(file);
    const at = position % content.length;
    content[at] = (content[at] ?? 0) ^ (1 << (position & 7));
    writeFileSync(file, content);
    this.model.damage += 1;
  }

  #collect(): void {
    for (const tenant of TENANTS) {
      const { corrupted = 0, ...dropped } = this.kit.account(tenant).dropped;
      expect(corrupted).toBeLessThanOrEqual(this.model.damage);
      for (const count of Object.values(dropped)) this.model.dropped += count;
    }
    for (const { url, names } of this.kit.accepted) {
      const tenant = url.split('/').at(-1) as string;
      this.accepted.push(...names.map((name) => ({ tenant, name })));
    }
  }

  async judge(): Promise<void> {
    const { model } = this;
    this.kit.disk.failure = undefined;
    this.kit.weather = 'up';
    this.giveUp();
    // A disk that failed is tried again after a minute.
    await this.kit.advance(61_000);
    await this.kit.drain();
    this.#collect();
    expect(this.kit.imbalance).toEqual([]);
    const delivered = new Set(this.accepted.map(({ name }) => name));
    const missing = [...model.safe].filter((name) => !delivered.has(name));
    expect(missing.length, `lost: ${missing.join(' ')}`).toBeLessThanOrEqual(model.damage + model.dropped);
    expect([...delivered].filter((name) => !model.ended.has(name))).toEqual([]);
    expect(this.accepted.filter(({ name, tenant }) => !name.startsWith(`${tenant}-`))).toEqual([]);
    expect(this.accepted.length - delivered.size).toBeLessThanOrEqual(model.repeats * MAX_SIZE);
    expect(segmentsIn(this.directory)).toEqual([]);
    const { budget, chunks } = this.kit.pipeline;
    expect([budget.used, chunks.usedBytes]).toEqual([0, 0]);
  }
}

type Step = (world: World) => void | Promise<void>;

const steps: fc.Arbitrary<readonly [string, Step]> = fc.oneof(
  fc
    .record({ tenant: fc.constantFrom(...TENANTS), count: fc.integer({ min: 1, max: 12 }) })
    .map(({ tenant, count }) => [`end ${count} of ${tenant}`, (world: World) => world.end(tenant, count)] as const),
  fc.constant(['flush', (world: World) => world.flush()] as const),
  fc.constantFrom(...TENANTS).map(
    (tenant) =>
      [
        `reconfigure ${tenant}`,
        (world: World) => {
          // What was under way is sent again.
          world.model.repeats += 1;
          world.kit.reconfigure(tenant);
        },
      ] as const,
  ),
  fc.constantFrom<Weather>('up', 'down', 'mute', 'narrow', 'closed').map(
    (weather) =>
      [
        weather,
        (world: World) => {
          world.kit.weather = weather;
          world.giveUp();
        },
      ] as const,
  ),
  fc.constantFrom('ENOSPC', 'EROFS', 'EMFILE', undefined).map(
    (code) =>
      [
        `disk ${code}`,
        (world: World) => {
          world.kit.disk.failure = code;
        },
      ] as const,
  ),
  fc
    .integer({ min: 0, max: 70_000 })
    .map((millis) => [`wait ${millis}`, async (world: World) => world.kit.advance(millis)] as const),
  fc
    .record({
      end: fc.constantFrom<'kill' | 'shutdown'>('kill', 'shutdown'),
      damage: fc.oneof(
        { weight: 3, arbitrary: fc.constant(undefined) },
        fc.record({ kind: fc.constantFrom('tear', 'flip'), by: fc.integer({ min: 1, max: 100_000 }) }),
      ),
    })
    .map(
      ({ end, damage }) =>
        [
          `${end} ${damage?.kind ?? ''} ${damage?.by ?? ''}`,
          async (world: World) => {
            await world.replace(end);
            if (damage?.kind === 'tear') world.tear(1 + (damage.by % 40));
            if (damage?.kind === 'flip') world.flip(damage.by);
            world.boot();
          },
        ] as const,
    ),
);

const machines = fc.record({
  fsync: fc.constantFrom<'interval' | 'always'>('interval', 'always'),
  // Less than two batches.
  maxTotalBytes: fc.constantFrom(10_000_000, 1_000),
});

describe('the spool, against a model', () => {
  it('loses nothing that was safe, mixes nothing up and repeats no more than what was under way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 25 }), machines, async (script, machine) => {
        const world = new World(machine);
        for (const [, step] of script) {
          await step(world);
          expect(world.kit.imbalance).toEqual([]);
        }
        await world.judge();
      }),
      { numRuns: Number(process.env['RUNS'] ?? 60) },
    );
  }, 120_000);
});
