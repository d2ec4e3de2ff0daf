import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Tracer, TracerRegistry } from '../../src/index.ts';
import { refusedUrl } from '../support/otlp-receiver.ts';
import { isotrace, isotraceOnce } from './cli-kit.ts';

const TOKEN = 'a-token-of-twenty-letters';

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'isotrace-cli-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A registry whose tenants send to a dashboard. */
function registryAt(url: string, token?: string): TracerRegistry<Tracer> {
  const registry = new TracerRegistry({
    platform: false,
    batch: { delayMillis: 0 },
    configure: (tenantId) => ({
      service: { name: 'shop' },
      attributes: { 'tenant.id': tenantId },
      destination: { endpoint: url, ...(token && { headers: { authorization: `Bearer ${token}` } }) },
    }),
  });
  onTestFinished(async () => {
    await registry.shutdown({ timeoutMillis: 0 });
  });
  return registry;
}

describe('isotrace', () => {
  it('prints its version, and its commands as help', async () => {
    expect(await isotraceOnce(['--version'])).toMatchObject({ exitCode: 0, stdout: '0.1.0\n' });
    const help = await isotraceOnce(['--help']);
    expect(help.exitCode).toBe(0);
    for (const command of ['init', 'example', 'doctor', 'config', 'dashboard', 'tail', 'run', 'bench'])
      expect(help.stdout).toContain(command);
  });

  it.each([
    [[]],
    [['nonsense']],
    [['dashboard', '--port', '70000']],
    [['dashboard', '--max-bytes', 'many']],
    [['tail', '--format', 'xml']],
    [['tail', '--lines', '0']],
    [['tail', '--url', 'not a url']],
    [['doctor', '--header', 'no-value']],
    [['bench', '--spans', '-1']],
    [['config', '--file', '/does/not/exist.json']],
    [['run']],
    [['run', '--port', '0', '--', '/does/not/exist']],
  ])('ends with 2 and a sentence for the wrong usage %j', async (args) => {
    const { exitCode, stderr } = await isotraceOnce(args);
    expect(exitCode).toBe(2);
    expect(stderr).not.toBe('');
  });
});

describe('isotrace dashboard and tail', () => {
  it('show what tenants send, each on its line, with filters', async () => {
    const dashboard = isotrace(['dashboard', '--port', '0', '--json']);
    const [, url = ''] = await dashboard.printed(/"url":"([^"]+)"/);
    const registry = registryAt(url);
    const all = isotrace(['tail', '--url', url, '-f', 'json', '-n', '3']);
    const acme = isotrace(['tail', '--url', url, '--tenant', 'acme', '-f', 'logfmt', '-n', '1']);
    const slow = isotrace(['tail', '--url', url, '--query', 'name:second', '-f', 'md', '-n', '1']);
    await Promise.all([all, acme, slow].map((tail) => tail.noted(/following/)));
    registry.get('acme').startSpan('first').end();
    registry.get('globex').startSpan('second').end();
    registry.get('globex').startSpan('third').end();
    await registry.flush();
    expect(await Promise.all([all.exitCode, acme.exitCode, slow.exitCode])).toEqual([0, 0, 0]);
    const items = all
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { tenant: string; text: string });
    expect(items.map(({ tenant, text }) => `${tenant} ${text}`).sort()).toEqual([
      'acme first',
      'globex second',
      'globex third',
    ]);
    expect(acme.stdout()).toMatch(/ signal=trace tenant=acme service=shop text=first level=ok /);
    expect(slow.stdout()).toMatch(/^- \S+ \*\*globex\*\* shop _ok_ second /);
    dashboard.stop();
    expect(await dashboard.exitCode).toBe(0);
  });

  it('want the token where the dashboard has one', async () => {
    const env = { ISOTRACE_DASHBOARD_TOKEN: TOKEN };
    const dashboard = isotrace(['dashboard', '--port', '0', '--json'], { env });
    const [, url = ''] = await dashboard.printed(/"url":"([^"]+)"/);
    const refused = await isotraceOnce(['tail', '--url', url]);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('ISOTRACE_DASHBOARD_TOKEN') });
    const tail = isotrace(['tail', '--url', url, '-n', '1'], { env });
    await tail.noted(/following/);
    const registry = registryAt(url, TOKEN);
    registry.get('acme').startSpan('seen').end();
    await registry.flush();
    expect(await tail.exitCode).toBe(0);
    expect(tail.stdout()).toMatch(/acme {2}shop {2}seen/);
  });

  it('say what is wrong when nobody listens, or somebody else does', async () => {
    const { stderr, exitCode } = await isotraceOnce(['tail', '--url', await refusedUrl()]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('"isotrace dashboard" starts one');
    const dashboard = isotrace(['dashboard', '--port', '0', '--json']);
    const [, port = ''] = await dashboard.printed(/"port":(\d+)/);
    const second = await isotraceOnce(['dashboard', '--port', port, '--json']);
    expect(second.exitCode).toBe(1);
    expect(JSON.parse(second.stdout)).toEqual({ error: expect.stringContaining(`port ${port} is in use`) });
    const bad = await isotraceOnce(['tail', '--url', `http://127.0.0.1:${port}`, '--query', 'dur>']);
    expect(bad).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('the dashboard answers') });
  });
});

describe('isotrace run', () => {
  it('gives a program a dashboard to send to, and ends as it does', async () => {
    const cwd = folder();
    const program = `
      const { writeFileSync } = await import('node:fs');
      const endpoint = process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
      const { status } = await fetch(endpoint + '/api/v1/tenants');
      writeFileSync('told.json', JSON.stringify({ status, service: process.env.OTEL_SERVICE_NAME, args: process.argv.slice(1) }));
      process.exitCode = 7;`;
    const args = [
      'run',
      '--port',
      '0',
      '--service',
      'shop',
      '--',
      process.execPath,
      '--input-type=module',
      '-e',
      program,
      '--',
      '--port',
      'its own',
    ];
    const { exitCode, stderr } = await isotraceOnce(args, { cwd, env: { PATH: process.env['PATH'] ?? '' } });
    expect(exitCode).toBe(7);
    expect(stderr).toContain('http://127.0.0.1:');
    const { readFileSync } = await import('node:fs');
    const told = JSON.parse(readFileSync(path.join(cwd, 'told.json'), 'utf8')) as unknown;
    expect(told).toEqual({ status: 200, service: 'shop', args: ['--port', 'its own'] });
  });

  it('passes a stop on to the program', async () => {
    const program = `console.log('ready'); setInterval(() => {}, 1000);`;
    const run = isotrace(['run', '--port', '0', '--', process.execPath, '-e', program]);
    run.stop();
    expect(await run.exitCode).toBe(143);
  });
});

describe('isotrace config', () => {
  it('tells each setting with its source, and no secret', async () => {
    const cwd = folder();
    writeFileSync(
      path.join(cwd, 'options.json'),
      JSON.stringify({ batch: { maxSize: 9 }, platform: { boundary: 'link' } }),
    );
    const env = {
      OTEL_BSP_SCHEDULE_DELAY: '77',
      OTEL_SERVICE_NAME: 'api',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://receiver.test/otlp?key=CANARY-1',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=CANARY-2',
      AWS_LAMBDA_FUNCTION_NAME: 'f',
    };
    const { exitCode, stdout } = await isotraceOnce(['config', '--json', '--file', 'options.json'], { cwd, env });
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain('CANARY');
    const { tenants, platform } = JSON.parse(stdout) as Record<'tenants' | 'platform', { option: string }[]>;
    const rowOf = (rows: { option: string }[], option: string) => rows.find((row) => row.option === option);
    expect(rowOf(tenants, 'batch.maxSize')).toEqual({ option: 'batch.maxSize', value: '9', source: 'file' });
    expect(rowOf(tenants, 'boundary')).toMatchObject({ value: 'isolate', source: 'default' });
    expect(rowOf(platform, 'boundary')).toMatchObject({ value: 'link', source: 'file' });
    expect(rowOf(platform, 'batch.delayMillis')).toMatchObject({ value: '77', source: 'OTEL_BSP_SCHEDULE_DELAY' });
    expect(rowOf(tenants, 'batch.delayMillis')).toMatchObject({ value: '100', source: 'profile serverless' });
    expect(rowOf(platform, 'service.name')).toMatchObject({ value: 'api', source: 'OTEL_SERVICE_NAME' });
    expect(rowOf(platform, 'destination.headers')).toMatchObject({
      value: 'authorization: [REDACTED]',
      source: 'OTEL_EXPORTER_OTLP_HEADERS',
    });
    expect(rowOf(platform, 'destination.paths.traces')).toMatchObject({
      value: 'https://receiver.test/otlp/v1/traces?[REDACTED]',
      source: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    });
  });

  it('ends with 1 when something is not acceptable', async () => {
    const { exitCode, stdout } = await isotraceOnce(['config'], { env: { OTEL_BSP_SCHEDULE_DELAY: 'soon' } });
    expect(exitCode).toBe(1);
    expect(stdout).toContain(
      'OTEL_BSP_SCHEDULE_DELAY: a whole number from 0 to 3600000 (milliseconds); received "soon"',
    );
  });
});

describe('isotrace bench', () => {
  it('measures and delivers what it says', async () => {
    const { exitCode, stdout } = await isotraceOnce(['bench', '--spans', '6000', '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      spans: 6_000,
      delivered: 6_000,
      nanosPerSpan: expect.any(Number),
      deliveredPerSecond: expect.any(Number),
      node: process.version,
    });
  });
});
