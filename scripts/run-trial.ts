import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { decodeTraceRequest } from '../test/support/otlp-decoder.ts';
import { type OtlpReceiver, startReceiver } from '../test/support/otlp-receiver.ts';
import type { Request, Trial } from './example-trials.ts';

interface TrialPlaces {
  /** The project becomes a directory of it. */
  readonly workspace: string;
  /** The packed command line. */
  readonly cli: string;
  /** Installs what the written project asks for, or what was printed does. Default: its packages are found above it. */
  readonly install?: (project: string, printed: string) => Promise<void>;
}

const root = fileURLToPath(new URL('../', import.meta.url));
const TSC = 'node_modules/typescript/bin/tsc';
/** Not its command, which is a process around another one. */
const TSX = 'node_modules/tsx/dist/loader.mjs';
const PATIENCE_MILLIS = 60_000;

/** Resolves with what was seen; rejects with what is wrong. */
export async function runTrial(trial: Trial, { workspace, cli, install }: TrialPlaces): Promise<string> {
  const project = path.join(workspace, trial.title.replaceAll(' ', '-'));
  mkdirSync(project);
  const { 'tsconfig.json': settings, ...files } = trial.files;
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(project, name), content);
  const printed = execFileSync(process.execPath, [cli, ...trial.generate], {
    cwd: project,
    stdio: 'pipe',
    encoding: 'utf8',
  });
  await install?.(project, printed);
  // Later: a project that has it is taken for one that has a compiler.
  if (settings !== undefined) writeFileSync(path.join(project, 'tsconfig.json'), settings);
  const tools = install === undefined ? root : project;
  execFileSync(process.execPath, [path.join(tools, TSC), '-p', project], { stdio: 'pipe' });
  await using receiver = await startReceiver();
  const start = trial.main ?? startOf(project);
  const loader =
    trial.main !== undefined || start.endsWith('.ts') ? ['--import', pathToFileURL(path.join(tools, TSX)).href] : [];
  const child = spawn(process.execPath, [...loader, start], {
    cwd: project,
    env: {
      ...process.env,
      ISOTRACE_ENDPOINT: receiver.url,
      TELEMETRY_ACCOUNTS: JSON.stringify({
        acme: { endpoint: receiver.url, apiKey: 'key-of-acme' },
        globex: { endpoint: receiver.url, apiKey: 'key-of-globex' },
      }),
      PORT: '0',
      OTEL_SERVICE_NAME: undefined,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: PATIENCE_MILLIS,
  });
  const said = await use(child, trial);
  const expected = Object.values(trial.spans).flat().length;
  await receiver.waitForSpans(expected, PATIENCE_MILLIS);
  assert.deepEqual(spansByTenant(receiver), trial.spans);
  return `${said}, ${expected} spans of ${Object.keys(trial.spans).length} tenants`;
}

/** What `npm start` runs, without npm around it, which passes no signals on. */
function startOf(project: string): string {
  const { scripts } = JSON.parse(readFileSync(path.join(project, 'package.json'), 'utf8')) as {
    readonly scripts: { readonly start: string };
  };
  // The compiler has run already.
  const [, file] = /^(?:tsx|tsc && node) (\S+)$/.exec(scripts.start) ?? [];
  return file ?? assert.fail(`what does "${scripts.start}" start?`);
}

async function use(child: ChildProcess, { requests, printed = [] }: Trial): Promise<string> {
  const output: string[] = [];
  const errors: string[] = [];
  child.stderr?.on('data', (chunk: Buffer) => errors.push(String(chunk)));
  const closed = once(child, 'close') as Promise<[number | null, string | null]>;
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  lines.on('line', (line) => output.push(line));
  try {
    if (requests !== undefined) {
      await Promise.race([once(lines, 'line'), closed]);
      const url = /http:\/\/\S+/.exec(output[0] ?? '')?.[0];
      assert.ok(url, 'it does not listen');
      for (const request of requests) await ask(url, request);
      child.kill('SIGTERM');
    }
    const [code] = await closed;
    if (requests === undefined) {
      assert.equal(code, 0);
      assert.deepEqual(output.sort(), [...printed].sort());
    }
    assert.deepEqual(errors, []);
    return requests === undefined ? 'ran' : `${requests.length} requests`;
  } catch (error: unknown) {
    throw Object.assign(error as Error, { stdout: output.join('\n'), stderr: errors.join('') });
  } finally {
    child.kill('SIGKILL');
  }
}

async function ask(
  url: string,
  { path: asked, method = 'GET', headers, body, status, answer }: Request,
): Promise<void> {
  const init = {
    method,
    headers: { ...headers, connection: 'close' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  };
  const response = await fetch(new URL(asked, url), init);
  const text = await response.text();
  assert.equal(response.status, status, `${method} ${asked}: ${text}`);
  if (answer !== undefined) assert.deepEqual(JSON.parse(text, rounded), answer);
}

/** Sums of prices are no round numbers. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(9)) : value;
}

function spansByTenant(receiver: OtlpReceiver): Record<string, string[]> {
  const names: Record<string, string[]> = {};
  for (const { path: asked, headers, body } of receiver.requests) {
    if (asked !== '/v1/traces') continue;
    for (const { resource, scopeSpans } of decodeTraceRequest(body).resourceSpans) {
      const key = headers.authorization?.replace('Bearer key-of-', '');
      const tenant = String(resource.attributes['tenant.id'] ?? headers['x-scope-orgid'] ?? key);
      const sent = scopeSpans.flatMap(({ spans }) => spans.map(({ name }) => name));
      names[tenant] = [...(names[tenant] ?? []), ...sent];
    }
  }
  return Object.fromEntries(
    Object.entries(names)
      .map(([tenant, list]): [string, string[]] => [tenant, list.sort()])
      .sort(([left], [right]) => (left < right ? -1 : 1)),
  );
}
