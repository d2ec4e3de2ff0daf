import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { type Framework, SERVICE_NAME } from './answers.ts';

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
  /** What starts it: `npm start`, where `package.json` says what that is. */
  readonly start: string | undefined;
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
export function readProject(folder: string): Project {
  const manifest = readManifest(path.join(folder, 'package.json'));
  const dependencies = new Map(
    SECTIONS.flatMap((section) => Object.entries((manifest[section] ?? {}) as Record<string, unknown>)).map(
      ([name, range]): [string, string] => [name, String(range)],
    ),
  );
  const name = typeof manifest['name'] === 'string' ? manifest['name'] : path.basename(folder);
  return {
    dependencies,
    framework: PACKAGES.find(([known]) => dependencies.has(known))?.[1],
    service: SERVICE_NAME.test(name) ? name : 'service',
    directory: isDirectory(path.join(folder, 'src')) ? 'src/telemetry' : 'telemetry',
    isTypeScript:
      TRANSLATORS.some((translator) => dependencies.has(translator)) || isFile(path.join(folder, 'tsconfig.json')),
    start:
      typeof (manifest['scripts'] as { start?: unknown } | null | undefined)?.start === 'string'
        ? 'npm start'
        : undefined,
  };
}

function readManifest(file: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isFile(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isFile() === true;
}

function isDirectory(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
}
