import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { importedPackages, readSources } from '../scripts/architecture.ts';
import { findUnlocked, type Lockfile } from '../scripts/lockfile.ts';
import { listPublicApi } from '../scripts/public-api.ts';

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const root = new URL('../', import.meta.url);
const readJson = (file: string): unknown => JSON.parse(readFileSync(new URL(file, root), 'utf8'));
const manifest = readJson('package.json') as Manifest;
const sources = readSources(root);
const entries = Object.keys(manifest.exports).filter((name) => name !== './package.json');

/** The source of an entry: `.` is `src/index.ts`, `./express` is `src/express.ts`. */
const sourceOf = (entry: string): string => `src/${entry === '.' ? 'index' : entry.slice(2)}.ts`;

describe('the package', () => {
  it('publishes exactly the files directly in src, each with its types', () => {
    const files = [...sources.keys()].filter((file) => file.split('/').length === 2 && file !== 'src/cli.ts');
    expect(entries.map(sourceOf).sort()).toEqual(files.sort());
    for (const entry of entries) {
      const output = sourceOf(entry).replace(/^src/, './dist').replace(/\.ts$/, '');
      expect(manifest.exports[entry]).toEqual({ types: `${output}.d.ts`, default: `${output}.js` });
    }
    expect(manifest.exports['./package.json']).toBe('./package.json');
  });

  it('imports every dependency and peer that it asks users to install', () => {
    const declared = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)];
    expect([...importedPackages(sources)].sort()).toEqual(declared.sort());
  });

  it('has few runtime dependencies', () => {
    expect(Object.keys(manifest.dependencies)).toEqual([
      '@clack/prompts',
      'commander',
      'lru-cache',
      'moo',
      'pino',
      'semver',
      'undici',
    ]);
  });

  it('runs no script of its own or of a dependency when it is installed', () => {
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
      expect(Object.keys(manifest.scripts)).not.toContain(script);
    }
    const { packages } = readJson('package-lock.json') as {
      readonly packages: Readonly<Record<string, { readonly dev?: true; readonly hasInstallScript?: true }>>;
    };
    // Peers are development dependencies here; what is not, is installed with isotrace.
    const installed = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);
    expect(installed.length).toBeGreaterThanOrEqual(Object.keys(manifest.dependencies).length);
    expect(installed.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path)).toEqual([]);
  });

  it('takes OpenTelemetry from the host and develops against each peer', () => {
    expect(Object.keys(manifest.dependencies).filter((name) => name.startsWith('@opentelemetry/'))).toEqual([]);
    expect(Object.keys(manifest.devDependencies)).toEqual(
      expect.arrayContaining(Object.keys(manifest.peerDependencies)),
    );
  });

  it('works without the peers that only some of its features need: loaded when asked for, or by an entry of their own', () => {
    const optional = Object.keys(manifest.peerDependenciesMeta);
    expect(optional).toEqual([
      '@grpc/grpc-js',
      '@opentelemetry/api-logs',
      '@opentelemetry/auto-instrumentations-node',
      '@opentelemetry/instrumentation',
      '@nestjs/common',
      '@nestjs/core',
      'express',
      'fastify',
      'hono',
      'rxjs',
    ]);
    for (const name of optional) expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true });
    const frameworks: Readonly<Record<string, readonly string[]>> = {
      'src/grpc.ts': ['@grpc/grpc-js'],
      'src/hono.ts': ['hono'],
      'src/nestjs.ts': ['@nestjs/common', '@nestjs/core', 'rxjs'],
    };
    for (const [file, source] of sources) {
      const imported = [...source.matchAll(/^import (?!type )[^;]*?from '([^']+)';$/gms)].map(([, name = '']) => name);
      const loaded = optional.filter((name) => imported.some((from) => from === name || from.startsWith(`${name}/`)));
      expect(loaded, file).toEqual(frameworks[file] ?? []);
    }
  });

  it('exports what test/public-api.snapshot lists', async () => {
    const listings: string[] = [];
    for (const entry of entries) {
      const file = sourceOf(entry);
      const module = (await import(new URL(file, root).pathname)) as Record<string, unknown>;
      listings.push(listPublicApi(entry, sources.get(file) ?? '', module));
    }
    await expect(listings.join('\n')).toMatchFileSnapshot('public-api.snapshot');
  }, 120_000);
});

describe('the lockfile', () => {
  it('has the binaries for every platform, without which npm ci refuses it', () => {
    // When this fails: npx tsx scripts/complete-lockfile.ts
    expect(findUnlocked(readJson('package-lock.json') as Lockfile).map(({ name }) => name)).toEqual([]);
  });

  it('is searched for optional packages as npm resolves them', () => {
    const optionalDependencies = { '@tool/linux-x64-musl': '1.0.0', '@tool/win32-arm64': '1.0.0', fsevents: '2.0.0' };
    const packages = {
      '': {},
      'node_modules/tool': { version: '1.0.0', dev: true, optionalDependencies },
      'node_modules/fsevents': { version: '2.0.0' },
      'node_modules/other/node_modules/@tool/win32-arm64': { version: '2.0.0' },
    };
    expect(findUnlocked({ packages })).toEqual([
      { name: '@tool/linux-x64-musl', version: '1.0.0', dev: true, os: ['linux'], cpu: ['x64'], libc: ['musl'] },
      { name: '@tool/win32-arm64', version: '1.0.0', dev: true, os: ['win32'], cpu: ['arm64'], libc: undefined },
    ]);
  });
});

describe('the public API listing', () => {
  it('tells values, classes with their methods, and types apart', () => {
    class Base {
      close(): void {}
    }
    class Child extends Base {
      get size(): number {
        return 0;
      }
      [Symbol.asyncDispose](): void {}
    }
    const source = `export { make, Child } from './child.ts'; export { limit, type Options } from './options.ts';
      export type { Settings } from './settings.ts';`;
    const make = (name: string): string => name;
    expect(listPublicApi('.', source, { make, Child, limit: 3 })).toBe(
      [
        '# .',
        'Child: class { [Symbol.asyncDispose], close, size }',
        'limit: number',
        'make: function/1',
        'type Options',
        'type Settings',
        '',
      ].join('\n'),
    );
  });
});
