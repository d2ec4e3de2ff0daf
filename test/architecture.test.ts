import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkArchitecture, type Rule, readSources } from '../scripts/architecture.ts';

const root = new URL('../', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
};
const packages = new Set([...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)]);

describe('the source tree', () => {
  const sources = readSources(root);

  it('is found', () => {
    expect([...sources.keys()]).toContain('src/utils/clock.ts');
  });

  it('keeps the rules of the house', () => {
    const violations = checkArchitecture(sources, { packages });
    expect(violations.map(({ file, message }) => `${file}: ${message}`)).toEqual([]);
  });
});

describe('the architecture check', () => {
  it('accepts imports down the layer table and within a folder', () => {
    expect(
      check({
        'src/utils/a.ts': `import { readFileSync } from 'node:fs'; export const a = readFileSync;`,
        'src/infra/b.ts': `import { a } from '../utils/a.ts'; import { z } from 'known'; export const b = [a, z];`,
        'src/infra/c.ts': `export { b } from './b.ts'; import type { T } from '@known/scoped/deep'; export type U = T;`,
        'src/core/d.ts': `import { b } from '../infra/b.ts'; export const d = () => import('../utils/a.ts').then(() => b);`,
        'src/dashboard/e.ts': `import { d } from '../core/d.ts'; export const e = d;`,
        'src/index.ts': `export { d } from './core/d.ts'; export { e } from './dashboard/e.ts';`,
      }),
    ).toEqual([]);
  });

  it.each([
    ['upwards', 'src/utils/a.ts', `import { x } from '../core/x.ts'; export const a = x;`],
    ['upwards in a type import', 'src/utils/a.ts', `import type { x } from '../core/x.ts'; export type A = typeof x;`],
    ['upwards in an inline type', 'src/utils/a.ts', `export type A = import('../core/x.ts').X;`],
    ['upwards in a re-export', 'src/utils/a.ts', `export { x } from '../core/x.ts';`],
    ['upwards in a dynamic import', 'src/utils/a.ts', `export const a = () => import('../core/x.ts');`],
    ['upwards for its side effects', 'src/utils/a.ts', `import '../core/x.ts';`],
    ['sideways into the same layer', 'src/lifecycle/a.ts', `import { y } from '../infra/y.ts'; export const a = y;`],
    ['from a leaf into another', 'src/cli/a.ts', `import { u } from '../dashboard/u.ts'; export const a = u;`],
    ['from a leaf into a public entry', 'src/cli/a.ts', `import { x } from '../index.ts'; export const a = x;`],
    ['from an entry into another', 'src/express.ts', `export { x } from './index.ts';`],
    [
      'from a folder that is not in the table',
      'src/misc/a.ts',
      `import { y } from '../infra/y.ts'; export const a = y;`,
    ],
  ])('rejects an import %s', (_case, file, source) => {
    const others = {
      'src/core/x.ts': 'export const x = 1; export type X = 1;',
      'src/infra/y.ts': 'export const y = 1;',
      'src/dashboard/u.ts': 'export const u = 1;',
      'src/index.ts': `export { x } from './core/x.ts';`,
    };
    expect(check({ ...others, [file]: source })).toEqual([{ file, rule: 'layer' }]);
  });

  it.each<[string, Rule, string]>([
    ['a relative import without its extension', 'import', `import { b } from './b'; export const a = b;`],
    ['a file that does not exist', 'import', `import { c } from './c.ts'; export const a = c;`],
    ['an import that leaves src', 'import', `import { t } from '../../test/t.ts'; export const a = t;`],
    ['a computed dynamic import', 'import', 'export const a = (name: string) => import(name);'],
    ['an undeclared package', 'dependency', `import { x } from 'unknown/deep'; export const a = x;`],
    ['an undeclared scoped package', 'dependency', `import type { X } from '@known/other'; export type A = X;`],
    ['process.env', 'environment', `export const a = process.env['A'];`],
    ['process["env"]', 'environment', `export const a = process['env'];`],
    ['globalThis.process.env', 'environment', 'export const a = globalThis.process.env;'],
    ['process?.env', 'environment', 'export const a = process?.env;'],
    ['env taken out of process', 'environment', 'const { env } = process; export const a = env;'],
    ['process under another name', 'environment', 'const p = process; export const a = p;'],
    ['env imported', 'environment', `import { env } from 'node:process'; export const a = env;`],
    ['process imported under another name', 'environment', `import p from 'node:process'; export const a = p;`],
    ['console', 'console', `export const a = () => console.log('x');`],
    ['globalThis.console', 'console', `export const a = () => globalThis.console.warn('x');`],
    ['the log function taken out of console', 'console', 'const { log } = console; export const a = log;'],
    ['console imported', 'console', `import { log } from 'node:console'; export const a = log;`],
    ['export *', 'export-star', `export * from './b.ts';`],
    ['export * as a name', 'export-star', `export * as b from './b.ts';`],
    ['mutable module state', 'module-state', 'let count = 0; export const a = () => count++;'],
    ['exported mutable module state', 'module-state', 'export let a = 0;'],
    ['a file that is too long', 'length', `${'// line\n'.repeat(350)}export const a = 1;\n`],
    ['broken syntax', 'syntax', 'export const a = ;'],
  ])('rejects %s', (_case, rule, source) => {
    const files = { 'src/utils/a.ts': source, 'src/utils/b.ts': 'export const b = 1;' };
    expect(check(files)).toContainEqual({ file: 'src/utils/a.ts', rule });
  });

  it('keeps the page apart: it may import what runs in a browser, and nothing imports it', () => {
    const page = 'src/dashboard/page/main.tsx';
    const others = { 'src/utils/a.ts': 'export const a = 1;' };
    const source = `import './x.css'; import { h } from 'preact'; import { a } from '../../utils/a.ts'; export const b = [h, a];`;
    expect(check({ ...others, [page]: source })).toEqual([]);
    expect(check({ ...others, [page]: `import { x } from 'known'; export const b = x;` })).toEqual([
      { file: page, rule: 'dependency' },
    ]);
    expect(check({ ...others, [page]: `import fs from 'node:fs'; export const b = fs;` })).toEqual([
      { file: page, rule: 'import' },
    ]);
    const server = 'src/dashboard/server/s.ts';
    const importer = `import { b } from '../page/main.tsx'; export const s = b;`;
    expect(check({ [page]: 'export const b = 1;', [server]: importer })).toEqual([{ file: server, rule: 'layer' }]);
    expect(check({ [server]: `import { h } from 'preact'; export const s = h;` })).toEqual([
      { file: server, rule: 'dependency' },
    ]);
  });

  it.each(['src/utils/aB.ts', 'src/utils/a_b.ts', 'src/utils/A.ts', 'src/utils/sub_folder/a.ts'])(
    'rejects the name %s',
    (file) => {
      expect(check({ [file]: 'export const a = 1;' })).toEqual([{ file, rule: 'name' }]);
    },
  );

  it('lets one file read the environment', () => {
    expect(check({ 'src/infra/environment.ts': 'export const a = process.env;' })).toEqual([]);
  });

  it('accepts what only looks like a violation', () => {
    const source = `import { type hrtime } from 'node:process';
      const settings = { env: 1, console: 2 };
      const { pid } = process;
      export const a = [settings.env, settings.console, pid, process.version, 'process.env', typeof hrtime];
      // console.log(process.env)
    `;
    expect(check({ 'src/utils/a.ts': source })).toEqual([]);
  });

  it('finds a cycle through type imports and names its files', () => {
    const violations = checkArchitecture(
      new Map([
        ['src/utils/a.ts', `import type { B } from './b.ts'; export type A = B;`],
        ['src/utils/b.ts', `import type { C } from './c.ts'; export type B = C;`],
        ['src/utils/c.ts', `import type { B } from './b.ts'; export type C = B;`],
      ]),
      { packages },
    );
    expect(violations).toEqual([
      { file: 'src/utils/b.ts', rule: 'cycle', message: 'src/utils/b.ts → src/utils/c.ts → src/utils/b.ts' },
    ]);
  });

  it('finds a file that imports itself', () => {
    expect(
      check({ 'src/utils/a.ts': `import type { A } from './a.ts'; export type A = 1; export type B = A;` }),
    ).toEqual([{ file: 'src/utils/a.ts', rule: 'cycle' }]);
  });
});

function check(files: Record<string, string>): { file: string; rule: Rule }[] {
  const options = { packages: new Set(['known', '@known/scoped']) };
  return checkArchitecture(new Map(Object.entries(files)), options).map(({ file, rule }) => ({ file, rule }));
}
