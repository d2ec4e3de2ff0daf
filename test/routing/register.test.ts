import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { InstallationHealth, RegistryStats } from '../../src/index.ts';
import { allSpans, type DecodedSpan, decodeTraceRequest } from '../support/otlp-decoder.ts';
import { startReceiver } from '../support/otlp-receiver.ts';

const run = promisify(execFile);
const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface AppResult {
  readonly installation: InstallationHealth;
  readonly parents: readonly (readonly [string, string])[];
  readonly stats: RegistryStats;
  /** Who got which spans. */
  readonly spans: Readonly<Record<string, readonly DecodedSpan[]>>;
}

/** Runs one of the applications in a process of its own. */
async function runApp(app: string, imports: readonly string[], env: Record<string, string> = {}): Promise<AppResult> {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const { stdout } = await run(
    process.execPath,
    [...imports.flatMap((name) => ['--import', name]), file(`./apps/${app}`)],
    { env: { ...process.env, COLLECTOR: receiver.url, ...env }, timeout: 60_000 },
  );
  const spans: Record<string, DecodedSpan[]> = { a: [], b: [], platform: [] };
  for (const { path, body } of receiver.requests) {
    spans[path.split('/')[1] as string]?.push(...allSpans(decodeTraceRequest(body)));
  }
  return { ...(JSON.parse(stdout) as Omit<AppResult, 'spans'>), spans };
}

function expectTraces({ spans, parents, stats }: AppResult): void {
  for (const tenant of ['a', 'b']) {
    const own = spans[tenant] ?? [];
    const roots = own.filter(({ kind, name }) => kind === SERVER && name === 'GET /orders/:id');
    expect(roots).toHaveLength(2);
    for (const root of roots) {
      const trace = own.filter(({ traceId }) => traceId === root.traceId);
      const ids = new Set(trace.map(({ spanId }) => spanId));
      const calls = trace.filter(({ kind }) => kind === CLIENT);
      expect(calls).toHaveLength(1);
      expect(trace.filter(({ attributes }) => attributes['express.type'] === 'request_handler')).toHaveLength(1);
      expect(trace.filter((span) => span !== root && !ids.has(span.parentSpanId))).toEqual([]);
      expect(parents).toContainEqual([tenant, `00-${root.traceId}-${calls[0]?.spanId}-03`]);
    }
    const seen = own.map(({ traceId, spanId }) => traceId + spanId);
    expect(new Set(seen).size).toBe(seen.length);
  }
  expect(stats.lateBinding.waiting).toBe(0);
}

const SERVER = 2;
const CLIENT = 3;

describe('--import isotrace/register', { timeout: 90_000 }, () => {
  it.each(['app.mjs', 'app.cjs'])('lets each request of %s be traced by its own tenant', async (app) => {
    const result = await runApp(app, ['tsx', file('../../src/register.ts')]);
    expect(result.installation).toEqual({ strategy: 'own', found: 'none' });
    expectTraces(result);
  });

  it('leaves the application alone as long as no registry takes over', async () => {
    const result = await runApp('app.mjs', ['tsx', file('../../src/register.ts')], { STRATEGY: 'join' });
    expect(result.installation).toMatchObject({
      strategy: 'join',
      found: 'none',
      advice: expect.any(String) as string,
    });
    expect(Object.values(result.spans).flat()).toEqual([]);
  });

  it('is what makes the difference', async () => {
    const result = await runApp('app.mjs', ['tsx']);
    expect(result.installation).toEqual({ strategy: 'own', found: 'none' });
    expect(Object.values(result.spans).flat()).toEqual([]);
  });
});
