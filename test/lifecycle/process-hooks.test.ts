import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type HookedProcess, installProcessHooks } from '../../src/lifecycle/process-hooks.ts';
import { combineReports, type FlushReport } from '../../src/lifecycle/report.ts';

class FakeProcess extends EventEmitter implements HookedProcess {
  readonly pid = 4711;
  readonly killed: [number, NodeJS.Signals][] = [];
  kill(pid: number, signal: NodeJS.Signals): void {
    this.killed.push([pid, signal]);
  }
}

function lifecycle(): {
  calls: string[];
  flush(o: object): Promise<FlushReport>;
  shutdown(o: object): Promise<FlushReport>;
} {
  const calls: string[] = [];
  const record = (name: string) => async (options: object) => {
    calls.push(`${name} ${JSON.stringify(options)}`);
    return combineReports([]);
  };
  return { calls, flush: record('flush'), shutdown: record('shutdown') };
}

describe('installProcessHooks', () => {
  it('shuts down at a signal and then lets it take its default action', async () => {
    const target = new FakeProcess();
    const hooked = lifecycle();
    installProcessHooks(hooked, { timeoutMillis: 700 }, target);
    target.emit('SIGTERM');
    await new Promise(setImmediate);
    expect(hooked.calls).toEqual(['shutdown {"timeoutMillis":700}']);
    expect(target.killed).toEqual([[4711, 'SIGTERM']]);
    expect(target.eventNames()).toEqual([]);
  });

  it('leaves the end to listeners of the host', async () => {
    const target = new FakeProcess();
    const hooked = lifecycle();
    target.on('SIGTERM', () => undefined);
    installProcessHooks(hooked, {}, target);
    target.emit('SIGTERM');
    await new Promise(setImmediate);
    expect(hooked.calls).toHaveLength(1);
    expect(target.killed).toEqual([]);
    expect(target.listenerCount('SIGTERM')).toBe(1);
  });

  it('flushes once when the process runs out of work', async () => {
    const target = new FakeProcess();
    const hooked = lifecycle();
    installProcessHooks(hooked, { signals: ['SIGINT', 'SIGTERM'] }, target);
    expect(target.eventNames().sort()).toEqual(['SIGINT', 'SIGTERM', 'beforeExit']);
    target.emit('beforeExit');
    target.emit('beforeExit');
    expect(hooked.calls).toEqual(['flush {"timeoutMillis":5000}']);
  });

  it('takes its listeners out again', () => {
    const target = new FakeProcess();
    const uninstall = installProcessHooks(lifecycle(), {}, target);
    uninstall();
    uninstall();
    expect(target.eventNames()).toEqual([]);
  });

  it('ends a real process with the status of the signal', async () => {
    const code = `
      const { installProcessHooks } = await import(${JSON.stringify(new URL('../../src/lifecycle/process-hooks.ts', import.meta.url).href)});
      installProcessHooks({ flush: async () => ({}), shutdown: async () => { process.stdout.write('delivered'); return {}; } });
      setInterval(() => {}, 1000);
      process.stdout.write('ready ');
    `;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (text.includes('ready')) child.kill('SIGTERM');
    });
    const [status, signal] = (await once(child, 'exit')) as [number | null, string | null];
    expect([output, status, signal]).toEqual(['ready delivered', null, 'SIGTERM']);
  });
});
