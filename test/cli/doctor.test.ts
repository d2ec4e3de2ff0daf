import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { checkNode } from '../../src/cli/doctor/check-environment.ts';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { receiverWith } from '../delivery/delivery-kit.ts';
import { allSpans, decodeTraceRequest } from '../support/otlp-decoder.ts';
import { refusedUrl } from '../support/otlp-receiver.ts';
import { startProxy } from '../support/proxy.ts';
import type { ReceiverFault } from '../support/receiver-faults.ts';
import { serverCert, serverKey } from '../support/test-certificates.ts';
import { isotraceOnce } from './cli-kit.ts';

const PEERS = {
  '@opentelemetry/api': '>=1.9.0 <1.11.0',
  '@opentelemetry/sdk-trace': '^2.12.0 || ^3.1.0',
  express: '^5.0.0',
};
const GOOD = {
  isotrace: { version: '1.0.0', peerDependencies: PEERS, peerDependenciesMeta: { express: { optional: true } } },
  '@opentelemetry/api': { version: '1.9.1' },
  '@opentelemetry/sdk-trace': { version: '2.12.1' },
  '@opentelemetry/core': { version: '2.12.1' },
};

/** A project whose `node_modules` has these packages, by their path below it. */
function project(packages: Readonly<Record<string, object>>): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'isotrace-doctor-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [place, manifest] of Object.entries(packages)) {
    const home = path.join(folder, 'node_modules', place);
    mkdirSync(home, { recursive: true });
    writeFileSync(path.join(home, 'package.json'), JSON.stringify(manifest));
  }
  return folder;
}

async function doctor(args: readonly string[], options: Parameters<typeof isotraceOnce>[1] = {}) {
  const { exitCode, stdout } = await isotraceOnce(['doctor', '--json', ...args], { cwd: project(GOOD), ...options });
  const { findings, problems, warnings } = JSON.parse(stdout) as {
    readonly findings: readonly Finding[];
    readonly problems: number;
    readonly warnings: number;
  };
  const find = (check: string) => findings.filter((finding) => finding.check === check);
  return { exitCode, stdout, problems, warnings, find };
}

describe('isotrace doctor', () => {
  it('finds nothing wrong with a good project', async () => {
    const { exitCode, problems, warnings } = await doctor([]);
    expect({ exitCode, problems, warnings }).toEqual({ exitCode: 0, problems: 0, warnings: 0 });
  });

  it.each<[string, Record<string, object>, string, Partial<Finding>]>([
    [
      'two versions of the API',
      { 'other/node_modules/@opentelemetry/api': { version: '1.4.0' } },
      '@opentelemetry/api',
      { status: 'problem', message: expect.stringContaining('1.4.0 in node_modules/other') as string },
    ],
    [
      'two copies of the same version of the API',
      { '@scope/other/node_modules/@opentelemetry/api': { version: '1.9.1' } },
      '@opentelemetry/api',
      { status: 'warning' },
    ],
    [
      'two lines of the SDK',
      { 'other/node_modules/@opentelemetry/sdk-metrics': { version: '3.1.0' } },
      'OpenTelemetry SDK',
      { status: 'warning', message: expect.stringContaining('3.x in') as string },
    ],
    [
      'a peer that is too old',
      { '@opentelemetry/sdk-trace': { version: '2.0.0' } },
      '@opentelemetry/sdk-trace',
      { status: 'problem' },
    ],
    [
      'an optional peer that is too old',
      { express: { version: '4.0.0' } },
      'express',
      { status: 'warning', message: expect.stringContaining('^5.0.0') as string },
    ],
    [
      'two copies of isotrace',
      { 'other/node_modules/isotrace': { version: '0.9.0' } },
      'isotrace',
      { status: 'warning', message: expect.stringContaining('0.9.0 in node_modules/other') as string },
    ],
    [
      'an instrumentation that is there twice',
      {
        '@opentelemetry/instrumentation-http': { version: '0.1.0' },
        'other/node_modules/@opentelemetry/instrumentation-http': { version: '0.2.0' },
      },
      '@opentelemetry/instrumentation-http',
      { status: 'warning' },
    ],
    [
      'two other SDKs',
      { 'dd-trace': { version: '6.0.0' }, '@sentry/node': { version: '10.0.0' } },
      'other SDKs',
      { status: 'warning' },
    ],
  ])('names %s', async (_case, planted, check, expected) => {
    const { find } = await doctor([], { cwd: project({ ...GOOD, ...planted }) });
    expect(find(check)).toEqual([expect.objectContaining({ ...expected, advice: expect.any(String) })]);
  });

  it('looks at the peers that isotrace gets, and not at other copies of them', async () => {
    const early = { 'a/node_modules/@opentelemetry/sdk-trace': { version: '2.0.0' } };
    const good = await doctor([], { cwd: project({ ...GOOD, ...early }) });
    expect(good.find('@opentelemetry/sdk-trace')).toEqual([]);
    expect(good.find('peers')[0]).toMatchObject({ status: 'ok' });
    const own = { 'isotrace/node_modules/@opentelemetry/sdk-trace': { version: '2.0.0' } };
    const bad = await doctor([], { cwd: project({ ...GOOD, ...own }) });
    expect(bad.find('@opentelemetry/sdk-trace')[0]).toMatchObject({ status: 'problem' });
  });

  it("says that it cannot look into Yarn's Plug'n'Play, rather than that nothing is installed", async () => {
    const cwd = project({});
    writeFileSync(path.join(cwd, '.pnp.cjs'), '');
    const { exitCode, find } = await doctor([], { cwd });
    expect(exitCode).toBe(0);
    expect(find('packages')[0]).toMatchObject({ status: 'warning' });
  });

  it('sees through the links that pnpm makes, and counts each copy once', async () => {
    const cwd = project({ ...GOOD, '.pnpm/api@1.9.1/node_modules/@opentelemetry/api': { version: '1.9.1' } });
    const modules = path.join(cwd, 'node_modules');
    rmSync(path.join(modules, '@opentelemetry/api'), { recursive: true });
    symlinkSync(
      path.join(modules, '.pnpm/api@1.9.1/node_modules/@opentelemetry/api'),
      path.join(modules, '@opentelemetry/api'),
    );
    symlinkSync(modules, path.join(modules, '.pnpm/api@1.9.1/node_modules/loop'));
    const { find } = await doctor([], { cwd });
    expect(find('@opentelemetry/api')).toEqual([
      { check: '@opentelemetry/api', status: 'ok', message: 'one copy, 1.9.1' },
    ]);
  });

  it('names what is missing', async () => {
    const { find, exitCode } = await doctor([], { cwd: project({}) });
    expect(exitCode).toBe(1);
    for (const check of ['isotrace', '@opentelemetry/api', 'OpenTelemetry SDK'])
      expect(find(check)[0]?.status).toBe('problem');
    expect(find('isotrace')[0]?.advice).toBe('npm install isotrace');
    const cwd = project({});
    writeFileSync(path.join(cwd, 'pnpm-lock.yaml'), '');
    expect((await doctor([], { cwd })).find('isotrace')[0]?.advice).toBe('pnpm add isotrace');
    const old = [checkNode('v20.18.9'), checkNode('v18.0.0')].map(({ status }) => status);
    expect(old).toEqual(['problem', 'problem']);
    expect([checkNode('v20.19.0'), checkNode('v26.0.0')].map(({ status }) => status)).toEqual(['ok', 'ok']);
  });

  it('names variables that are not acceptable, headers that others would leak, and agents that start themselves', async () => {
    const env = {
      OTEL_BSP_SCHEDULE_DELAY: 'soon',
      ISOTRACE_TIMEOUT: 'late',
      ISOTRACE_BATCH_MAX_SIZE: '0',
      ISOTRACE_ENDPONT: 'http://receiver.test',
      ISOTRACE_DASHBOARD_TOKEN: 'CANARY-of-the-dashboard',
      TELEMETRYFLOW_TIMEOUT: 'late',
      TELEMETRYFLOW_V2_ONLY: 'perhaps',
      HH_TEST_MODE: 'perhaps',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=CANARY-3',
      NODE_OPTIONS: '--require dd-trace/init',
    };
    const { find, stdout } = await doctor([], { env });
    expect(find('OTEL_BSP_SCHEDULE_DELAY')[0]?.status).toBe('problem');
    const wrong = ['ISOTRACE_TIMEOUT', 'ISOTRACE_BATCH_MAX_SIZE', 'TELEMETRYFLOW_TIMEOUT', 'TELEMETRYFLOW_V2_ONLY'];
    for (const name of [...wrong, 'HH_TEST_MODE']) expect(find(name)[0]?.status).toBe('problem');
    expect(find('ISOTRACE_ENDPONT')[0]).toMatchObject({ status: 'warning' });
    expect(find('ISOTRACE_DASHBOARD_TOKEN')).toEqual([]);
    expect(find('OTEL_EXPORTER_OTLP_HEADERS')[0]?.status).toBe('warning');
    expect(find('NODE_OPTIONS')[0]).toMatchObject({ status: 'warning', message: expect.stringContaining('dd-trace') });
    expect(stdout).not.toContain('CANARY');
  });

  it('sends a real span to each destination, and explains the answers', async () => {
    const good = await receiverWith();
    const platform = await receiverWith();
    const refusing = await receiverWith({ fault: { mode: 'status', status: 401 } });
    const elsewhere = await receiverWith({ fault: { mode: 'status', status: 404 } });
    const closed = await refusedUrl();
    const urls = [good.url, refusing.url, elsewhere.url, closed, 'ftp://receiver.test'];
    const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${platform.url}/custom` };
    const args = [...urls.flatMap((url) => ['--endpoint', url]), '--header', 'x-key=a=b'];
    const { find, exitCode } = await doctor(args, { env });
    const of = (url: string) => find(`${new URL(url).host} (http/protobuf)`)[0];
    expect(exitCode).toBe(1);
    expect(of(good.url)).toMatchObject({ status: 'ok' });
    expect(of(refusing.url)).toMatchObject({ status: 'problem', advice: expect.stringContaining('credentials') });
    expect(of(elsewhere.url)).toMatchObject({ status: 'problem', advice: expect.stringContaining('/v1/traces') });
    expect(of(closed)).toMatchObject({ status: 'problem', advice: expect.stringContaining('nobody listens') });
    expect(find('receiver.test (http/protobuf)')[0]).toMatchObject({
      status: 'problem',
      message: expect.stringContaining('endpoint'),
    });
    const [request] = good.requests;
    expect(request?.headers['x-key']).toBe('a=b');
    expect(request && allSpans(decodeTraceRequest(request.body)).map(({ name }) => name)).toEqual(['isotrace doctor']);
    expect(platform.requests.map((sent) => sent.path)).toEqual(['/custom']);
  });

  it.each<[fault: ReceiverFault, status: Finding['status'], message: RegExp, advice: RegExp]>([
    [{ mode: 'web-page' }, 'warning', /with success to a test span, but: .*web page/, /login/],
    [{ mode: 'redirect', status: 308, location: 'https://x.test' }, 'problem', /HTTP 308/, /name the URL/],
    [{ mode: 'throttle', retryAfter: 30 }, 'problem', /HTTP 429/, /throttles/],
    [{ mode: 'status', status: 400 }, 'problem', /HTTP 400/, /does not accept/],
    [{ mode: 'status', status: 503 }, 'problem', /HTTP 503/, /trouble/],
    [{ mode: 'status', status: 407 }, 'problem', /HTTP 407/, /proxy/],
    [{ mode: 'partial-success', rejected: 1, message: 'over quota' }, 'problem', /over quota/, /words of the receiver/],
    [{ mode: 'partial-success', rejected: 0, message: 'old key' }, 'warning', /but: old key/, /words of the receiver/],
    [{ mode: 'hang' }, 'problem', /no answer yet/, /in time/],
    [{ mode: 'reset-before-status' }, 'problem', /./, /cut without an answer/],
    [{ mode: 'garbage' }, 'problem', /./, /speak this protocol/],
  ])('explains %j', async (fault, status, message, advice) => {
    const { url } = await receiverWith({ fault });
    const { find } = await doctor(['--endpoint', url, '--timeout', '1500']);
    expect(find(`${new URL(url).host} (http/protobuf)`)).toEqual([
      {
        check: expect.any(String),
        status,
        message: expect.stringMatching(message),
        advice: expect.stringMatching(advice),
      },
    ]);
  });

  it('explains a certificate that nobody trusts, and a receiver without TLS', async () => {
    const secure = await receiverWith({ tls: { key: serverKey, cert: serverCert } });
    const plain = await receiverWith();
    for (const { host } of [new URL(secure.url), new URL(plain.url)]) {
      const { find } = await doctor(['--endpoint', `https://${host}`]);
      expect(find(`${host} (http/protobuf)`)[0]).toMatchObject({
        status: 'problem',
        advice: expect.stringContaining('destination.tls'),
      });
    }
  });

  it('asks destinations of other signals with what they take, and platform ones through their proxy', async () => {
    const logs = await receiverWith();
    const metrics = await receiverWith();
    const proxy = await startProxy();
    onTestFinished(() => proxy.close());
    const env = {
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${logs.url}/logs`,
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${metrics.url}/metrics`,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://behind.test:${new URL(metrics.url).port}/traces`,
      HTTP_PROXY: proxy.url,
    };
    const { exitCode } = await doctor([], { env });
    expect(exitCode).toBe(0);
    expect(logs.requests.map(({ path: asked }) => asked)).toEqual(['/logs']);
    expect(new Set(metrics.requests.map(({ path: asked }) => asked))).toEqual(new Set(['/metrics', '/traces']));
    expect(proxy.requests).toHaveLength(1);
  });

  it("loads a module's registry and asks for its tenants", async () => {
    const receiver = await receiverWith();
    receiver.setFault(({ path: asked }) =>
      asked.includes('refused') ? { mode: 'status', status: 403 } : { mode: 'ok' },
    );
    vi.stubEnv('TEST_DOCTOR_ENDPOINT', receiver.url);
    onTestFinished(() => void vi.unstubAllEnvs());
    // A copy for this attempt: what was imported once does not run again.
    const fixture = fileURLToPath(new URL('fixtures/telemetry.ts', import.meta.url));
    const module = fixture.replace('telemetry.ts', `.telemetry-${Date.now()}.ts`);
    copyFileSync(fixture, module);
    onTestFinished(() => rmSync(module));
    const tenants = ['acme', 'refused', 'nobody', 'broken', 'sampled', 'silent', 'half', 'nowhere'].flatMap(
      (tenant) => ['--tenant', tenant],
    );
    const { find } = await doctor(['--module', module, ...tenants]);
    expect(find('tenant acme')[0]).toMatchObject({ status: 'ok' });
    expect(find('tenant refused')[0]).toMatchObject({
      status: 'problem',
      advice: expect.stringContaining('credentials'),
    });
    expect(find('tenant nobody')[0]).toMatchObject({ status: 'problem', advice: expect.stringContaining('undefined') });
    expect(find('tenant broken')[0]).toMatchObject({
      status: 'problem',
      message: expect.stringContaining('the directory is away'),
    });
    // Without instrumentation nobody misses an owner.
    expect(find("OpenTelemetry's globals")[0]).toMatchObject({ status: 'ok' });
    const instrumented = project({ ...GOOD, '@opentelemetry/instrumentation-http': { version: '0.223.0' } });
    const again = await doctor(['--module', module], { cwd: instrumented });
    expect(again.find("OpenTelemetry's globals")[0]).toMatchObject({ status: 'warning', message: 'nobody owns them' });
    // One of its destinations has the span.
    expect(find('tenant half')[0]).toMatchObject({ status: 'problem', message: 'HTTP 403' });
    expect(find('tenant nowhere')[0]).toMatchObject({ status: 'problem', message: 'it has no destination' });
    // A share of the traces, of which the test span is none unless it is made one.
    expect(find('tenant sampled')[0]).toMatchObject({ status: 'ok' });
    expect(find('tenant silent')[0]).toMatchObject({
      status: 'warning',
      message: 'the test span was not recorded',
    });
    const missing = await doctor(['--module', '/does/not/exist.mjs']);
    expect(missing.find('/does/not/exist.mjs')[0]).toMatchObject({ status: 'problem' });
  });

  it('sends a span to where ISOTRACE_ENDPOINT says, as the modules do that init writes', async () => {
    const receiver = await receiverWith();
    const { find, exitCode } = await doctor([], { env: { ISOTRACE_ENDPOINT: receiver.url } });
    expect(find(`${new URL(receiver.url).host} (http/protobuf)`)).toEqual([
      expect.objectContaining({ status: 'ok', message: 'it took a test span' }),
    ]);
    expect(exitCode).toBe(0);
    // A key over plain http to elsewhere is nothing that a builder does.
    const keys = { ISOTRACE_API_KEY_ID: 'key', ISOTRACE_API_KEY_SECRET: 'CANARY-7' };
    const plain = await doctor([], { env: { ISOTRACE_ENDPOINT: 'http://receiver.test', ...keys } });
    expect(plain.exitCode).toBe(1);
    expect(plain.stdout).toMatch(/ISOTRACE_\*: /);
    expect(plain.stdout).not.toContain('CANARY');
  });

  it('prints words for people', async () => {
    const { stdout, exitCode } = await isotraceOnce(['doctor'], {
      cwd: project(GOOD),
      env: { OTEL_EXPORTER_OTLP_HEADERS: 'a=b' },
    });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('warning  OTEL_EXPORTER_OTLP_HEADERS');
    expect(stdout).toContain('0 problems, 1 warning\n');
  });
});
