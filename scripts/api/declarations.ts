import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'oxc-parser';

/** The little of an ESTree node that is looked at. */
export interface AnyNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** What one name stands for: several nodes for overloads, and for a type and a value of the same name. */
export interface Declaration {
  readonly name: string;
  readonly module: DeclarationModule;
  readonly nodes: readonly AnyNode[];
}

interface ImportedName {
  readonly from: string;
  readonly name: string;
}

/** One declaration file, read. */
export interface DeclarationModule {
  readonly file: string;
  readonly source: string;
  readonly comments: readonly { readonly value: string; readonly start: number; readonly end: number }[];
  readonly declared: ReadonlyMap<string, readonly AnyNode[]>;
  readonly imported: ReadonlyMap<string, ImportedName>;
  readonly exported: ReadonlyMap<string, ImportedName | string>;
}

/** Declaration files by their path from the folder of the sources: `core/tracer.ts`. */
export type Declarations = ReadonlyMap<string, DeclarationModule>;

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Has the project's own compiler say what users of the package see of the sources, and reads it. */
export function emitDeclarations(): Declarations {
  const folder = mkdtempSync(path.join(tmpdir(), 'isotrace-api-'));
  try {
    const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
    const flags = ['--emitDeclarationOnly', '--declarationMap', 'false', '--outDir', folder];
    execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', ...flags], { cwd: root, stdio: 'pipe' });
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.d.ts'));
    const sources = files.map((file): [string, string] => [
      file.replaceAll('\\', '/').replace(/\.d\.ts$/, '.ts'),
      readFileSync(path.join(folder, file), 'utf8'),
    ]);
    return readDeclarations(new Map(sources));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Reads declaration files, given by the path that other files import them by. */
export function readDeclarations(sources: ReadonlyMap<string, string>): Declarations {
  return new Map([...sources].map(([file, source]) => [file, readModule(file, source)]));
}

function readModule(file: string, source: string): DeclarationModule {
  const { program, comments, module } = parseSync(file.replace(/\.ts$/, '.d.ts'), source);
  const target = (specifier: string): string =>
    specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : specifier;
  const declared = new Map<string, AnyNode[]>();
  for (const statement of program.body as unknown as AnyNode[]) {
    const node = (statement['declaration'] ?? statement) as AnyNode;
    for (const name of namesOf(node)) {
      // The comment is before `export`.
      declared.set(name, [...(declared.get(name) ?? []), { ...node, start: statement.start }]);
    }
  }
  const imported = new Map<string, ImportedName>();
  for (const { moduleRequest, entries } of module.staticImports) {
    for (const { importName, localName } of entries) {
      imported.set(localName.value, { from: target(moduleRequest.value), name: importName.name ?? localName.value });
    }
  }
  const exported = new Map<string, ImportedName | string>();
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest, importName, exportName, localName } of entries) {
      const name = exportName.name;
      if (name === null) continue;
      exported.set(
        name,
        moduleRequest === null
          ? (localName.name ?? name)
          : { from: target(moduleRequest.value), name: importName.name ?? name },
      );
    }
  }
  return { file, source, comments, declared, imported, exported };
}

function namesOf(node: AnyNode): string[] {
  const declarators = node['declarations'] as readonly AnyNode[] | undefined;
  if (declarators !== undefined) return declarators.map(({ id }) => (id as { readonly name: string }).name);
  const id = node['id'] as { readonly name?: string } | null | undefined;
  return typeof id?.name === 'string' ? [id.name] : [];
}

/** The declaration of a name that a file exports; `undefined` for those of packages. */
export function resolveExport(all: Declarations, file: string, name: string): Declaration | undefined {
  const module = all.get(file);
  const found = module?.exported.get(name);
  if (module === undefined || found === undefined) return undefined;
  return typeof found === 'string' ? resolveLocal(all, module, found) : resolveExport(all, found.from, found.name);
}

/** What a name means inside a file; `undefined` for globals and what comes from packages. */
export function resolveLocal(all: Declarations, module: DeclarationModule, name: string): Declaration | undefined {
  const nodes = module.declared.get(name);
  if (nodes !== undefined) return { name, module, nodes };
  const from = module.imported.get(name);
  return from === undefined ? undefined : resolveExport(all, from.from, from.name);
}

/** The text of the doc comment right before a place. */
export function commentBefore({ comments, source }: DeclarationModule, start: number): string {
  const comment = comments.findLast(({ end }) => end <= start);
  if (comment === undefined || !comment.value.startsWith('*')) return '';
  if (source.slice(comment.end, start).trim() !== '') return '';
  return comment.value
    .slice(1)
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim();
}

/** A piece of a file on one line, without its comments. */
export function textOf({ comments, source }: DeclarationModule, start: number, end: number): string {
  let text = '';
  let from = start;
  for (const comment of comments) {
    if (comment.start < from || comment.end > end) continue;
    text += source.slice(from, comment.start);
    from = comment.end;
  }
  text += source.slice(from, end);
  return text
    .replaceAll(/import\("[^"]+"\)\./g, '')
    .replaceAll(/\s+/g, ' ')
    .replace(/;$/, '')
    .trim();
}
