import { statSync } from 'node:fs';
import path from 'node:path';
import type { Variables } from '../cli-host.ts';
import { type Framework, SERVICE_NAME } from './answers.ts';
import { readManifest } from './manifest.ts';
import { NPM, type PackageManager, packageManagerOf, workspaceRoot } from './package-manager.ts';

/** How a project is started, as far as it says so. */
export interface Start {
  readonly manager: PackageManager;
  /** Whether `package.json` says what `npm start` is. */
  readonly isKnown: boolean;
  /** Of a program in JavaScript: what Node starts, such as `app.js`, and whether that is an ES module. */
  readonly javaScript?: { readonly command: string; readonly isModule: boolean } | undefined;
}

/** Of a project that says nothing. */
export const UNKNOWN_START: Start = { manager: NPM, isKnown: false };

/** What a project says about itself, as far as `init` goes by it. */
export interface Project {
  /** Of `package.json`: what it depends on, with the range. */
  readonly dependencies: ReadonlyMap<string, string>;
  readonly framework: Framework | undefined;
  readonly service: string;
  /** Where modules go: beside the other sources. */
  readonly directory: string;
  /** Whether it compiles TypeScript already, or has it translated. */
  readonly isTypeScript: boolean;
  readonly start: Start;
}

/** NestJS first: it depends on Express or Fastify. */
const PACKAGES: readonly (readonly [name: string, framework: Framework])[] = [
  ['@nestjs/core', 'nestjs'],
  ['fastify', 'fastify'],
  ['express', 'express'],
  ['koa', 'koa'],
  ['hono', 'hono'],
];
const TRANSLATORS = ['typescript', 'tsx', 'ts-node', '@swc/core', '@swc-node/register'];
const SECTIONS = ['dependencies', 'devDependencies', 'peerDependencies'] as const;

/** Reads the project in `folder`; what cannot be read counts as not there. */
export function readProject(folder: string, env: Variables): Project {
  const manifest = readManifest(folder);
  const dependencies = dependenciesOf(manifest);
  const name = typeof manifest['name'] === 'string' ? manifest['name'] : path.basename(folder);
  const isTypeScript = [folder, workspaceRoot(folder) ?? folder].some(translates);
  return {
    dependencies,
    framework: PACKAGES.find(([known]) => dependencies.has(known))?.[1],
    service: SERVICE_NAME.test(name) ? name : 'service',
    directory: isDirectory(path.join(folder, 'src')) ? 'src/telemetry' : 'telemetry',
    isTypeScript,
    start: startOf(manifest, packageManagerOf(folder, env), isTypeScript),
  };
}

function dependenciesOf(manifest: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> {
  return new Map(
    SECTIONS.flatMap((section) => Object.entries((manifest[section] ?? {}) as Record<string, unknown>)).map(
      ([name, range]): [string, string] => [name, String(range)],
    ),
  );
}

function translates(folder: string): boolean {
  const dependencies = dependenciesOf(readManifest(folder));
  return TRANSLATORS.some((name) => dependencies.has(name)) || isFile(path.join(folder, 'tsconfig.json'));
}

function startOf(manifest: Readonly<Record<string, unknown>>, manager: PackageManager, isTypeScript: boolean): Start {
  const script = (manifest['scripts'] as { readonly start?: unknown } | null | undefined)?.start;
  if (typeof script !== 'string') return { manager, isKnown: false };
  const [, command, extension] = /^node\s+((?:--?\S+\s+)*[\w@./-]+?(\.[cm]?js)?)$/.exec(script.trim()) ?? [];
  if (isTypeScript || command === undefined) return { manager, isKnown: true };
  const isModule = extension === '.mjs' || (extension !== '.cjs' && manifest['type'] === 'module');
  return { manager, isKnown: true, javaScript: { command, isModule } };
}

function isFile(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isFile() === true;
}

function isDirectory(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
}
