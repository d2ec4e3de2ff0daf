import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

/** One copy of a package on the disk. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  /** Where it is, links followed, from the project's folder. */
  readonly path: string;
  /** The same, from the root. */
  readonly location: string;
  readonly peers: Readonly<Record<string, string>>;
  readonly optionalPeers: ReadonlySet<string>;
}

/** A tree of packages is not deeper or larger; what is beyond is not looked at. */
const MAX_DEPTH = 12;
const MAX_FOLDERS = 50_000;

/**
 * Every copy of the packages that `wanted` names, below the folder's `node_modules` and those of its parents, as npm,
 * pnpm and yarn lay them out. Never throws: what cannot be read is left out.
 */
export function findPackages(folder: string, wanted: (name: string) => boolean): InstalledPackage[] {
  const found = new Map<string, InstalledPackage>();
  const visited = new Set<string>();
  for (const parent of parentsOf(folder)) scan(path.join(parent, 'node_modules'), 0);
  return [...found.values()].sort((left, right) => (left.path < right.path ? -1 : 1));

  function scan(modules: string, depth: number): void {
    const real = realPath(modules);
    if (real === undefined || depth > MAX_DEPTH || visited.has(real) || visited.size >= MAX_FOLDERS) return;
    visited.add(real);
    for (const entry of namesIn(modules)) {
      if (entry === '.pnpm')
        for (const store of namesIn(path.join(modules, entry)))
          scan(path.join(modules, entry, store, 'node_modules'), depth + 1);
      else if (entry.startsWith('@'))
        for (const name of namesIn(path.join(modules, entry))) look(modules, `${entry}/${name}`, depth);
      else if (!entry.startsWith('.')) look(modules, entry, depth);
    }
  }

  function look(modules: string, name: string, depth: number): void {
    const place = path.join(modules, name);
    const real = realPath(place);
    if (real === undefined) return;
    if (wanted(name) && !found.has(real)) {
      const manifest = readManifest(real);
      if (manifest !== undefined)
        found.set(real, { ...manifest, name, path: path.relative(folder, real) || '.', location: real });
    }
    scan(path.join(place, 'node_modules'), depth + 1);
  }
}

/** The copy of a package that modules in `folder` get. */
export function resolvePackage(folder: string, name: string): InstalledPackage | undefined {
  for (const parent of parentsOf(folder)) {
    const location = realPath(path.join(parent, 'node_modules', name));
    const manifest = location === undefined ? undefined : readManifest(location);
    if (location !== undefined && manifest !== undefined) {
      return { ...manifest, name, path: path.relative(folder, location), location };
    }
  }
  return undefined;
}

/** Whether Yarn keeps the packages of a project in archives, where modules find them and nobody else. */
export function isPlugAndPlay(folder: string): boolean {
  return parentsOf(folder).some((parent) => existsSync(path.join(parent, '.pnp.cjs')));
}

function parentsOf(folder: string): string[] {
  const parents: string[] = [];
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    parents.push(at);
    if (at === path.dirname(at)) return parents;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function realPath(place: string): string | undefined {
  try {
    return realpathSync(place);
  } catch {
    return undefined;
  }
}

function readManifest(place: string): Omit<InstalledPackage, 'name' | 'path' | 'location'> | undefined {
  try {
    const manifest = JSON.parse(readFileSync(path.join(place, 'package.json'), 'utf8')) as Record<string, unknown>;
    const { version, peerDependencies, peerDependenciesMeta } = manifest;
    if (typeof version !== 'string') return undefined;
    const meta = (peerDependenciesMeta ?? {}) as Record<string, { optional?: boolean }>;
    const optionalPeers = new Set(Object.keys(meta).filter((name) => meta[name]?.optional === true));
    return { version, peers: (peerDependencies ?? {}) as Record<string, string>, optionalPeers };
  } catch {
    return undefined;
  }
}
