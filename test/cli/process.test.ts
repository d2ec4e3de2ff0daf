import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually, receiverWith } from '../delivery/delivery-kit.ts';
import { findProgram } from '../support/find-program.ts';

const CLI = [
  process.execPath,
  '--import',
  fileURLToPath(import.meta.resolve('tsx')),
  fileURLToPath(new URL('../../src/cli.ts', import.meta.url)),
];
const SCRIPT = findProgram('script');
/** Says which signals it got; the first but SIGUSR2 ends it, a while later. */
const PROGRAM = `
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']) process.on(name, () => {
    console.log('got', name);
    if (name !== 'SIGUSR2') setTimeout(() => process.exit(5), 300);
  });
  setInterval(() => {}, 1_000);
  console.log('ready');`;

/** The command line in a process of its own, which ends with the test. */
function start(args: readonly string[], cwd = process.cwd(), env: Readonly<Record<string, string>> = {}) {
  return watch(
    spawn(CLI[0] as string, [...CLI.slice(1), ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    }),
  );
}

function watch(child: ChildProcess) {
  let text = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      text += String(chunk);
      for (const look of waiting) look();
    });
  }
  const exitCode = once(child, 'close').then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exitCode;
  });
  const printed = (part: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => void (text.includes(part) && resolve());
      waiting.add(look);
      look();
    });
  return { child, exitCode, printed, text: () => text };
}

function folderWith(name: string, content: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'isotrace-process-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, name), content);
  return folder;
}

const RUN = ['run', '--port', '0', '--', process.execPath, '-e'];

describe('isotrace run, as a process', { timeout: 120_000 }, () => {
  it('passes every signal on as it is, and ends as the program does', async () => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
      const { child, printed, exitCode, text } = start([...RUN, PROGRAM]);
      await printed('ready');
      child.kill('SIGUSR2');
      await printed('got SIGUSR2');
      child.kill(signal);
      expect(await exitCode).toBe(5);
      expect(text().match(/got \w+/g)).toEqual(['got SIGUSR2', `got ${signal}`]);
    }
  });

  it.skipIf(SCRIPT === undefined)('leaves Ctrl+C to the terminal, which tells the program itself', async () => {
    // Without `exec` the shell stays, gets the signal as well, and some shells end by it.
    const words = [...CLI, ...RUN, PROGRAM].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const shell = spawn(SCRIPT as string, ['-qefc', `exec ${words}`, '/dev/null'], { stdio: ['pipe', 'pipe', 'pipe'] });
    const { printed, exitCode, text } = watch(shell);
    await printed('ready');
    shell.stdin.write('\u0003');
    expect(await exitCode).toBe(5);
    expect(text().match(/got \w+/g)).toEqual(['got SIGINT']);
  });

  it('hands standard input to the program, and its end', async () => {
    const { child, exitCode, text } = start([
      ...RUN.slice(0, 4),
      process.execPath,
      '-e',
      'process.stdin.pipe(process.stdout)',
    ]);
    child.stdin?.end('typed');
    expect(await exitCode).toBe(0);
    expect(text()).toContain('typed');
  });

  it('goes on when nobody reads what it says', async () => {
    const { child, exitCode } = start([...RUN, 'process.exitCode = 3']);
    child.stderr?.destroy();
    expect(await exitCode).toBe(3);
  });
});

describe('isotrace, as a process', { timeout: 120_000 }, () => {
  it('ends without a complaint when its reader has had enough', async () => {
    for (const args of [['dashboard', '--port', '0'], ['config']]) {
      const { child, exitCode, text } = start(args);
      child.stdout?.destroy();
      expect(await exitCode).toBe(0);
      expect(text()).not.toContain('EPIPE');
    }
  });

  it('is stopped by the first signal, also while it waits', async () => {
    const receiver = await receiverWith({ fault: { mode: 'hang' } });
    const { child, exitCode, text } = start(['doctor', '--endpoint', receiver.url, '--timeout', '600000']);
    await eventually(
      () => receiver.requests.length > 0,
      () => text(),
    );
    child.kill('SIGINT');
    expect(await exitCode).toBe(1);
    expect(text()).toContain('stopped');
  });

  it('sees who owns the globals before anything is loaded', async () => {
    const cwd = folderWith('owner.cjs', '');
    const owner = `
      const { trace } = require(${JSON.stringify(fileURLToPath(import.meta.resolve('@opentelemetry/api')))});
      trace.setGlobalTracerProvider(new (class SomeProvider { getTracer() {} })());`;
    writeFileSync(path.join(cwd, 'owner.cjs'), owner);
    const { exitCode, text } = start(['doctor'], cwd, { NODE_OPTIONS: '--require ./owner.cjs' });
    await exitCode;
    expect(text()).toContain("warning  OpenTelemetry's globals  other owns them");
  });

  it('ends when a module that doctor has loaded goes on', async () => {
    const cwd = folderWith('app.mjs', 'setInterval(() => {}, 1_000);');
    const { exitCode, text } = start(['doctor', '--module', 'app.mjs'], cwd);
    expect(await exitCode).toBe(1);
    expect(text()).toContain('it exports no registry');
  });

  it('keeps what the module prints out of what doctor prints', async () => {
    const source =
      "console.log('begun'); setInterval(() => console.log('going on'), 1); export const registry = undefined;";
    const { child, exitCode } = start(['doctor', '--json', '--module', 'app.mjs'], folderWith('app.mjs', source));
    let [printed, said] = ['', ''];
    child.stdout?.on('data', (chunk: Buffer) => {
      printed += String(chunk);
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      said += String(chunk);
    });
    await exitCode;
    expect(JSON.parse(printed)).toMatchObject({ problems: expect.any(Number), findings: expect.any(Array) });
    expect(said).toContain('begun');
  });

  it('tells what doctor has found also when something that the module started fails', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const registry =
      'export const registry = { get() {}, health: () => ({ issues: [] }), install() {}, shutdown: () => new Promise(() => {}) };';
    const source = `import { createServer } from 'node:http';\ncreateServer().listen(${port}, '127.0.0.1');\n${registry}`;
    const { exitCode, text } = start(['doctor', '--module', 'app.mjs'], folderWith('app.mjs', source));
    expect(await exitCode).toBe(1);
    expect(text()).toContain('ok       Node.js');
    expect(text()).toMatch(/something that it started failed: Error: listen EADDRINUSE/);
  });
});
