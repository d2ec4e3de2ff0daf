import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Variables } from '../cli-host.ts';
import { readManifest } from './manifest.ts';

/** What somebody types who uses it. */
export interface PackageManager {
  readonly name: 'npm' | 'pnpm' | 'yarn';
  /** Adds packages to a project. */
  readonly add: string;
  readonly addForDevelopment: string;
  /** Installs what a project says that it needs. */
  readonly install: string;
  /** Before the name of an installed program. */
  readonly run: string;
  readonly start: string;
}

const MANAGERS = {
  npm: {
    name: 'npm',
    add: 'npm install',
    addForDevelopment: 'npm install --save-dev',
    install: 'npm install',
    run: 'npx',
    start: 'npm start',
  },
  pnpm: {
    name: 'pnpm',
    add: 'pnpm add',
    addForDevelopment: 'pnpm add --save-dev',
    install: 'pnpm install',
    run: 'pnpm exec',
    start: 'pnpm start',
  },
  yarn: {
    name: 'yarn',
    add: 'yarn add',
    addForDevelopment: 'yarn add --dev',
    install: 'yarn install',
    run: 'yarn',
    start: 'yarn start',
  },
} as const satisfies Readonly<Record<string, PackageManager>>;

const LOCKS: readonly (readonly [file: string, manager: keyof typeof MANAGERS])[] = [
  ['package-lock.json', 'npm'],
  ['npm-shrinkwrap.json', 'npm'],
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
];

export const NPM: PackageManager = MANAGERS.npm;

/** The root of the workspace that a folder is in, or the folder itself, by what a package manager left there. */
export function workspaceRoot(folder: string): string | undefined {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    if (namedIn(at) !== undefined) return at;
    if (at === path.dirname(at)) return undefined;
  }
}

/** Whose lock there is in the folder or above it, else who has started this process, else npm. */
export function packageManagerOf(folder: string, env: Variables): PackageManager {
  const root = workspaceRoot(folder);
  const [, agent] = /^(npm|pnpm|yarn)\//.exec(env['npm_config_user_agent'] ?? '') ?? [];
  return MANAGERS[(root === undefined ? undefined : namedIn(root)) ?? (agent as 'npm' | undefined) ?? 'npm'];
}

function namedIn(folder: string): keyof typeof MANAGERS | undefined {
  const [, named] = /^(npm|pnpm|yarn)@/.exec(String(readManifest(folder)['packageManager'])) ?? [];
  return (
    (named as keyof typeof MANAGERS | undefined) ?? LOCKS.find(([file]) => existsSync(path.join(folder, file)))?.[1]
  );
}
