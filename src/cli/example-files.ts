import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { packageFolder } from '../infra/package-folder.ts';
import type { ScaffoldFile } from './scaffold.ts';

/** The projects in `examples/` of the package, each with what it shows. */
export const EXAMPLES = {
  basic: 'a script that works for several tenants',
  express: 'a SaaS API on Express: API keys, plans, logs',
  fastify: 'an API on Fastify: tokens, an endpoint and a key for each tenant',
  worker: 'a batch worker: a queue, and worker threads',
  serverless: 'a function that flushes before it is frozen',
  agents: 'an agent with models, tools, sessions and costs',
} as const;

export type ExampleName = keyof typeof EXAMPLES;

/** What somebody who tried the example in its place has left there. */
const LEFT_OVERS: ReadonlySet<string> = new Set(['node_modules', 'package-lock.json', 'dist']);

/** All files of an example, in the order of their paths. */
export function exampleFiles(name: ExampleName, home: string = examplesFolder()): ScaffoldFile[] {
  const root = path.join(home, name);
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((file) => !LEFT_OVERS.has(file.split('/')[0] as string))
    .sort()
    .map((file) => ({ path: file, content: readFileSync(path.join(root, file), 'utf8') }));
}

function examplesFolder(): string {
  return path.join(packageFolder(), 'examples');
}
