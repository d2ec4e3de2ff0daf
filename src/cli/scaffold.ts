import { lstatSync, mkdirSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CommandError, EXIT } from './cli-host.ts';

export interface ScaffoldFile {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly content: string;
}

export interface ScaffoldedFile {
  readonly path: string;
  readonly outcome: 'written' | 'replaced' | 'skipped';
}

export interface ScaffoldOptions {
  /** Whether files that exist are replaced; else they are left as they are. */
  readonly force: boolean;
}

/**
 * Writes files below `root`, which is made if it does not exist. Nothing is written, there or elsewhere, when one of the
 * paths leads out of `root`, by itself or through a symbolic link, or is a directory; then it throws a {@link CommandError}. A link in the
 * place of a file is never followed.
 */
export function writeScaffold(
  root: string,
  files: readonly ScaffoldFile[],
  options: ScaffoldOptions,
): ScaffoldedFile[] {
  const base = realPathOf(path.resolve(root));
  const targets = files.map((file) => ({ file, target: resolveInside(base, file.path) }));
  for (const { file, target } of targets) {
    if (lstatSync(target, { throwIfNoEntry: false })?.isDirectory() !== true) continue;
    throw new CommandError(`${file.path} is a directory; nothing is written`, EXIT.usage);
  }
  return targets.map(({ file, target }) => {
    mkdirSync(path.dirname(target), { recursive: true });
    return { path: file.path, outcome: write(resolveInside(base, file.path), file.content, options) };
  });
}

/** The absolute path of what is below `base`, which is a real path. Throws when it leads out of it. */
export function resolveInside(base: string, relative: string): string {
  const target = path.resolve(base, relative);
  if (target !== base && isInside(base, target) && isInside(base, realPathOf(path.dirname(target)))) return target;
  throw new CommandError(`${relative} is not inside of ${base}; nothing is written there`, EXIT.usage);
}

function isInside(base: string, target: string): boolean {
  const relative = path.relative(base, target);
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

/** Of a path whose end may not exist yet: what its existing part leads to, and the rest. */
function realPathOf(target: string): string {
  if (lstatSync(target, { throwIfNoEntry: false }) === undefined) {
    return path.join(realPathOf(path.dirname(target)), path.basename(target));
  }
  try {
    return realpathSync(target);
  } catch {
    throw new CommandError(`${target} is a link that leads nowhere`, EXIT.usage);
  }
}

function write(target: string, content: string, { force }: ScaffoldOptions): ScaffoldedFile['outcome'] {
  try {
    writeFileSync(target, content, { flag: 'wx' });
    return 'written';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  if (!force) return 'skipped';
  // A rename takes the place of a link, where opening the file would follow it.
  const temporary = `${target}.${process.pid}.tmp`;
  writeFileSync(temporary, content, { flag: 'wx' });
  renameSync(temporary, target);
  return 'replaced';
}
