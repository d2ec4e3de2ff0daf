import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type TracerProvider as ApiTracerProvider, trace } from '@opentelemetry/api';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { afterEach, describe, expect, it } from 'vitest';
import { detectGlobalSdk, isRegisteredProvider } from '../../src/infra/global-sdk.ts';
import { registryOf } from '../core/registry-kit.ts';
import { MEETS_SENTRY } from '../support/host-sdk.ts';

/** OpenTelemetry 3 has no such package. */
const base = await import('@opentelemetry/sdk-trace-base').catch(() => undefined);

afterEach(() => trace.disable());

/** As that of dd-trace 5.132, which is too large to be installed for this: a class of that name with these fields. */
function datadogProvider(): ApiTracerProvider {
  class TracerProvider {
    readonly config = {};
    readonly resource = {};
    getTracer = () => trace.getTracer('none');
  }
  return new TracerProvider();
}

describe('whose provider is registered', () => {
  it.each<[string, string, () => void]>([
    ['nobody', 'none', () => {}],
    ['the TracerProvider of sdk-trace', 'opentelemetry', () => trace.setGlobalTracerProvider(new TracerProvider({}))],
    ...(base === undefined
      ? []
      : [
          [
            'the provider of sdk-trace-base',
            'opentelemetry',
            () => trace.setGlobalTracerProvider(new base.BasicTracerProvider()),
          ] as [string, string, () => void],
        ]),
    ['another registry', 'isotrace', () => registryOf({}).install()],
    ['something else', 'other', () => trace.setGlobalTracerProvider({ getTracer: () => trace.getTracer('none') })],
    ['a class that is hostile', 'other', () => trace.setGlobalTracerProvider(hostile())],
  ])('is %s: %s', (_who, expected, register) => {
    register();
    expect(detectGlobalSdk()).toBe(expected);
  });

  it('is Datadog, whose provider has the name of another', () => {
    const marks = globalThis as { [key: symbol]: unknown };
    marks[Symbol.for('dd-trace')] = {};
    trace.setGlobalTracerProvider(datadogProvider());
    expect(detectGlobalSdk()).toBe('datadog');
    expect(registryOf({}).install()).toMatchObject({ strategy: 'isolated', found: 'datadog' });
    trace.disable();
    trace.setGlobalTracerProvider(new TracerProvider({}));
    expect(detectGlobalSdk()).toBe('opentelemetry');
    delete marks[Symbol.for('dd-trace')];
  });

  it.runIf(MEETS_SENTRY)('is Sentry, with a provider of its own class', () => {
    const source = fileURLToPath(new URL('../../src/infra/global-sdk.ts', import.meta.url));
    const script = `
      import * as Sentry from '@sentry/node';
      import { detectGlobalSdk } from '${source}';
      Sentry.init({ dsn: 'http://key@127.0.0.1:9/1' });
      process.stdout.write(detectGlobalSdk());
      process.exit();`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
    expect(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000 })).toBe('sentry');
  });

  it('can be told apart from a provider that was replaced', () => {
    const provider = new TracerProvider({});
    trace.setGlobalTracerProvider(provider);
    expect(isRegisteredProvider(provider)).toBe(true);
    trace.disable();
    expect(isRegisteredProvider(provider)).toBe(false);
  });
});

function hostile(): ApiTracerProvider {
  return new Proxy(
    { getTracer: () => trace.getTracer('none') },
    {
      get: (_target, key) => {
        throw new Error(`hostile ${String(key)}`);
      },
      has: () => {
        throw new Error('hostile');
      },
    },
  );
}
