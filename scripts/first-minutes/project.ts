import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { packPackage } from '../pack-package.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A folder for the newcomer's project, with the packed package beside it. */
export interface Workspace extends Disposable {
  readonly folder: string;
  readonly project: string;
  /** The name of the tarball, in `folder`. */
  readonly tarball: string;
}

export function openWorkspace(): Workspace {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'isotrace-minutes-')));
  const project = path.join(folder, 'shop');
  mkdirSync(project);
  const tarball = path.basename(packPackage(folder));
  return { folder, project, tarball, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The environment of somebody who has just logged in: the same registry, none of this project's settings. */
export function newcomerEnvironment(folder: string): NodeJS.ProcessEnv {
  const registry = execFileSync('npm', ['config', 'get', 'registry'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const settings = path.join(folder, 'npmrc');
  writeFileSync(settings, '');
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|OTEL_|ISOTRACE_|NODE_OPTIONS$|NODE_ENV$|VITEST|CI$|INIT_CWD$|FORCE_COLOR$)/i.test(name),
  );
  return {
    ...Object.fromEntries(inherited),
    npm_config_registry: registry.trim(),
    npm_config_userconfig: settings,
    npm_config_update_notifier: 'false',
    npm_config_loglevel: 'notice',
    NO_COLOR: '1',
  };
}

/** In place of `npm install`: links to what this project has installed, and the packed package itself. */
export function linkPackages({ folder, project, tarball }: Workspace, names: readonly string[]): void {
  const modules = path.join(project, 'node_modules');
  const target = path.join(modules, 'isotrace');
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', path.join(folder, tarball), '--strip-components=1', '-C', target]);
  const { dependencies, bin } = JSON.parse(readFileSync(path.join(target, 'package.json'), 'utf8')) as {
    readonly dependencies: object;
    readonly bin: Readonly<Record<string, string>>;
  };
  for (const name of [...names, ...Object.keys(dependencies)]) {
    const link = path.join(modules, name);
    mkdirSync(path.dirname(link), { recursive: true });
    symlinkSync(path.join(root, 'node_modules', name), link);
  }
  mkdirSync(path.join(modules, '.bin'));
  for (const [name, file] of Object.entries(bin)) {
    // As npm does.
    chmodSync(path.join(target, file), 0o755);
    symlinkSync(path.join(target, file), path.join(modules, '.bin', name));
  }
  symlinkSync(path.join(root, 'node_modules/tsx/dist/cli.mjs'), path.join(modules, '.bin/tsx'));
}

/** A package of the newcomer's own that brings a copy of OpenTelemetry's API. */
export function writePlugin({ folder }: Workspace): void {
  const plugin = path.join(folder, 'shop-plugin');
  mkdirSync(plugin);
  const manifest = { name: 'shop-plugin', version: '1.0.0', dependencies: { '@opentelemetry/api': '1.8.0' } };
  writeFileSync(path.join(plugin, 'package.json'), JSON.stringify(manifest));
}

/** What `npm install --install-links ../shop-plugin` comes to. */
export function plantPlugin({ folder, project }: Workspace): void {
  const target = path.join(project, 'node_modules/shop-plugin');
  cpSync(path.join(folder, 'shop-plugin'), target, { recursive: true });
  const api = path.join(target, 'node_modules/@opentelemetry/api');
  mkdirSync(api, { recursive: true });
  writeFileSync(path.join(api, 'package.json'), JSON.stringify({ name: '@opentelemetry/api', version: '1.8.0' }));
}

export function removePlugin({ project }: Workspace): void {
  rmSync(path.join(project, 'node_modules/shop-plugin'), { recursive: true });
}

/** Whether a port is free; `0`: any, which is answered. */
export async function freePort(port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : undefined;
  } catch {
    return undefined;
  } finally {
    server.close();
  }
}
