import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import semver from 'semver';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EXAMPLES, type ExampleName, exampleFiles } from '../../src/cli/example-files.ts';
import type { ScaffoldedFile } from '../../src/cli/scaffold.ts';
import { SDK_MAJOR } from '../support/host-sdk.ts';
import { isotraceOnce } from './cli-kit.ts';

/** Users begin with version 2 of OpenTelemetry; here the tests run with another one. */
const isOtherLine = SDK_MAJOR > 2;

const root = fileURLToPath(new URL('../../', import.meta.url));
const names = Object.keys(EXAMPLES) as ExampleName[];

interface Manifest {
  readonly name: string;
  readonly version?: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const readManifest = (file: string): Manifest => JSON.parse(readFileSync(path.join(root, file), 'utf8')) as Manifest;

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'isotrace-example-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

describe('isotrace example', () => {
  it('offers each project in examples/', () => {
    expect(readdirSync(path.join(root, 'examples')).sort()).toEqual([...names].sort());
  });

  it.each(names)('writes %s, file by file as it is in the repository', async (name) => {
    const cwd = folder();
    const { exitCode, stdout } = await isotraceOnce(['example', name, '--json'], { cwd });
    const { files, directory, next } = JSON.parse(stdout) as {
      readonly files: readonly ScaffoldedFile[];
      readonly directory: string;
      readonly next: readonly string[];
    };
    expect(exitCode).toBe(0);
    expect(directory).toBe(path.join(cwd, `isotrace-${name}`));
    expect(next[0]).toBe(`cd isotrace-${name}`);
    const paths = files.map((file) => file.path);
    expect(paths).toEqual(expect.arrayContaining(['README.md', 'package.json', 'tsconfig.json']));
    expect(paths.some((file) => /^src\/.*\.ts$/.test(file))).toBe(true);
    for (const file of paths) {
      const original = readFileSync(path.join(root, 'examples', name, file), 'utf8');
      expect(readFileSync(path.join(directory, file), 'utf8')).toBe(original);
    }
  });

  it('writes where it is told to, skips what is there, and replaces it with --force', async () => {
    const cwd = folder();
    mkdirSync(path.join(cwd, "it's here"));
    writeFileSync(path.join(cwd, "it's here", 'package.json'), 'mine');
    const first = await isotraceOnce(['example', 'basic', "it's here"], { cwd });
    expect(first.exitCode).toBe(0);
    expect(first.stdout).toContain('skipped   package.json');
    expect(first.stdout).toContain("cd 'it'\\''s here'");
    expect(readFileSync(path.join(cwd, "it's here", 'package.json'), 'utf8')).toBe('mine');
    const second = await isotraceOnce(['example', 'basic', "it's here", '--force'], { cwd });
    expect(second.stdout).not.toContain('skipped');
    expect(readFileSync(path.join(cwd, "it's here", 'package.json'), 'utf8')).toContain('isotrace-example-basic');
  });

  it.each([[[]], [['rails']], [['basic', 'a', 'b']]])('ends with 2 for the wrong usage %j', async (args) => {
    const cwd = folder();
    expect((await isotraceOnce(['example', ...args], { cwd })).exitCode).toBe(2);
    expect(readdirSync(cwd)).toEqual([]);
  });

  it('leaves behind what somebody who tried an example has installed there', () => {
    const home = folder();
    for (const file of ['src/dist/a.ts', 'node_modules/b/c.js', 'dist/a.js', 'package-lock.json', 'README.md']) {
      mkdirSync(path.dirname(path.join(home, 'basic', file)), { recursive: true });
      writeFileSync(path.join(home, 'basic', file), '');
    }
    const files = exampleFiles('basic', home);
    expect(files.map((file) => file.path)).toEqual(['README.md', 'src/dist/a.ts']);
  });
});

describe('the examples', () => {
  const peers = Object.keys(readManifest('package.json').peerDependencies ?? {});

  it.each(names)('%s asks for isotrace as it is, and for versions that it is tested with', (name) => {
    const { dependencies, devDependencies, scripts } = readManifest(`examples/${name}/package.json`);
    expect(scripts['start']).toBeDefined();
    expect(dependencies['isotrace']).toBe(`^${readManifest('package.json').version}`);
    expect(
      Object.keys(dependencies).filter((dependency) => dependency === 'isotrace' || peers.includes(dependency)),
    ).toEqual(Object.keys(dependencies));
    for (const [dependency, range] of Object.entries({ ...dependencies, ...devDependencies })) {
      if (dependency === 'isotrace' || (isOtherLine && dependency.startsWith('@opentelemetry/'))) continue;
      const { version = '' } = readManifest(`node_modules/${dependency}/package.json`);
      expect(semver.satisfies(version, range), `${dependency} ${range}, installed is ${version}`).toBe(true);
    }
  });

  it('compile with the settings that each brings', { timeout: 120_000 }, () => {
    const place = path.join(root, 'test', '.examples');
    rmSync(place, { recursive: true, force: true });
    onTestFinished(() => rmSync(place, { recursive: true, force: true }));
    cpSync(path.join(root, 'examples'), place, { recursive: true });
    // One run for all: their settings are the same, but for where the output goes.
    const [first, ...others] = names.map((name) => settingsOf(path.join(place, name, 'tsconfig.json')));
    for (const other of others) expect(other).toEqual(first);
    const paths = { isotrace: ['../../src/index.ts'], 'isotrace/*': ['../../src/*.ts'] };
    const output = { allowImportingTsExtensions: true, noEmit: true };
    const config = { compilerOptions: { ...first, ...output, paths }, include: ['*/src'] };
    writeFileSync(path.join(place, 'tsconfig.json'), JSON.stringify(config));
    expect(compile(place)).toBe('');
  });
});

function settingsOf(file: string): object {
  const { compilerOptions } = JSON.parse(readFileSync(file, 'utf8')) as { compilerOptions: Record<string, unknown> };
  const { noEmit, allowImportingTsExtensions, rewriteRelativeImportExtensions, rootDir, outDir, ...rest } =
    compilerOptions;
  expect(noEmit === true && allowImportingTsExtensions === true).toBe(outDir === undefined && rootDir === undefined);
  expect(rewriteRelativeImportExtensions === true).toBe(outDir !== undefined);
  return rest;
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
