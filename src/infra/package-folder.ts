import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The folder of this package, the same from its source and from what is built of it, which lies in other places. Where
 * it was bundled into something else, the folder of the bundle.
 */
export function packageFolder(): string {
  try {
    return path.dirname(createRequire(import.meta.url).resolve('isotrace/package.json'));
  } catch {
    return path.dirname(fileURLToPath(import.meta.url));
  }
}
