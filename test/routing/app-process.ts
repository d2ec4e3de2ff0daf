import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import type { InstallationHealth, RegistryStats } from '../../src/index.ts';
import { allSpans, type DecodedSpan, decodeTraceRequest } from '../support/otlp-decoder.ts';
import { startReceiver } from '../support/otlp-receiver.ts';

const run = promisify(execFile);

export const SERVER = 2;
export const CLIENT = 3;

export interface AppResult {
  readonly installation: InstallationHealth;
  /** The tenant of each request, and the `traceparent` that the server behind got. */
  readonly parents: readonly (readonly [string, string])[];
  readonly stats: RegistryStats;
  /** What the SDK of the host had. */
  readonly host: readonly { name: string; traceId: string; spanId: string; parentSpanId: string }[];
  /** What the host noted in its handlers. */
  readonly noted?: readonly unknown[];
  /** Who got which spans. */
  readonly spans: Readonly<Record<string, readonly DecodedSpan[]>>;
}

export function file(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

/** Runs one of the applications in `apps` in a process of its own, against a receiver. */
export async function runApp(
  app: string,
  imports: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<AppResult> {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.close());
  const { stdout } = await run(
    process.execPath,
    [...['tsx', ...imports].flatMap((name) => ['--import', name]), file(`./apps/${app}`)],
    { env: { ...process.env, COLLECTOR: receiver.url, ...env }, timeout: 90_000 },
  );
  const spans: Record<string, DecodedSpan[]> = { a: [], b: [], platform: [] };
  for (const { path, body } of receiver.requests) {
    if (path.endsWith('/v1/traces')) spans[path.split('/')[1] as string]?.push(...allSpans(decodeTraceRequest(body)));
  }
  return { ...(JSON.parse(stdout) as Omit<AppResult, 'spans'>), spans };
}

/** Each of the four requests is one trace at its tenant, without gaps, and nothing is there twice. */
export function expectTraces({ spans, parents, stats }: AppResult, handler: (span: DecodedSpan) => boolean): void {
  for (const tenant of ['a', 'b']) {
    const own = spans[tenant] ?? [];
    const roots = own.filter(({ kind }) => kind === SERVER);
    expect(roots).toHaveLength(2);
    for (const root of roots) {
      const trace = own.filter(({ traceId }) => traceId === root.traceId);
      const ids = new Set(trace.map(({ spanId }) => spanId));
      const calls = trace.filter(({ kind }) => kind === CLIENT);
      expect(calls).toHaveLength(1);
      expect(trace.filter(handler)).toHaveLength(1);
      expect(trace.filter((span) => span !== root && !ids.has(span.parentSpanId))).toEqual([]);
      expect(parents).toContainEqual([
        tenant,
        expect.stringMatching(new RegExp(`^00-${root.traceId}-${calls[0]?.spanId}-0[13]$`)),
      ]);
    }
    expect(new Set(own.map(({ traceId }) => traceId)).size).toBe(2);
    expect(new Set(own.map(({ spanId }) => spanId)).size).toBe(own.length);
  }
  expect(stats.lateBinding.waiting).toBe(0);
}
