import { readFileSync } from 'node:fs';
import semver from 'semver';
import { describe, expect, it } from 'vitest';
import { EXAMPLES } from '../../src/cli/example-files.ts';
import { FRAMEWORKS } from '../../src/cli/init/answers.ts';
import { SDK_MAJOR } from '../support/host-sdk.ts';
import { judgeDiagnostics } from './check-types.ts';
import { createChecks } from './checks.ts';
import {
  dependenciesOf,
  ENTRY_PEERS,
  OTEL_PACKAGES,
  OTHER_PEERS,
  PROJECTS,
  supportedVersions,
  TYPESCRIPT,
} from './definition.ts';
import { reasonOf } from './report.ts';
import { judgeEntries } from './run-host.ts';
import { LEFT_OUT, withOpenTelemetry3 } from './sdk3-manifest.ts';
import { Tools } from './tools.ts';

interface Manifest {
  readonly engines: { readonly node: string };
  readonly exports: Readonly<Record<string, unknown>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, object>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const root = new URL('../../', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as Manifest;
const readme = readFileSync(new URL('README.md', root), 'utf8');
const isOptional = (name: string): boolean => Object.hasOwn(manifest.peerDependenciesMeta, name);

describe('the install matrix', () => {
  it('is what the README says of supported versions', () => {
    const [, table = ''] = /\| Node\.js \| OpenTelemetry \|.*\n\|[-|]+\|\n((?:\|.*\n)+)/.exec(readme) ?? [];
    expect(table.trimEnd().split('\n')).toEqual(supportedVersions());
    const versions = `${TYPESCRIPT.slice(0, -1).join(', ')} and ${TYPESCRIPT.at(-1)}`;
    expect(readme).toContain(`TypeScript ${versions}`);
  });

  it('begins with the oldest Node and has every peer, in a range that isotrace allows', () => {
    const oldest = semver.minVersion(manifest.engines.node);
    expect(PROJECTS.some(({ node }) => `${node}.0` === oldest?.version)).toBe(true);
    for (const { required, all } of Object.values(OTEL_PACKAGES)) {
      const peers = { ...required, ...all, ...OTHER_PEERS };
      expect(Object.keys(peers).sort()).toEqual(Object.keys(manifest.peerDependencies).sort());
      expect(Object.keys(required).filter(isOptional)).toEqual([]);
      expect(Object.keys({ ...all, ...OTHER_PEERS }).every(isOptional)).toBe(true);
      for (const [name, range] of Object.entries(peers)) {
        expect(semver.subset(range, manifest.peerDependencies[name] ?? ''), `${name} ${range}`).toBe(true);
      }
    }
  });

  it('tries both lines of OpenTelemetry, both package managers and every compiler, also with all peers', () => {
    for (const otel of ['2.12', '3.1'] as const) {
      const projects = PROJECTS.filter((project) => project.otel === otel);
      expect(new Set(projects.map(({ manager }) => manager))).toEqual(new Set(['npm', 'pnpm']));
      expect(projects.filter(({ peers, typescript }) => peers === 'all' && typescript === TYPESCRIPT)).toHaveLength(1);
      expect(projects.filter(({ short }) => short)).toHaveLength(1);
    }
    expect(PROJECTS.some(({ node, otel }) => node === '24' && otel === '2.12')).toBe(true);
  });

  it('has a row for each project and module kind, each example and all tests', () => {
    const checks = createChecks({ workspace: '/nowhere', tools: new Tools('/nowhere'), filters: [] });
    for (const module of ['esm', 'cjs']) {
      const rows = checks.filter((check) => check.title.startsWith('runs, ') && check.module === module);
      expect(rows.map(({ node, otel, manager }) => [node, otel, manager])).toEqual(
        PROJECTS.map(({ node, otel, manager }) => [node, otel, manager]),
      );
    }
    const titles = checks.map(({ title }) => title);
    const examples = Object.keys(EXAMPLES).map((name) => `example ${name}`);
    const templates = Object.keys(FRAMEWORKS).map((name) => `init ${name}`);
    expect(titles).toEqual(expect.arrayContaining([...examples, ...templates, 'all tests']));
    expect(readFileSync(new URL('.ci/run', root), 'utf8')).toContain('npm run test:matrix -- --short');
  });

  it('asks a project with all peers for every entry, and others for those that need none', () => {
    const loaded = Object.fromEntries(Object.keys(manifest.exports).map((entry) => [entry, 'loaded']));
    expect(judgeEntries(loaded, 'all')).toBe(`${Object.keys(loaded).length} entries`);
    expect(() => judgeEntries(loaded, 'required')).toThrow();
    const without = Object.fromEntries(
      Object.entries(ENTRY_PEERS).map(([entry, name]) => [entry, `Cannot find package '${name}' imported from x`]),
    );
    expect(judgeEntries({ ...loaded, ...without }, 'required')).toMatch(/^\d+ entries$/);
    expect(() => judgeEntries({ ...loaded, ...without }, 'all')).toThrow('isotrace/grpc');
    expect(() => judgeEntries({ ...loaded, ...without, './koa': "Cannot find package 'koa'" }, 'required')).toThrow();
    for (const entry of Object.keys(ENTRY_PEERS)) expect(manifest.exports).toHaveProperty([entry]);
    for (const project of PROJECTS) expect(dependenciesOf(project)).toHaveProperty('@opentelemetry/api');
  });

  it("takes errors in isotrace's and OpenTelemetry's declarations for its own, and counts those of others", () => {
    const output = [
      'main.mts(3,1): error TS2307: Cannot find module.',
      'node_modules/isotrace/dist/index.d.ts(1,1): error TS1: no',
      'node_modules/.pnpm/a/node_modules/@opentelemetry/api/build/a.d.ts(1,1): error TS1: no',
      '  indented',
      'node_modules/hono/dist/a.d.ts(1,1): error TS1: no',
      'error TS18003: No inputs were found.',
    ].join('\n');
    const { ours, others } = judgeDiagnostics(output);
    expect(ours).toHaveLength(4);
    expect(others).toEqual(['hono']);
  });

  it('tells what a process that failed has printed', () => {
    const failed = Object.assign(new Error('Command failed', { cause: new Error('gone') }), { stderr: 'ERESOLVE\n\n' });
    expect(reasonOf(failed)).toBe('Command failed\nbecause of gone\nERESOLVE');
  });
});

// Not within the copy itself.
describe.runIf(SDK_MAJOR < 3)('the copy that is developed with OpenTelemetry 3.1', () => {
  it('has no package of version 2, and leaves out only what has no other', () => {
    const { devDependencies } = withOpenTelemetry3(manifest);
    const left = Object.keys(manifest.devDependencies).filter((name) => !Object.hasOwn(devDependencies, name));
    expect(left.sort()).toEqual(Object.keys(LEFT_OUT).sort());
    const ranges = Object.entries(devDependencies).filter(([name]) => name.startsWith('@opentelemetry/'));
    const old = ranges.filter(([name, range]) => /^[~^]?2\./.test(range) || range === manifest.devDependencies[name]);
    // It has come to an end: its types are in the API of version 3.
    expect(old.map(([name]) => name)).toEqual(['@opentelemetry/api-logs']);
  });
});
