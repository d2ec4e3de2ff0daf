import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { FlushReport, InstallationHealth, RegistryHealth, RegistryStats } from '../../src/index.ts';
import { expectBalance } from '../core/registry-kit.ts';
import type { DecodedSpan } from '../support/otlp-decoder.ts';
import { startReceiver } from '../support/otlp-receiver.ts';
import { file } from './app-process.ts';

const IDS = ['red', 'green', 'blue'] as const;
const ROUNDS = 10;
const API = '@opentelemetry/api';
const OWN_VERSION = versionOf(API);
const SAME_MAJOR = ['api-1.4', 'api-1.9.0', 'api-1.10'].filter((copy) => versionOf(copy) !== OWN_VERSION);
const COPIES = ['api-0', ...SAME_MAJOR];

interface Host {
  readonly installation: InstallationHealth;
  readonly health: RegistryHealth;
  readonly report: FlushReport;
  readonly stats: RegistryStats;
  /** Whether the library's copy may not register anything. */
  readonly isRefused: boolean;
  /** Spans of the library that its own provider got. */
  readonly kept: number;
  readonly escaped: readonly string[];
  readonly spans: Readonly<Record<string, readonly DecodedSpan[]>>;
}

/**
 * Whether that copy takes what a process has registered with the other one: the rule of `@opentelemetry/api`, which
 * wants the same major version, and no older minor one than its own.
 */
function takesFrom(copy: string, registered: string): boolean {
  const [own, other] = [copy, registered].map((name) => versionOf(name).split('.').map(Number));
  return own?.[0] === other?.[0] && (own?.[1] ?? 0) <= (other?.[1] ?? 0);
}

function versionOf(name: string): string {
  const manifest = readFileSync(file(`../../node_modules/${name}/package.json`), 'utf8');
  return (JSON.parse(manifest) as { readonly version: string }).version;
}

/** Runs a host whose library uses that copy of the API, or registers something with it first. */
async function host(copy: string, first: 'isotrace' | 'library' | 'provider'): Promise<Host> {
  const receivers = await Promise.all(IDS.map(async (id) => [id, await startReceiver()] as const));
  onTestFinished(async () => {
    for (const [, receiver] of receivers) await receiver.close();
  });
  const targets = Object.fromEntries(receivers.map(([id, { url }]) => [id, url]));
  const env = { ...process.env, API: copy, FIRST: first, TARGETS: JSON.stringify(targets) };
  const command = ['--import', 'tsx', file('./apps/api-versions.ts')];
  const { stdout } = await promisify(execFile)(process.execPath, command, { env, timeout: 90_000 });
  const spans = Object.fromEntries(receivers.map(([id, receiver]) => [id, receiver.spans()]));
  return { ...(JSON.parse(stdout) as Omit<Host, 'spans'>), spans };
}

/** Each tenant has its own spans, complete, each with the right parent: `{ child: parent }`, by the names' first words. */
function expectSpans(
  { escaped, report, spans, stats }: Host,
  parents: Readonly<Record<string, string | undefined>>,
): void {
  expect(escaped).toEqual([]);
  expect(report).toMatchObject({ ok: true, pending: 0, dropped: {} });
  expectBalance(stats.traces);
  expect(stats.traces.exported).toBe(IDS.length * ROUNDS * Object.keys(parents).length);
  for (const id of IDS) {
    const own = spans[id] ?? [];
    const byId = new Map(own.map((span) => [span.spanId, span]));
    expect(own.every(({ name }) => name.endsWith(` of ${id}`))).toBe(true);
    const found = own.map(({ name, parentSpanId }) => [
      name,
      parentSpanId === '' ? undefined : byId.get(parentSpanId)?.name,
    ]);
    const named = (word: string | undefined) => word && `${word} of ${id}`;
    const expected = Object.entries(parents).flatMap(([child, parent]) =>
      Array(ROUNDS).fill([named(child), named(parent)]),
    );
    expect(found.sort()).toEqual(expected.sort());
    const requests = own.filter(({ name }) => name.startsWith('request'));
    expect(new Set(own.map(({ traceId }) => traceId)).size).toBe(requests.length);
    expect(requests.every(({ attributes }) => attributes['seen'] === id)).toBe(true);
  }
}

const OWN = { request: undefined, after: 'request' };
const ALL = { ...OWN, library: 'request', nested: 'library' };

describe('a library with another version of @opentelemetry/api', { timeout: 100_000 }, () => {
  it.each(COPIES.filter((copy) => takesFrom(copy, API)))(
    'that takes what ours registers, %s, is routed: its spans go to the tenant, below its span',
    async (copy) => {
      const result = await host(copy, 'isotrace');
      expect(result.installation).toEqual({ strategy: 'own', found: 'none' });
      expect(result.health).toMatchObject({ ok: true, errors: {} });
      expectSpans(result, ALL);
    },
  );

  it.each(COPIES.filter((copy) => !takesFrom(copy, API)))(
    'that does not take what older or other ones register, %s, changes nothing for the tenants',
    async (copy) => {
      const result = await host(copy, 'isotrace');
      expect(result.installation).toEqual({ strategy: 'own', found: 'none' });
      expectSpans(result, OWN);
    },
  );

  it.each(SAME_MAJOR)(
    'that was the first to register something, %s, leaves the tenants their spans, and is named',
    async (copy) => {
      const result = await host(copy, 'library');
      expect(result.isRefused).toBe(false);
      expectSpans(result, OWN);
      const versions = `@opentelemetry/api ${versionOf(copy)} came first, and isotrace uses ${OWN_VERSION}`;
      expect(result.installation).toMatchObject({ strategy: 'isolated', found: 'none' });
      expect(result.installation.advice).toContain(versions);
      expect(result.health.installation?.advice).toBe(result.installation.advice);
      expect(result.health.recentErrors).toMatchObject([
        { component: 'context', message: expect.stringContaining(versions) },
      ]);
    },
  );

  it.each(SAME_MAJOR)(
    'that has a provider of its own, %s, keeps it, also when isotrace is told to take the globals',
    async (copy) => {
      const found = takesFrom(API, copy) ? 'other' : 'none';
      const result = await host(copy, 'provider');
      expect(result.isRefused).toBe(false);
      expect(result.installation).toMatchObject({ strategy: 'isolated', found });
      expect(result.kept).toBe(IDS.length * ROUNDS * 2);
      expectSpans(result, OWN);
    },
  );

  it('of another major version has globals of its own, which isotrace does not touch', async () => {
    const result = await host('api-0', 'library');
    expect(result.installation).toEqual({ strategy: 'own', found: 'none' });
    expect(result.health).toMatchObject({ ok: true, errors: {} });
    expectSpans(result, OWN);
  });
});
