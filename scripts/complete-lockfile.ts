/**
 * Adds to package-lock.json the optional packages that npm left out: it drops the binaries for other platforms that
 * it did not install itself or that a registry mirror lacks, and `npm ci` then refuses the file. Run it after an
 * `npm install` that changed dependencies.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { findUnlocked, type Lockfile } from './lockfile.ts';

const file = new URL('../package-lock.json', import.meta.url);
const lockfile = JSON.parse(readFileSync(file, 'utf8')) as Lockfile;
const unlocked = findUnlocked(lockfile);
const packages = Object.entries(lockfile.packages);
for (const { name, version, dev, os, cpu, libc } of unlocked) {
  packages.push([`node_modules/${name}`, { version, ...(dev && { dev }), optional: true, os, cpu, libc }]);
}
packages.sort(([a], [b]) => a.localeCompare(b, 'en'));
writeFileSync(file, `${JSON.stringify({ ...lockfile, packages: Object.fromEntries(packages) }, null, 2)}\n`);
console.log(`package-lock.json: ${unlocked.length} packages added`);
