import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { heapTrend } from '../../soak/heap.ts';
import type { Account, Arrival } from '../../soak/messages.ts';
import { MAX_BATCH, Oracle } from '../../soak/oracle.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Run {
  readonly code: number | null;
  readonly output: string;
}

/** As `npm run soak`, but of the sources, for a few seconds. */
function soak(...parameters: readonly string[]): Promise<Run> {
  const command = ['--import', 'tsx', 'soak/main.ts', '--minutes', '0.05', '--tenants', '12', '--seed', '7'];
  return new Promise((resolve) => {
    const options = { cwd: ROOT, timeout: 110_000 };
    const child = execFile(process.execPath, [...command, ...parameters], options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, output: stdout + stderr });
    });
  });
}

describe('the soak', { timeout: 120_000 }, () => {
  it('finds nothing wrong with a run of a few seconds', async () => {
    const { code, output } = await soak('--faults', 'quick', '--json');
    expect(code, output).toBe(0);
    const report = JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1));
    expect(report).toMatchObject({
      seed: 7,
      tenants: 12,
      problems: [],
      account: { queued: 0 },
      receivers: { killed: 2 },
    });
    expect(report.verdict.arrived).toBeGreaterThan(20);
    expect(report.verdict.arrived + report.verdict.missing).toBe(report.verdict.spans);
  });

  it.each([
    ['lost', /lost 1 spans silently|takes spans for delivered that are not/],
    ['swapped', /was sent as tenant-0/],
    ['corrupted', /arrived with another payload/],
  ])('fails when %s', async (plant, problem) => {
    const { code, output } = await soak('--faults', 'none', '--plant', plant);
    expect(code, output).toBe(1);
    expect(output).toMatch(problem);
  });
});

describe('the oracle of the soak', () => {
  const account = (more: Partial<Account> = {}): Account => ({
    created: 1,
    exported: 1,
    queued: 0,
    dropped: {},
    ...more,
  });
  const span = { tenantId: 'tenant-1', spanId: 'a', hash: 'h' };
  const arrival: Arrival = {
    sentAs: 'tenant-1',
    owner: 'tenant-1',
    receiver: 1,
    spanId: 'a',
    hash: 'h',
    acknowledged: true,
  };
  function judge(tell: (oracle: Oracle) => void, given = account()): readonly string[] {
    const oracle = new Oracle(4);
    tell(oracle);
    return oracle.verdict(given).problems;
  }
  const made = (oracle: Oracle): void => oracle.created(span);

  it('is content with what arrived once, whoever speaks first, and with what was dropped and counted', () => {
    expect(judge((oracle) => [made(oracle), oracle.arrived(arrival)])).toEqual([]);
    expect(judge((oracle) => [oracle.arrived(arrival), made(oracle)])).toEqual([]);
    const dropped = account({ exported: 0, dropped: { rejected: 1 } });
    expect(judge((oracle) => [made(oracle), oracle.dropped('tenant-1', 1)], dropped)).toEqual([]);
  });

  it('is content with a duplicate only if the sender could not know', () => {
    const twice = (oracle: Oracle): void => {
      made(oracle);
      oracle.arrived({ ...arrival, acknowledged: false });
      oracle.arrived(arrival);
    };
    expect(judge(twice)).toEqual([]);
    const again = (oracle: Oracle): void => {
      twice(oracle);
      oracle.arrived(arrival);
    };
    expect(judge(again)).toEqual(['span a of tenant-1 was sent again for nothing']);
    expect(judge((oracle) => [again(oracle), oracle.doubt('tenant-1')])).toEqual([]);
  });

  it.each<[string, (oracle: Oracle) => unknown, Account, RegExp]>([
    ['is lost', made, account(), /lost 1 spans silently/],
    ['was never made', (oracle) => oracle.arrived(arrival), account({ created: 0, exported: 0 }), /never made/],
    ['is made twice', (oracle) => [made(oracle), made(oracle), oracle.arrived(arrival)], account(), /made twice/],
    [
      'comes to the receiver of another',
      (oracle) => [made(oracle), oracle.arrived({ ...arrival, receiver: 2 })],
      account(),
      /came to 2/,
    ],
    [
      'has the credentials of another',
      (oracle) => [made(oracle), oracle.arrived({ ...arrival, sentAs: 'tenant-5' })],
      account(),
      /sent as tenant-5/,
    ],
    [
      'was made after the faults and never came',
      (oracle) => [oracle.created({ ...span, fresh: true }), oracle.dropped('tenant-1', 1)],
      account({ exported: 0, dropped: { evicted: 1 } }),
      /the last span of tenant-1 arrived 0 times/,
    ],
    [
      'arrived but is counted as dropped',
      (oracle) => {
        made(oracle);
        oracle.arrived(arrival);
        oracle.dropped('tenant-1', 1);
      },
      account({ exported: 0, dropped: { rejected: 1 } }),
      /counts what arrived as lost/,
    ],
    [
      'is still queued',
      (oracle) => [made(oracle), oracle.arrived(arrival)],
      account({ exported: 0, queued: 1 }),
      /queued/,
    ],
    ['is not in the account', (oracle) => [made(oracle), oracle.arrived(arrival)], account({ created: 0 }), /balance/],
  ])('finds a span that %s', (_, tell, given, problem) => {
    expect(judge(tell, given).join('\n')).toMatch(problem);
  });

  it('knows a leak of the heap from noise', () => {
    const samples = (bytesPerSecond: number) =>
      Array.from({ length: 300 }, (_, index) => ({
        seconds: index * 2,
        bytes: 20_000_000 + bytesPerSecond * index * 2 + (index % 7) * 20_000,
      }));
    const still = heapTrend(samples(0));
    expect(still.bytesPerHour - 2 * still.standardError).toBeLessThan(1_048_576);
    const leaking = heapTrend(samples(1_000));
    expect(leaking.bytesPerHour).toBeGreaterThan(3_300_000);
    expect(leaking.bytesPerHour - 2 * leaking.standardError).toBeGreaterThan(1_048_576);
    expect(leaking.growthBytes).toBeGreaterThan(200_000);
    expect(MAX_BATCH).toBeGreaterThan(1);
  });
});
