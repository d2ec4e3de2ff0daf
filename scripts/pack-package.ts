import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));

/**
 * Packs the package as `npm publish` would, by the npm that runs this if one does. Needs a build. Answers the path of
 * the tarball, in `directory`.
 */
export function packPackage(directory: string): string {
  const npm = process.env['npm_execpath'];
  const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', directory];
  const options = { cwd: root, stdio: 'pipe' } as const;
  if (npm === undefined) execFileSync('npm', args, options);
  else execFileSync(process.execPath, [npm, ...args], options);
  const name = readdirSync(directory).find((file) => file.endsWith('.tgz'));
  if (name === undefined) throw new Error('npm pack wrote no tarball');
  return path.join(directory, name);
}

/** Unpacks the tarball into a directory that is there. */
export function unpackPackage(tarball: string, directory: string): void {
  // By its name: GNU tar takes a path with a colon, as on Windows, for that of another machine.
  const { dir, base } = path.parse(tarball);
  execFileSync('tar', ['-xzf', base, '--strip-components=1', '-C', path.relative(dir, directory)], { cwd: dir });
}
