import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Tracer, TracerRegistry } from '../../src/index.ts';
import { eventually, receiverWith } from '../delivery/delivery-kit.ts';
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
    [['dashboard', '--port', '0', '--max-bytes', '1']],
    [['dashboard', '--port', '0', '--host', '0.0.0.0']],
    [['dashboard', '--port', '0', '--tenant-header', 'no header']],
    [['tail', '--format', 'xml']],
    [['tail', '--lines', '0']],
    [['tail', '--url', 'not a url']],
    [['tail', '--url', 'localhost:4318']],
    [['tail', '--url', 'http://user:CANARY@localhost']],
    [['doctor', '--header', 'no-value']],
    [['doctor', '--header', 'a=b']],
    [['doctor', '--protocol', 'grpc']],
    [['doctor', '--tenant', 'acme']],
    [['bench', '--spans', '-1']],
    [['config', '--file', '/does/not/exist.json']],
    [['run']],
    [['run', '--port', '0', '--', '/does/not/exist']],
  ])('ends with 2 and a sentence for the wrong usage %j', async (args) => {
    const { exitCode, stderr } = await isotraceOnce(args);
    expect(exitCode).toBe(2);
    expect(stderr).not.toBe('');
    expect(stderr).not.toContain('CANARY');
  });

  it('tells wrong usage to programs too, and to people without what would move their cursor', async () => {
    const { exitCode, stdout } = await isotraceOnce(['doctor', '--nonsense', '--json']);
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toEqual({ error: "unknown option '--nonsense'" });
    expect(await isotraceOnce(['run', '--nonsense', '--', 'program', '--json'])).toMatchObject({ stdout: '' });
    const { stderr } = await isotraceOnce(['\u001b[2J']);
    expect(stderr).toBe("error: unknown command '\\u{1b}[2J'\n(see --help)\n");
  });
});

describe('isotrace dashboard and tail', () => {
  it('name the flag or the variable that is wrong', async () => {
    const { stderr } = await isotraceOnce(['dashboard', '--port', '0', '--host', '0.0.0.0']);
    expect(stderr).toMatch(/^error ISOTRACE_DASHBOARD_TOKEN: a token, because others can reach the host/);
    const short = await isotraceOnce(['run', '--port', '0', '--', 'true'], {
      env: { ISOTRACE_DASHBOARD_TOKEN: 'CANARY' },
    });
    expect(short).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/ISOTRACE_DASHBOARD_TOKEN: .*16 to 512/),
    });
    expect(short.stderr).not.toContain('CANARY');
  });

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
    const page = await receiverWith({ fault: { mode: 'web-page' } });
    const moved = await receiverWith({ fault: { mode: 'redirect', status: 302, location: 'https://login.test/' } });
    const gone = await receiverWith({ fault: { mode: 'reset-before-status' } });
    for (const [url, told] of [
      [page.url, 'what answers there is no dashboard'],
      [moved.url, 'leads elsewhere: https://login.test/'],
      [gone.url, 'cannot be reached'],
      ['http://no-such-host.invalid', 'cannot be reached: Error: getaddrinfo'],
    ] as const) {
      const tail = await isotraceOnce(['tail', '--url', url]);
      expect(tail).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(told) });
    }
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
    const told = JSON.parse(readFileSync(path.join(cwd, 'told.json'), 'utf8')) as unknown;
    expect(told).toEqual({ status: 200, service: 'shop', args: ['--port', 'its own'] });
  });

  it('passes a stop on to the program', async () => {
    const program = `console.log('ready'); setInterval(() => {}, 1000);`;
    const run = isotrace(['run', '--port', '0', '--', process.execPath, '-e', program]);
    await run.noted(/isotrace dashboard/);
    run.stop();
    expect(await run.exitCode).toBe(143);
  });

  it.each([
    [true, ['ready', 'SIGTERM']],
    [false, ['ready', 'SIGINT', 'SIGQUIT', 'SIGTERM']],
  ])('does not repeat what a terminal tells the program itself: %s', async (hasTerminal, expected) => {
    const cwd = folder();
    const log = path.join(cwd, 'log');
    const program = `
      const note = (text) => require('node:fs').appendFileSync('log', text + '\\n');
      for (const name of ['SIGINT', 'SIGQUIT']) process.on(name, note);
      process.on('SIGTERM', (name) => { note(name); process.exit(); });
      setInterval(() => {}, 1_000);
      note('ready');`;
    const args = ['run', '--port', '0', '--', process.execPath, '-e', program];
    const run = isotrace(args, { cwd, hasTerminal });
    for (const [index, name] of (['SIGINT', 'SIGQUIT', 'SIGTERM'] as const).entries()) {
      const before = hasTerminal ? 1 : index + 1;
      const lines = () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []);
      await eventually(
        () => lines().length >= before,
        () => lines().join(),
      );
      run.signal(name);
    }
    expect(await run.exitCode).toBe(0);
    expect(readFileSync(log, 'utf8').trim().split('\n')).toEqual(expected);
  });

  it('says where telemetry goes, whatever was said before, and not whether there is any', async () => {
    const cwd = folder();
    const before = {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://elsewhere.test/v1/traces',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=of-elsewhere',
      OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta',
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_BSP_SCHEDULE_DELAY: '77',
      ISOTRACE_ENDPOINT: 'https://elsewhere.test',
    };
    const program = `require('node:fs').writeFileSync('env.json', JSON.stringify(process.env))`;
    const run = async (env: Record<string, string>) => {
      await isotraceOnce(['run', '--port', '0', '--', process.execPath, '-e', program], { cwd, env });
      return JSON.parse(readFileSync(path.join(cwd, 'env.json'), 'utf8')) as Record<string, string>;
    };
    const env = await run(before);
    const url = env['ISOTRACE_ENDPOINT'];
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(Object.fromEntries(Object.entries(env).filter(([name]) => /^(OTEL|ISOTRACE)_/.test(name)))).toEqual({
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta',
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_BSP_SCHEDULE_DELAY: '77',
      ISOTRACE_ENDPOINT: url,
      ISOTRACE_PROTOCOL: 'http/protobuf',
    });
    const guarded = await run({ ISOTRACE_DASHBOARD_TOKEN: TOKEN });
    expect(guarded['OTEL_EXPORTER_OTLP_HEADERS']).toBe(`authorization=Bearer%20${TOKEN}`);
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

  it('names the source that counts, where several have said something', async () => {
    const cwd = folder();
    const given = {
      service: { name: 'of-file' },
      attributes: { 'a.b': 'of-file', 'db.password': 'CANARY-3' },
      batch: { maxSize: -1 },
      redact: { keys: ['ssn'] },
      maxTenants: 7,
      destination: { endpoint: 'https://of-file.test', headers: { 'x-key': 'CANARY-4' } },
      platform: { destination: { endpoint: 'https://of-platform.test' } },
    };
    writeFileSync(path.join(cwd, 'options.json'), JSON.stringify(given));
    const env = {
      OTEL_SERVICE_NAME: 'of-env',
      OTEL_RESOURCE_ATTRIBUTES: 'a.b=of-env,c.d=of-env,api.token=CANARY-5',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://of-env.test',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-key=CANARY-6',
      HTTPS_PROXY: 'http://user:CANARY-7@proxy.test:3128',
      OTEL_TRACES_SAMPLER: 'always_on',
      OTEL_TRACES_SAMPLER_ARG: '0.5',
    };
    const sourcesOf = async (args: readonly string[], variables: Record<string, string>) => {
      const { stdout } = await isotraceOnce(['config', '--json', ...args], { cwd, env: variables });
      expect(stdout).not.toContain('CANARY');
      const rows = JSON.parse(stdout) as Record<string, { option: string; value: string; source: string }[]>;
      return (section: string, option: string) => {
        const row = rows[section]?.find((candidate) => candidate.option === option);
        return `${row?.value} ${row?.source}`;
      };
    };
    const row = await sourcesOf(['--file', 'options.json'], env);
    expect(row('registry', 'maxTenants')).toBe('7 file');
    expect(row('registry', 'idleTimeoutMillis')).toBe('1800000 default');
    expect(row('tenants', 'attributes.a.b')).toBe('of-file file');
    expect(row('tenants', 'attributes.db.password')).toBe('[REDACTED] file');
    expect(row('tenants', 'batch.maxSize')).toBe('512 default');
    expect(row('platform', 'service.name')).toBe('of-file file');
    expect(row('platform', 'attributes.a.b')).toBe('of-file file');
    expect(row('platform', 'attributes.c.d')).toBe('of-env OTEL_RESOURCE_ATTRIBUTES');
    expect(row('platform', 'attributes.api.token')).toBe('[REDACTED] OTEL_RESOURCE_ATTRIBUTES');
    expect(row('platform', 'redact.keys')).toBe('ssn file');
    expect(row('platform', 'destination.endpoint')).toMatch(/^https:\/\/of-platform\.test\S* file$/);
    // Neither the registry's nor the environment's: a destination is taken as a whole.
    expect(row('platform', 'destination.headers')).toBe('none default');
    expect(row('platform', 'destination.proxy')).toBe('http://[REDACTED]@proxy.test:3128 HTTPS_PROXY');
    expect(row('platform', 'sampling.ratio')).toBe('1 OTEL_TRACES_SAMPLER');
    expect(row('platform', 'sampling.keepErrors')).toBe('false default');
  });

  it('tells the destinations of several signals apart, and which timeout counts', async () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://all.test',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'https://logs.test/in',
      OTEL_EXPORTER_OTLP_TIMEOUT: '100',
      OTEL_BSP_EXPORT_TIMEOUT: '20000',
    };
    const { stdout } = await isotraceOnce(['config'], { env });
    const rows = stdout.split('\n').map((line) => line.trim().split(/ {2,}/));
    const row = (option: string) => rows.find(([name]) => name === option)?.slice(1);
    expect(row('destination[0].paths.traces')).toEqual(['https://all.test/v1/traces', 'OTEL_EXPORTER_OTLP_ENDPOINT']);
    expect(row('destination[0].paths.logs')).toEqual(['none', 'default']);
    expect(row('destination[0].timeoutMillis')).toEqual(['100', 'OTEL_EXPORTER_OTLP_TIMEOUT']);
    const ofLogs = rows.filter(([name]) => name?.endsWith('.paths.logs')).map(([, ...rest]) => rest);
    expect(ofLogs).toContainEqual(['https://logs.test/in', 'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT']);
  });

  it("tells what a builder's variables say", async () => {
    const env = {
      ISOTRACE_ENDPOINT: 'https://receiver.test/in?key=CANARY-1',
      ISOTRACE_API_KEY_SECRET: 'CANARY-2',
      ISOTRACE_BATCH_TIMEOUT: '2s',
      ISOTRACE_TIMEOUT: 'late',
    };
    const { exitCode, stdout } = await isotraceOnce(['config', '--json'], { env });
    expect(exitCode).toBe(1);
    expect(stdout).not.toContain('CANARY');
    const { builder, issues } = JSON.parse(stdout) as { builder: { source: string }[]; issues: { option: string }[] };
    expect(builder.map(({ source }) => source).sort()).toEqual([
      'ISOTRACE_API_KEY_SECRET',
      'ISOTRACE_BATCH_TIMEOUT',
      'ISOTRACE_ENDPOINT',
    ]);
    expect(builder).toContainEqual({ option: 'withBatchSettings', value: '2000', source: 'ISOTRACE_BATCH_TIMEOUT' });
    expect(issues.map(({ option }) => option)).toEqual(['ISOTRACE_TIMEOUT']);
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
  it('is stopped between two rounds', async () => {
    const run = isotrace(['bench', '--spans', '99999999']);
    run.stop();
    expect(await run.exitCode).toBe(1);
    expect(run.stderr()).toContain('stopped');
  });

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
