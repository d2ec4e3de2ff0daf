import path from 'node:path';
import { INTEGER_OPTIONS } from '../utils/integer-options.ts';
import { integer, oneOf } from '../utils/option-checks.ts';
import type { Check, OptionReader } from '../utils/option-reader.ts';
import type { SpoolOptions } from './options.ts';
import type { SpoolSettings } from './settings.ts';

const KNOWN: ReadonlySet<string> = new Set(
  Object.keys({ directory: true, maxBytes: true, fsync: true } satisfies Record<keyof SpoolOptions, true>),
);
const MAX_PATH_LENGTH = 4_096;
const DIRECTORY: Check<string> = {
  accepted: `an absolute path of up to ${MAX_PATH_LENGTH} characters`,
  parse: (value) => {
    const isPath = typeof value === 'string' && value.length <= MAX_PATH_LENGTH && !value.includes('\0');
    return isPath && path.isAbsolute(value) ? path.resolve(value) : undefined;
  },
};
const MAX_BYTES = integer('spool.maxBytes');
const FSYNC = oneOf('interval', 'always');

/** The spool of the options, over that of `base`: a tenant may change how much it keeps without naming the directory again. */
export function readSpool(reader: OptionReader, base: SpoolSettings | undefined): SpoolSettings | undefined {
  const own = reader.open('spool', KNOWN);
  if (own === undefined) return base;
  const directory = own.read('directory', DIRECTORY) ?? base?.directory;
  const maxBytes = own.read('maxBytes', MAX_BYTES) ?? base?.maxBytes ?? INTEGER_OPTIONS['spool.maxBytes'].default;
  const fsync = own.read('fsync', FSYNC) ?? base?.fsync ?? 'interval';
  if (directory !== undefined) return Object.freeze({ directory, maxBytes, fsync });
  if (own.get('directory') === undefined) own.issues.add(own.pathOf('directory'), DIRECTORY.accepted, 'undefined');
  return undefined;
}
