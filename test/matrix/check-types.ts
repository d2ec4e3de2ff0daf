import assert from 'node:assert/strict';
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { consumersOf, type Project } from './definition.ts';
import { runNode } from './package-manager.ts';

const CONSUMERS = fileURLToPath(new URL('consumer/', import.meta.url));

export interface TypesOptions {
  readonly directory: string;
  readonly node: string;
  readonly project: Project;
  readonly typescript: string;
  /** Of the compiler. */
  readonly tsc: string;
}

/**
 * Compiles programs of users against the installed package, strictly and without `skipLibCheck`. Errors in them, and in
 * the declarations of isotrace and of OpenTelemetry, reject; those that a compiler finds in anybody else's are counted.
 */
export async function checkTypes({ directory, node, project, typescript, tsc }: TypesOptions): Promise<string> {
  await cp(CONSUMERS, directory, { recursive: true });
  const files = consumersOf(project, typescript);
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
  };
  const config = path.join(directory, `tsconfig-${typescript}.json`);
  await writeFile(config, JSON.stringify({ compilerOptions, files }));
  const { ours, others } = judgeDiagnostics(await compile(node, directory, [tsc, '--pretty', 'false', '-p', config]));
  assert.deepEqual(ours, []);
  const strangers = [...new Set(others)].sort().join(', ');
  return `${files.join(', ')}${strangers === '' ? '' : `; errors of its own in ${strangers}`}`;
}

/** What the compiler says, one line each, of our programs and packages, and whose declarations have others. */
export function judgeDiagnostics(output: string): { ours: string[]; others: string[] } {
  const ours: string[] = [];
  const others: string[] = [];
  // What is indented goes on from the line above.
  for (const line of output.split('\n').filter((text) => /^\S/.test(text))) {
    const [, file = ''] = /^(.+)\(\d+,\d+\): error TS/.exec(line) ?? [];
    const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file.replaceAll('\\', '/')) ?? [];
    if (name === undefined || name === 'isotrace' || name.startsWith('@opentelemetry/')) ours.push(line);
    else others.push(name);
  }
  return { ours, others };
}

async function compile(node: string, directory: string, args: readonly string[]): Promise<string> {
  try {
    return await runNode(node, directory, args);
  } catch (error: unknown) {
    const { stdout, code } = error as { readonly stdout?: string; readonly code?: unknown };
    // 1 and 2 are how it ends when it has found something.
    if (stdout === undefined || stdout === '' || (code !== 1 && code !== 2)) throw error;
    return stdout;
  }
}
