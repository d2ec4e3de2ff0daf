import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  DESTINATIONS,
  type DestinationKind,
  FRAMEWORKS,
  type Framework,
  type InitAnswers,
  TENANT_SOURCES,
  type TenantSource,
} from '../../src/cli/init/answers.ts';
import { initFiles } from '../../src/cli/init/init-files.ts';
import { middlewareModule } from '../../src/cli/init/middleware-template.ts';
import { writeScaffold } from '../../src/cli/scaffold.ts';
import type { TracerRegistry } from '../../src/index.ts';
import { receiverWith } from '../delivery/delivery-kit.ts';
import { decodeTraceRequest } from '../support/otlp-decoder.ts';
import type { OtlpReceiver, ReceivedRequest } from '../support/otlp-receiver.ts';
import { appFor, type StartedApp } from './init-apps.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const TENANTS = ['acme', 'globex'];
const keysOf = <T extends string>(record: Readonly<Record<T, string>>): T[] => Object.keys(record) as T[];

interface Case {
  readonly framework: Framework;
  readonly tenant: TenantSource;
  readonly destination: DestinationKind;
}

/** Everything that can be answered. */
const cases: readonly Case[] = keysOf(FRAMEWORKS).flatMap((framework) =>
  (framework === 'none' ? (['function'] as const) : keysOf(TENANT_SOURCES)).flatMap((tenant) =>
    keysOf(DESTINATIONS).map((destination) => ({ framework, tenant, destination })),
  ),
);

/** Beside the project's own packages, and hidden, so that its tools pass it by. */
const folder = path.join(root, 'test', '.templates');
const homeOf = ({ framework, tenant, destination }: Case): string =>
  path.join(folder, `${framework}-${tenant}-${destination}`);

let attempts = 0;

beforeAll(() => {
  // Each registry has its hooks, as it has in a process of its own.
  process.setMaxListeners(cases.length * 2);
  rmSync(folder, { recursive: true, force: true });
  for (const given of cases) {
    const answers: InitAnswers = { ...given, directory: 'telemetry', service: "Bob's \\shop" };
    writeScaffold(homeOf(given), [...initFiles(answers), { path: 'app.ts', content: appFor(given.framework) }], {
      force: false,
    });
    if (given.tenant === 'function' && given.framework !== 'none') fillIn(given);
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Does what the template asks its reader to do, with the expression of another template. */
function fillIn({ framework, destination }: Case): void {
  const { file } = middlewareModule(framework);
  const target = path.join(homeOf({ framework, tenant: 'function', destination }), `telemetry/${file}.ts`);
  const other = path.join(homeOf({ framework, tenant: 'header', destination }), `telemetry/${file}.ts`);
  const [, expression = ''] = /const tenant = (.*);/.exec(readFileSync(other, 'utf8')) ?? [];
  const filled = readFileSync(target, 'utf8').replace('return undefined;', `return String(_${expression});`);
  expect(filled).toContain('return String(_');
  writeFileSync(target, filled);
}

describe('what isotrace init writes', () => {
  it('compiles under a strict compiler, for all answers', { timeout: 120_000 }, () => {
    const config = {
      extends: path.join(root, 'tsconfig.json'),
      compilerOptions: { skipLibCheck: true },
      include: ['*/**/*.ts'],
    };
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
    expect(compile(folder)).toBe('');
  });

  it.each(cases)('serves each tenant: $framework, tenant by $tenant, to $destination', async (given) => {
    const receivers = { acme: await receiverWith(), globex: await receiverWith() };
    vi.stubEnv('ISOTRACE_ENDPOINT', receivers.acme.url);
    vi.stubEnv('COLLECTOR_TOKEN', 'token');
    vi.stubEnv('ISOTRACE_DASHBOARD_TOKEN', 'token');
    const account = (tenant: keyof typeof receivers) => ({
      endpoint: receivers[tenant].url,
      apiKey: `key-of-${tenant}`,
    });
    vi.stubEnv('TELEMETRY_ACCOUNTS', JSON.stringify({ acme: account('acme'), globex: account('globex') }));
    // In a folder of this attempt: what was imported once does not run again.
    attempts += 1;
    const home = path.join(folder, `attempt-${attempts}`);
    cpSync(homeOf(given), home, { recursive: true });
    const { open, registry } = (await import(pathToFileURL(path.join(home, 'app.ts')).href)) as {
      readonly open: () => Promise<StartedApp>;
      readonly registry: TracerRegistry;
    };
    const app = await open();
    const nobody = { 'x-tenant': 'no such tenant!', authorization: 'Bearer no such tenant!' };
    await Promise.all([
      ...[...TENANTS, ...TENANTS].map((tenant) => ask(app.port, tenant, given.tenant)),
      request(app.port, '/orders?by=nobody', nobody),
    ]);
    await app.close();
    const { ok } = await registry.shutdown();
    expect(ok).toBe(true);

    const all = [...spansOf(receivers.acme, given), ...spansOf(receivers.globex, given)];
    const work = all.filter(({ by }) => by !== undefined);
    expect(work.map(({ tenant, by }) => `${tenant} ${by}`).sort()).toEqual([
      'acme acme',
      'acme acme',
      'globex globex',
      'globex globex',
    ]);
    expect(all).toHaveLength(8); // each beside the span of its request
    expect(new Set(all.map(({ service }) => service))).toEqual(new Set(["Bob's \\shop"]));
    if (given.destination === 'directory') expect(spansOf(receivers.globex, given)).toHaveLength(4);
  });
});

/** Says who asks in the one way that is looked at, and somebody else in all others. */
async function ask(port: number, tenant: string, source: TenantSource): Promise<void> {
  const route = source === 'path' ? `/t/${tenant}/orders` : '/t.other/orders';
  const is = (...sources: TenantSource[]): string => (sources.includes(source) ? tenant : 'other');
  await request(port, `${route}?by=${tenant}`, {
    host: `${is('subdomain')}.localhost:${port}`,
    authorization: `Bearer ${is('user')}`,
    'x-tenant': is('header', 'function'),
  });
}

function request(port: number, route: string, headers: Readonly<Record<string, string>>): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = http.get({ host: '127.0.0.1', port, path: route, headers, agent: false }, (response) => {
      expect(response.statusCode).toBe(200);
      response.resume().once('end', resolve);
    });
    sent.once('error', reject);
  });
}

interface Seen {
  /** Who the receiver takes it to be from. */
  readonly tenant: string | undefined;
  /** Who the request said to be. */
  readonly by: unknown;
  readonly service: unknown;
}

function spansOf(receiver: OtlpReceiver, { destination }: Case): Seen[] {
  return receiver.requests
    .filter(({ path: asked }) => asked === '/v1/traces')
    .flatMap((received) =>
      decodeTraceRequest(received.body).resourceSpans.flatMap(({ resource, scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) =>
          spans.map(({ attributes }) => ({
            tenant: tenantOf(received, resource.attributes, destination),
            by: attributes['by'],
            service: resource.attributes['service.name'],
          })),
        ),
      ),
    );
}

function tenantOf(
  { headers }: ReceivedRequest,
  resource: Readonly<Record<string, unknown>>,
  destination: DestinationKind,
): string | undefined {
  if (destination === 'directory') return headers.authorization?.replace('Bearer key-of-', '');
  expect(headers.authorization).toBe('Bearer token');
  if (destination === 'dashboard') return String(resource['tenant.id']);
  return String(headers['x-scope-orgid']);
}

function compile(project: string): string {
  try {
    execFileSync(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', project], {
      encoding: 'utf8',
    });
    return '';
  } catch (error) {
    return (error as { readonly stdout: string }).stdout;
  }
}
