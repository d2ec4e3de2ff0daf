import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { installNode } from '../../scripts/install-node.ts';
import { packPackage } from '../../scripts/pack-package.ts';
import { npm, writeManifest } from './package-manager.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What the projects need from outside: Nodes, compilers, pnpm and isotrace, each brought when it is first asked for. */
export class Tools {
  readonly #directory: string;
  readonly #found = new Map<string, Promise<string>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The Node that runs, if it is of that line, and otherwise the line's newest from npm. */
  node(line: string): Promise<string> {
    if (process.version.startsWith(`v${line}.`)) return Promise.resolve(process.execPath);
    return this.#once(`node-${line}`, (directory) => installNode(line, directory));
  }

  /** The script of a version of the compiler. */
  typescript(version: string): Promise<string> {
    return this.#once(`typescript-${version}`, async (directory) => {
      await this.#installPackage(directory, `typescript@~${version}`);
      return path.join(directory, 'node_modules/typescript/bin/tsc');
    });
  }

  /** The directory that pnpm is installed in. */
  pnpm(): Promise<string> {
    return this.#once('pnpm', async (directory) => {
      await this.#installPackage(directory, 'pnpm@12');
      return directory;
    });
  }

  /** The tarball of isotrace. Needs a build. */
  isotrace(): Promise<string> {
    return this.#once('isotrace', async (directory) => {
      if (!existsSync(path.join(root, 'dist'))) throw new Error('There is no build of isotrace');
      await writeManifest(directory, {});
      return packPackage(directory);
    });
  }

  async #installPackage(directory: string, name: string): Promise<void> {
    await writeManifest(directory, {});
    await npm(process.execPath, directory, ['install', '--ignore-scripts', name]);
  }

  #once(name: string, bring: (directory: string) => Promise<string>): Promise<string> {
    const known = this.#found.get(name);
    if (known !== undefined) return known;
    const bringing = bring(path.join(this.#directory, name));
    this.#found.set(name, bringing);
    return bringing;
  }
}
