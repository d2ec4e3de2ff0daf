import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type OtlpReceiver, type ReceiverFault, startReceiver } from '../support/otlp-receiver.ts';
import type { HostOrders } from './host-process.ts';

const HOST = fileURLToPath(new URL('host-process.ts', import.meta.url));
/** For what a busy machine takes on top of a deadline. */
const MARGIN_MILLIS = 5_000;

interface Host {
  readonly receiver: OtlpReceiver;
  readonly child: ChildProcess;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null; readonly at: number }>;
  stderr(): string;
}

/** A process with spans that wait, at the point where it has nothing more to do. */
async function startHost(orders: Omit<HostOrders, 'endpoint'>, fault?: ReceiverFault): Promise<Host> {
  const receiver = await startReceiver(fault === undefined ? {} : { fault });
  onTestFinished(() => receiver.close());
  const parameters = ['--import', 'tsx', HOST, JSON.stringify({ endpoint: receiver.url, ...orders })];
  const child = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    at: performance.now(),
  }));
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  await Promise.race([once(child.stdout, 'data'), exited]);
  return { receiver, child, exited, stderr: () => errors };
}

describe('a process that is asked to end with SIGTERM', () => {
  it('delivers the 100 spans that wait, and ends by the signal', async () => {
    const { receiver, child, exited, stderr } = await startHost({ spans: 100, hooksMillis: 10_000, stays: true });
    child.kill('SIGTERM');
    expect(await exited, stderr()).toMatchObject({ code: null, signal: 'SIGTERM' });
    expect(receiver.spans()).toHaveLength(100);
  });

  it('ends in its time although the receiver hangs', async () => {
    const orders = { spans: 100, hooksMillis: 500, stays: true };
    const { receiver, child, exited, stderr } = await startHost(orders, { mode: 'hang' });
    const askedAt = performance.now();
    child.kill('SIGTERM');
    const { signal, at } = await exited;
    expect(signal, stderr()).toBe('SIGTERM');
    expect(at - askedAt).toBeLessThan(500 + MARGIN_MILLIS);
    expect(receiver.requests).toHaveLength(1);
  });
});

describe('a process that has nothing more to do', () => {
  it('delivers the 100 spans that wait before it ends', async () => {
    const { receiver, exited, stderr } = await startHost({ spans: 100, hooksMillis: 10_000 });
    expect(await exited, stderr()).toMatchObject({ code: 0 });
    expect(receiver.spans()).toHaveLength(100);
  });

  it.each<ReceiverFault>([{ mode: 'hang' }, { mode: 'slow-body' }, { mode: 'status', status: 503 }])(
    'ends in the time of its hooks although the receiver answers with $mode',
    async (fault) => {
      const startedAt = performance.now();
      const { exited, stderr } = await startHost({ spans: 100, hooksMillis: 500 }, fault);
      const readyAt = performance.now();
      const { code, at } = await exited;
      expect(code, stderr()).toBe(0);
      expect(at - Math.max(readyAt, startedAt)).toBeLessThan(500 + MARGIN_MILLIS);
    },
  );

  it('does not wait for a receiver that hangs when it has no hooks', async () => {
    const { exited, stderr } = await startHost({ spans: 100, maxSize: 10 }, { mode: 'hang' });
    const readyAt = performance.now();
    const { code, at } = await exited;
    expect(code, stderr()).toBe(0);
    expect(at - readyAt).toBeLessThan(MARGIN_MILLIS);
  });
});

describe('a process that is killed in the middle of an export', () => {
  it('loses at most what waited: what was answered is there, whole and once', async () => {
    const fault = { mode: 'delay', millis: 40 } as const;
    const { receiver, child, exited } = await startHost({ spans: 1_000, maxSize: 10, stays: true }, fault);
    await receiver.waitForRequests(5);
    child.kill('SIGKILL');
    await exited;
    const ids = receiver.spans().map(({ spanId }) => spanId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThanOrEqual(50);
    expect(ids.length % 10).toBe(0);
  });
});

describe('eight worker threads', () => {
  it('deliver each its own spans, with ids that differ', async () => {
    const { receiver, exited, stderr } = await startHost({ spans: 1_000, workers: 8 });
    expect(await exited, stderr()).toMatchObject({ code: 0 });
    expect(receiver.spans()).toHaveLength(8_000);
    expect(new Set(receiver.spans().map(({ spanId }) => spanId)).size).toBe(8_000);
    expect(new Set(receiver.spans().map(({ traceId }) => traceId)).size).toBe(8_000);
  });
});
