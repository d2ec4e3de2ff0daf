import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

interface DemoRun {
  readonly code: number | null;
  readonly output: string;
}

/** The demo as `npm run demo` runs it, but short, and against `src` instead of `dist`. */
function runDemo(...args: string[]): Promise<DemoRun> {
  return new Promise((resolve) => {
    const command = ['--import', 'tsx', 'demo/main.ts', '--requests', '210', ...args];
    const child = execFile(process.execPath, command, { cwd: root, timeout: 50_000 }, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, output: stdout + stderr });
    });
  });
}

describe.concurrent('the demo', { timeout: 60_000 }, () => {
  it('delivers every span to its own tenant, and measures what that costs', async ({ expect }) => {
    const { code, output } = await runDemo('--rounds', '1');
    expect(code, output).toBe(0);
    expect(output).toMatch(/^acme +30 +90 +90 +90 +0 +0$/m);
    expect(output).toMatch(/^initech +30 +90 +0 +0 +0 +shutdown_deadline 90$/m);
    expect(output).toMatch(/^hooli +30 +120 +120 +120 +0 +0$/m);
    expect(output).toMatch(/^courier +30 +150 +150 +150 +0 +0$/m);
    expect(output).toMatch(/^Overhead: -?\d+ µs/m);
  });

  it('fails when a receiver loses a request that it acknowledged', async ({ expect }) => {
    const { code, output } = await runDemo('--rounds', '0', '--plant', 'loss');
    expect(code, output).toBe(1);
    expect(output).toMatch(/^PROBLEM +acme: 90 spans were exported, \d+ received$/m);
  });

  it("fails when a tenant's spans reach another tenant's receiver", async ({ expect }) => {
    const { code, output } = await runDemo('--rounds', '0', '--plant', 'leak');
    expect(code, output).toBe(1);
    expect(output).toMatch(/^PROBLEM +acme: 90 spans of others received$/m);
  });
});
