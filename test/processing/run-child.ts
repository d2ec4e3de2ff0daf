import { execFile } from 'node:child_process';

const sources = new URL('../../src/processing/', import.meta.url).href;

export interface ChildResult {
  readonly code: number | null;
  readonly lines: readonly string[];
}

/** Runs a script with the tracking functions in a process of its own, where a crash can be seen. */
export function runChild(script: string): Promise<ChildResult> {
  const source = `
    import { runTracked, trackResult } from '${sources}track-result.ts';
    import { wrapFunction } from '${sources}wrap-function.ts';
    const print = (...parts) => process.stdout.write(parts.join(' ') + '\\n');
    const scope = { run: (fn) => fn(), end: (failure) => print('end', failure ? 'error' : 'success') };
    const watched = (fn) => wrapFunction(fn, () => scope);
    const plain = (fn) => fn;
    ${script}`;
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', source],
      { timeout: 20_000 },
      (_error, stdout) => resolve({ code: child.exitCode, lines: stdout.split('\n').filter((line) => line !== '') }),
    );
  });
}
