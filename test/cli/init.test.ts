import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import semver from 'semver';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { InitAnswers } from '../../src/cli/init/answers.ts';
import { type ScaffoldedFile, writeScaffold } from '../../src/cli/scaffold.ts';
import { isotrace, isotraceOnce } from './cli-kit.ts';

function project(files: Readonly<Record<string, string>> = {}): string {
  const made = realpathSync(mkdtempSync(path.join(tmpdir(), 'isotrace-init-')));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(made, name)), { recursive: true });
    writeFileSync(path.join(made, name), content);
  }
  return made;
}

const manifest = (name: string, dependencies: Readonly<Record<string, string>>): string =>
  JSON.stringify({ name, dependencies });

interface InitResult {
  readonly answers: InitAnswers;
  readonly files: readonly ScaffoldedFile[];
  readonly install: readonly string[];
  readonly application: readonly string[];
}

async function init(cwd: string, ...args: string[]): Promise<InitResult> {
  const { exitCode, stdout } = await isotraceOnce(['init', '--json', ...args], { cwd });
  expect(exitCode).toBe(0);
  return JSON.parse(stdout) as InitResult;
}

/** Each file once: Node follows links to folders since version 22. */
const filesIn = (folder: string): string[] => {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => realpathSync(path.join(entry.parentPath, entry.name)));
  return [...new Set(files)].map((file) => path.relative(realpathSync(folder), file)).sort();
};

describe('isotrace init without anybody to ask', () => {
  it('takes what the project says, and defaults', async () => {
    const cwd = project({ 'package.json': manifest('orders', { fastify: '^5.0.0' }), 'src/main.ts': '' });
    const { answers, files } = await init(cwd);
    expect(answers).toEqual({
      framework: 'fastify',
      destination: 'dashboard',
      tenant: 'header',
      service: 'orders',
      directory: 'src/telemetry',
    });
    const written = ['.env.example', 'src/telemetry/README.md', 'src/telemetry/plugin.ts', 'src/telemetry/registry.ts'];
    expect(files.map((file) => file.path).sort()).toEqual(written);
    expect(filesIn(cwd)).toEqual([...written, 'package.json', 'src/main.ts'].sort());
  });

  it.each([
    [{ '@nestjs/core': '11', express: '5' }, 'nestjs'],
    [{ express: '5' }, 'express'],
    [{ koa: '3' }, 'koa'],
    [{ hono: '4' }, 'hono'],
    [{}, 'http'],
  ])('finds the framework of %j', async (dependencies, framework) => {
    const { answers } = await init(project({ 'package.json': manifest('a', dependencies) }));
    expect(answers.framework).toBe(framework);
  });

  it('works in a folder that is no project, or whose package.json is broken', async () => {
    const cwd = project({ 'package.json': '{' });
    expect((await init(cwd)).answers.service).toBe(path.basename(cwd));
    expect((await init(project({ 'package.json': 'null' }))).answers.framework).toBe('http');
  });

  it('asks for the user rather than for a header where telemetry leaves the machine', async () => {
    for (const destination of ['collector', 'directory']) {
      expect((await init(project(), '--destination', destination)).answers.tenant).toBe('user');
    }
  });

  it('takes every answer from a flag', async () => {
    const flags = ['--framework', 'koa', '--tenant', 'path', '--destination', 'directory', '--service', 'ü "x"'];
    const cwd = project();
    const { answers, files } = await init(cwd, ...flags, '--directory', 'lib/otel/');
    expect(answers).toEqual({
      framework: 'koa',
      tenant: 'path',
      destination: 'directory',
      service: 'ü "x"',
      directory: 'lib/otel',
    });
    expect(files.map((file) => file.path)).toContain('lib/otel/directory.ts');
    expect(readFileSync(path.join(cwd, 'lib/otel/registry.ts'), 'utf8')).toContain(`?? 'ü "x"'`);
  });

  it('names what is missing, in the line of OpenTelemetry that the project has', async () => {
    const none = await init(project(), '--framework', 'express');
    expect(none.install).toEqual([
      'npm install isotrace @opentelemetry/api@1.9 @opentelemetry/resources@2 @opentelemetry/sdk-trace@2 @opentelemetry/context-async-hooks@2 express@5',
      'npm install --save-dev typescript tsx @types/node @types/express@5',
    ]);
    const dependencies = { isotrace: '1', '@opentelemetry/api': '1', '@opentelemetry/core': '^3.1.0', hono: '4' };
    const given = { 'package.json': manifest('a', { ...dependencies, '@types/node': '20' }) };
    const sdk =
      'npm install @opentelemetry/resources@3 @opentelemetry/sdk-trace@3 @opentelemetry/context-async-hooks@3';
    expect((await init(project(given))).install).toEqual([sdk, 'npm install --save-dev typescript tsx']);
    expect((await init(project({ ...given, 'tsconfig.json': '{}' }))).install).toEqual([sdk]);
    const newer = await init(project({ 'package.json': manifest('a', { '@opentelemetry/core': '^3.1.0' }) }));
    expect(newer.install[0]).toContain('@opentelemetry/api@1.10 ');
  });

  it('names versions of frameworks that it has adapters for', async () => {
    const { peerDependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      readonly peerDependencies: Readonly<Record<string, string>>;
    };
    for (const framework of ['express', 'fastify', 'hono', 'nestjs']) {
      const [install = ''] = (await init(project(), '--framework', framework)).install;
      const named = [...install.matchAll(/ (\S+)@([\d.]+)(?= |$)/g)].filter(
        ([, name = '']) => name in peerDependencies,
      );
      expect(named.length).toBeGreaterThan(4);
      for (const [, name = '', version = ''] of named) {
        expect(semver.intersects(version, peerDependencies[name] as string), `${name}@${version}`).toBe(true);
      }
    }
  });

  it('skips files that exist, unless it is told to replace them', async () => {
    const cwd = project({ '.env.example': 'MINE=1', 'telemetry/registry.ts': 'mine' });
    const outcomes = (result: InitResult) => Object.fromEntries(result.files.map((file) => [file.path, file.outcome]));
    expect(outcomes(await init(cwd))).toEqual({
      '.env.example': 'skipped',
      'telemetry/registry.ts': 'skipped',
      'telemetry/server.ts': 'written',
      'telemetry/README.md': 'written',
    });
    expect(readFileSync(path.join(cwd, '.env.example'), 'utf8')).toBe('MINE=1');
    expect(readFileSync(path.join(cwd, 'telemetry/registry.ts'), 'utf8')).toBe('mine');
    expect(new Set(Object.values(outcomes(await init(cwd, '--force'))))).toEqual(new Set(['replaced']));
    expect(readFileSync(path.join(cwd, 'telemetry/registry.ts'), 'utf8')).toContain('new TracerRegistry');
    expect(filesIn(cwd)).toHaveLength(4);
  });

  it('tells people what was written and what is left to do', async () => {
    const cwd = project({ '.env.example': '', 'package.json': manifest('a', { express: '5' }) });
    const { exitCode, stdout } = await isotraceOnce(['init', '--yes'], { cwd });
    expect(exitCode).toBe(0);
    expect(stdout).toContain('written   telemetry/middleware.ts');
    expect(stdout).toContain('skipped   .env.example  exists; --force replaces it');
    expect(stdout).toContain('npm install isotrace');
    expect(stdout).toContain("import { telemetry, telemetryErrors } from './telemetry/middleware.js';");
    expect(stdout).toContain('npx isotrace run -- npx tsx app.ts # or whatever starts your program');
    expect(readFileSync(path.join(cwd, 'telemetry/README.md'), 'utf8')).toContain('npx isotrace run -- npx tsx app.ts');
  });

  it('says how to see it by what starts the project', async () => {
    const cwd = project({ 'package.json': '{ "scripts": { "start": "tsx server.ts" } }' });
    const { stdout } = await isotraceOnce(['init', '--yes'], { cwd });
    expect(stdout).toContain('npx isotrace run -- npm start');
    expect(readFileSync(path.join(cwd, 'telemetry/README.md'), 'utf8')).toContain('npx isotrace run -- npm start');
  });

  it.each<[files: Record<string, string>, env: Record<string, string>, add: string, run: string]>([
    [{ 'package-lock.json': '{}' }, { npm_config_user_agent: 'pnpm/9' }, 'npm install', 'npx'],
    [{ 'pnpm-lock.yaml': '' }, {}, 'pnpm add', 'pnpm exec'],
    [{ 'yarn.lock': '' }, {}, 'yarn add', 'yarn'],
    [{}, { npm_config_user_agent: 'yarn/4.1.0 npm/? node/v20' }, 'yarn add', 'yarn'],
    [{ 'package.json': '{ "packageManager": "pnpm@9.1.0" }', 'yarn.lock': '' }, {}, 'pnpm add', 'pnpm exec'],
  ])('speaks of the package manager that a project with %j in %j uses', async (files, env, add, run) => {
    const { stdout } = await isotraceOnce(['init', '--yes'], { cwd: project(files), env });
    expect(stdout).toContain(`\n  ${add} isotrace `);
    expect(stdout).toContain(`\n  ${run} isotrace run -- ${run} tsx app.ts`);
    const example = await isotraceOnce(['example', 'basic'], { cwd: project(files), env });
    expect(example.stdout).toContain(`\n  ${run} isotrace run -- ${add.split(' ')[0]} start\n`);
  });

  it('knows a package of a workspace by the root of that', async () => {
    const root = project({
      'package.json': '{ "devDependencies": { "typescript": "5" } }',
      'pnpm-lock.yaml': '',
      'packages/api/package.json': manifest('api', { koa: '3' }),
    });
    const { answers, install } = await init(path.join(root, 'packages/api'));
    expect(answers).toMatchObject({ framework: 'koa', service: 'api' });
    // The compiler is there already.
    expect(install[1]).toBe('pnpm add --save-dev @types/node @types/koa@3');
  });

  it.each([
    [
      'node app.js',
      'commonjs',
      "const { telemetry, telemetryErrors } = require('./telemetry/middleware.ts');",
      'npx tsx app.js',
    ],
    [
      'node --env-file=.env src/app.js',
      'module',
      "import { telemetry, telemetryErrors } from './telemetry/middleware.ts';",
      'npx tsx --env-file=.env src/app.js',
    ],
    [
      'node app.mjs',
      'commonjs',
      "import { telemetry, telemetryErrors } from './telemetry/middleware.ts';",
      'npx tsx app.mjs',
    ],
    ['tsx app.ts', 'module', "import { telemetry, telemetryErrors } from './telemetry/middleware.js';", 'npm start'],
  ])('gives the lines for a program that "%s" starts, of kind %s', async (start, type, line, program) => {
    const scripts = { scripts: { start }, type, dependencies: { express: '5' } };
    const { stdout } = await isotraceOnce(['init', '--yes'], {
      cwd: project({ 'package.json': JSON.stringify(scripts) }),
    });
    expect(stdout).toContain(`\n  ${line}\n`);
    expect(stdout).toMatch(new RegExp(`isotrace run -- ${program}( #|\\n)`));
  });

  it('writes nothing where one of the files is a directory', async () => {
    const cwd = project({ 'telemetry/README.md/a': '' });
    const { exitCode, stderr } = await isotraceOnce(['init', '--force'], { cwd });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('README.md is a directory');
    expect(filesIn(cwd)).toEqual(['telemetry/README.md/a']);
  });

  it.each([
    ['--framework', 'rails'],
    ['--tenant', 'cookie'],
    ['--destination', 'printer'],
    ['--service', ''],
    ['--service', 'two\nlines'],
    ['--directory', '../elsewhere'],
    ['--directory', 'a/../../elsewhere'],
    ['--directory', '/tmp/elsewhere'],
    ['--directory', '.'],
    ['--directory', "quo'te"],
    ['--framework', 'none', '--tenant', 'header'],
    ['--nonsense'],
  ])('ends with 2 and writes nothing for %s %s %s %s', async (...args) => {
    const cwd = project();
    const { exitCode } = await isotraceOnce(['init', ...args.filter((arg) => arg !== undefined)], { cwd });
    expect(exitCode).toBe(2);
    expect(filesIn(cwd)).toEqual([]);
    expect(existsSync(path.join(cwd, '../elsewhere'))).toBe(false);
  });
});

describe('isotrace init in a terminal', () => {
  /** Presses keys, each when the question that it answers is there. */
  async function answer(cwd: string, args: readonly string[], keys: readonly (readonly [RegExp, string])[]) {
    const keyboard = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => keyboard });
    const run = isotrace(['init', ...args], { cwd, keyboard, isTTY: true });
    for (const [question, pressed] of keys) {
      await run.printed(question);
      keyboard.write(pressed);
    }
    return { exitCode: await run.exitCode, stdout: run.stdout() };
  }

  const DOWN = '\u001b[B';

  it('asks for what no flag has answered', async () => {
    const cwd = project({ 'package.json': manifest('orders', { koa: '3' }) });
    const { exitCode } = await answer(
      cwd,
      ['--destination', 'collector'],
      [
        [/What serves your requests/, '\r'],
        [/What names the tenant/, `${DOWN}\r`],
        [/What is the service called/, 'shop\r'],
        [/Where do the files go/, '\r'],
      ],
    );
    expect(exitCode).toBe(0);
    const registry = readFileSync(path.join(cwd, 'telemetry/registry.ts'), 'utf8');
    expect(registry).toContain("?? 'shop'");
    expect(registry).toContain('COLLECTOR_TENANT_HEADER');
    const middleware = readFileSync(path.join(cwd, 'telemetry/middleware.ts'), 'utf8');
    expect(middleware).toContain("from 'isotrace/koa'");
    expect(middleware).toContain('Fill in'); // one below the default, which is the user
  });

  it.each([0, 1, 2, 3, 4])('writes nothing when it is stopped at question %i', async (last) => {
    const questions = [/What serves/, /Where does telemetry go/, /What names the tenant/, /service called/, /files go/];
    const cwd = project();
    const keys = questions
      .slice(0, last + 1)
      .map((question, index) => [question, index === last ? '\u0003' : '\r'] as const);
    const { exitCode, stdout } = await answer(cwd, [], keys);
    expect(exitCode).toBe(1);
    expect(stdout).not.toContain('written');
    expect(filesIn(cwd)).toEqual([]);
  });

  it('asks again for a directory that is outside of the project', async () => {
    const cwd = project();
    const args = ['--framework', 'http', '--destination', 'dashboard', '--tenant', 'path', '--service', 'a'];
    const { exitCode } = await answer(cwd, args, [
      [/files go/, '../out\r'],
      [/a directory inside the project/, '\u007f'.repeat(6)],
      [/files go/, 'inside\r'],
    ]);
    expect(exitCode).toBe(0);
    expect(filesIn(cwd)).toContain('inside/server.ts');
  });

  it('takes no tenant of a request where the answer is that there are none', async () => {
    const cwd = project();
    // Up from the default, which is node:http, NestJS and nothing are below.
    const down = '\u001b[B';
    const { exitCode } = await answer(cwd, ['--tenant', 'header'], [[/What serves/, `${down}${down}\r`]]);
    expect(exitCode).toBe(2);
    expect(filesIn(cwd)).toEqual([]);
  });

  it.each([['--yes'], ['--json']])('asks nothing with %s', async (flag) => {
    const { exitCode, stdout } = await answer(project(), [flag], []);
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain('What serves');
  });
});

describe('files that are written into a project', () => {
  it.each(['../out', 'a/../../out', '/tmp/isotrace-out', '.', 'a/..'])('never lie outside of it: %s', (bad) => {
    const root = project();
    const files = [
      { path: 'good', content: '' },
      { path: bad, content: '' },
    ];
    expect(() => writeScaffold(path.join(root, 'inner'), files, { force: true })).toThrow('not inside');
    expect(filesIn(root)).toEqual([]);
  });

  it('never go through a link out of it', () => {
    const outside = project({ 'victim.txt': 'mine' });
    const root = project();
    symlinkSync(outside, path.join(root, 'linked'));
    symlinkSync('/does/not/exist', path.join(root, 'broken'));
    for (const place of ['linked/new.txt', 'linked/deep/new.txt', 'broken/new.txt']) {
      expect(() => writeScaffold(root, [{ path: place, content: 'x' }], { force: true })).toThrow();
    }
    expect(filesIn(outside)).toEqual(['victim.txt']);
  });

  it('replace a link in their place, and leave alone what it leads to', () => {
    const outside = project({ 'victim.txt': 'mine' });
    const root = project();
    const place = path.join(root, 'file.txt');
    symlinkSync(path.join(outside, 'victim.txt'), place);
    const file = { path: 'file.txt', content: 'new' };
    expect(writeScaffold(root, [file], { force: false })).toEqual([{ path: 'file.txt', outcome: 'skipped' }]);
    expect(writeScaffold(root, [file], { force: true })).toEqual([{ path: 'file.txt', outcome: 'replaced' }]);
    expect(lstatSync(place).isSymbolicLink()).toBe(false);
    expect(readFileSync(path.join(outside, 'victim.txt'), 'utf8')).toBe('mine');
  });

  it('may go through a link that stays inside, and into a folder that is one', () => {
    const root = project({ 'real/a.txt': '' });
    symlinkSync('real', path.join(root, 'alias'));
    writeScaffold(root, [{ path: 'alias/b.txt', content: '' }], { force: false });
    const entrance = path.join(project(), 'entrance');
    symlinkSync(root, entrance);
    writeScaffold(entrance, [{ path: 'c.txt', content: '' }], { force: false });
    expect(filesIn(root)).toEqual(['c.txt', 'real/a.txt', 'real/b.txt']);
  });
});
