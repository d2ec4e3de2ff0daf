import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
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

  it('shows its tenants on the dashboard as orders come in, until it is told to end', async ({ expect }) => {
    const demo = fork('demo/main.ts', ['--serve', '--port', '0'], {
      cwd: root,
      execArgv: ['--import', 'tsx'],
      silent: true,
    });
    const exited = once(demo, 'exit');
    let output = '';
    demo.stdout?.on('data', (chunk) => {
      output += String(chunk);
    });
    try {
      await expect.poll(() => output, { timeout: 30_000 }).toMatch(/The dashboard: http:/);
      const url = /http:\S+/.exec(output)?.[0];
      const tenants = async (): Promise<string[]> => {
        const answer = (await (await fetch(`${url}/api/v1/tenants`)).json()) as { tenants: { tenant: string }[] };
        return answer.tenants.map(({ tenant }) => tenant).sort();
      };
      const all = ['acme', 'courier', 'globex', 'hooli', 'initech', 'umbrella'];
      await expect.poll(tenants, { timeout: 20_000 }).toEqual(all);
      const troubled = async (): Promise<string[]> => {
        const health = (await (await fetch(`${url}/api/v1/health`)).json()) as {
          tenants: { tenant: string; ok: boolean }[];
        };
        return health.tenants.filter(({ ok }) => !ok).map(({ tenant }) => tenant);
      };
      await expect.poll(troubled, { timeout: 20_000 }).toContain('initech');
      expect((await fetch(`${url}/`)).headers.get('content-type')).toContain('text/html');
    } finally {
      demo.kill('SIGINT');
    }
    expect(await exited).toEqual([0, null]);
  });
});
