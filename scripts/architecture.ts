import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type EcmaScriptModule, type ParseResult, parseSync, Visitor } from 'oxc-parser';

/** One broken rule, worded so that the reader knows what to change. */
interface Violation {
  readonly file: string;
  readonly rule: Rule;
  readonly message: string;
}

export type Rule =
  | 'syntax'
  | 'layer'
  | 'import'
  | 'dependency'
  | 'cycle'
  | 'environment'
  | 'console'
  | 'export-star'
  | 'module-state'
  | 'length'
  | 'name';

interface ArchitectureOptions {
  /** Names of the packages that `src` may import besides Node's own modules. */
  readonly packages: ReadonlySet<string>;
}

/**
 * The layer table: a file may import its own folder and the folders of lower numbers. The files directly in
 * `src` are the public entries: above everything, imported by nothing, not even by one another.
 */
export const LAYERS: Readonly<Record<string, number>> = {
  utils: 1,
  infra: 2,
  lifecycle: 2,
  processing: 3,
  core: 4,
  integration: 5,
  instrumentation: 6,
  dashboard: 7,
  cli: 7,
  compat: 7,
  testing: 7,
};
export const ENTRY_LAYER = 8;

/** What runs in a browser. It is built into files that are served: nothing imports it, and it brings its own packages. */
const PAGE = 'src/dashboard/page/';
const PAGE_PACKAGES: ReadonlySet<string> = new Set(['preact', '@preact/signals', '@tanstack/virtual-core', 'uplot']);

const MAX_LINES = 350;
/** Imports what the user names. */
const MODULE_LOADER = 'src/cli/doctor/load-module.ts';
const ENVIRONMENT_READER = 'src/infra/environment.ts';
const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/** The TypeScript files below `src`, by their path from the root of the project. */
export function readSources(root: URL): Map<string, string> {
  const files = readdirSync(new URL('src', root), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => `src/${file.replaceAll('\\', '/')}`)
    .sort();
  return new Map(files.map((file) => [file, readFileSync(new URL(file, root), 'utf8')]));
}

/** Checks the sources, given as text by their path (`src/utils/clock.ts`), against the rules of the house. */
export function checkArchitecture(sources: ReadonlyMap<string, string>, options: ArchitectureOptions): Violation[] {
  const violations: Violation[] = [];
  const graph = new Map<string, string[]>();
  for (const [file, source] of sources) {
    const report = (rule: Rule, message: string) => violations.push({ file, rule, message });
    const parsed = parseSync(file, source);
    for (const error of parsed.errors) report('syntax', error.message);
    checkName(file, report);
    checkLength(source, report);
    checkContent(file, parsed, report);
    const targets: string[] = [];
    for (const specifier of importsOf(file, parsed, source, report)) {
      if (specifier.startsWith('.')) {
        const target = path.posix.join(path.posix.dirname(file), specifier);
        if (isOfPage(file) && target.endsWith('.css')) continue;
        if (!sources.has(target)) {
          report('import', `'${specifier}' is not a file of src (relative imports name the file, with its .ts)`);
          continue;
        }
        targets.push(target);
        checkLayer(file, target, report);
        if (isOfPage(target) && !isOfPage(file)) report('layer', `imports ${target}: the page is built, not imported`);
      } else {
        if (isOfPage(file) && specifier.startsWith('node:'))
          report('import', `'${specifier}' is not there in a browser`);
        checkPackage(specifier, isOfPage(file) ? PAGE_PACKAGES : options.packages, report);
      }
    }
    graph.set(file, targets);
  }
  for (const cycle of findCycles(graph)) {
    violations.push({ file: cycle[0] ?? '', rule: 'cycle', message: [...cycle, cycle[0]].join(' → ') });
  }
  return violations;
}

type Report = (rule: Rule, message: string) => void;

function checkName(file: string, report: Report): void {
  const [, ...parts] = file.replace(/(\.d)?\.tsx?$/, '').split('/');
  const wrong = parts.find((part) => !KEBAB_CASE.test(part));
  if (wrong !== undefined) report('name', `'${wrong}' is not in kebab-case`);
}

function checkLength(source: string, report: Report): void {
  const lines = source.replace(/\n$/, '').split('\n').length;
  if (lines > MAX_LINES) report('length', `${lines} lines, ${MAX_LINES} at most: does the file hold two ideas?`);
}

function checkLayer(file: string, target: string, report: Report): void {
  const from = folderOf(file);
  const to = folderOf(target);
  const fromLayer = layerOf(from);
  const toLayer = layerOf(to);
  if (fromLayer === undefined) report('layer', `the folder '${from}' is not in the layer table`);
  else if (toLayer === undefined) report('layer', `imports ${target}, whose folder is not in the layer table`);
  else if (to === '') report('layer', `imports ${target}: nothing imports a public entry`);
  else if (from !== to && toLayer >= fromLayer) {
    report('layer', `imports ${target}: layer ${fromLayer} may import lower layers only, and '${to}' is ${toLayer}`);
  }
}

/** Whether a file belongs to the dashboard's page. */
export function isOfPage(file: string): boolean {
  return file.startsWith(PAGE);
}

function folderOf(file: string): string {
  const parts = file.split('/');
  return parts.length > 2 ? (parts[1] ?? '') : '';
}

function layerOf(folder: string): number | undefined {
  return folder === '' ? ENTRY_LAYER : LAYERS[folder];
}

function checkPackage(specifier: string, packages: ReadonlySet<string>, report: Report): void {
  const name = packageOf(specifier);
  if (name !== undefined && !packages.has(name)) {
    report('dependency', `'${name}' is neither a dependency nor a peer of the package`);
  }
}

function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined;
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}

/** The names of the packages that users of the sources need, types included: the page has what it needs built in. */
export function importedPackages(sources: ReadonlyMap<string, string>): Set<string> {
  const names = new Set<string>();
  for (const [file, source] of sources) {
    if (isOfPage(file)) continue;
    for (const specifier of importsOf(file, parseSync(file, source), source, () => {})) {
      const name = packageOf(specifier);
      if (name !== undefined) names.add(name);
    }
  }
  return names;
}

/** Every module specifier of a file: static, dynamic, re-exported, and in types. */
function importsOf(file: string, parsed: ParseResult, source: string, report: Report): Set<string> {
  const specifiers = new Set<string>();
  const { staticImports, staticExports, dynamicImports }: EcmaScriptModule = parsed.module;
  for (const { moduleRequest } of staticImports) specifiers.add(moduleRequest.value);
  for (const { entries } of staticExports) {
    for (const { moduleRequest } of entries) if (moduleRequest) specifiers.add(moduleRequest.value);
  }
  for (const { moduleRequest } of dynamicImports) {
    const literal = /^(['"])(.*)\1$/.exec(source.slice(moduleRequest.start, moduleRequest.end));
    if (literal?.[2] === undefined && file === MODULE_LOADER) continue;
    if (literal?.[2] === undefined) report('import', 'a dynamic import names its module by a string literal');
    else specifiers.add(literal[2]);
  }
  new Visitor({
    TSImportType(node) {
      specifiers.add(node.source.value);
    },
  }).visit(parsed.program);
  return specifiers;
}

/** The little of an ESTree node that these checks look at. */
interface AnyNode {
  readonly type: string;
  readonly [key: string]: unknown;
}

function checkContent(file: string, parsed: ParseResult, report: Report): void {
  for (const { entries } of parsed.module.staticExports) {
    for (const { importName } of entries) {
      if (importName.kind === 'All' || importName.kind === 'AllButDefault')
        report('export-star', 'exports by name only');
    }
  }
  for (const statement of parsed.program.body) {
    const declaration = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
    if (declaration?.type === 'VariableDeclaration' && declaration.kind !== 'const' && !declaration.declare) {
      report('module-state', `a module-level '${declaration.kind}': state belongs to an object that its user holds`);
    }
  }

  const reportEnvironment = () => {
    if (file !== ENVIRONMENT_READER) report('environment', `only ${ENVIRONMENT_READER} reads process.env`);
  };
  for (const { moduleRequest, entries } of parsed.module.staticImports) {
    if (/^(node:)?console$/.test(moduleRequest.value)) report('console', 'a library does not write to the console');
    if (!/^(node:)?process$/.test(moduleRequest.value)) continue;
    for (const { importName, localName } of entries) {
      const whole = importName.kind !== 'Name' || importName.name === 'default';
      if (whole ? localName.value !== 'process' : importName.name === 'env') reportEnvironment();
    }
  }
  new Visitor({
    MemberExpression(node) {
      const member = node as unknown as AnyNode;
      const object = member['object'] as AnyNode;
      if (namesGlobal(object, 'process') && propertyOf(member) === 'env') reportEnvironment();
      if (namesGlobal(object, 'console')) report('console', 'a library does not write to the console');
    },
    VariableDeclarator(node) {
      const init = node.init as unknown as AnyNode | null;
      if (init === null) return;
      if (namesGlobal(init, 'console')) report('console', 'a library does not write to the console');
      if (!namesGlobal(init, 'process')) return;
      const id = node.id as unknown as AnyNode;
      const properties = id.type === 'ObjectPattern' ? (id['properties'] as AnyNode[]) : undefined;
      const takesEnv = properties?.some(
        (property) => property.type !== 'Property' || nameOf(property['key']) === 'env',
      );
      if (takesEnv ?? true) reportEnvironment();
    },
  }).visit(parsed.program);
}

/** Whether an expression is `name` or `globalThis.name`. */
function namesGlobal(node: AnyNode, name: string): boolean {
  if (node.type === 'Identifier') return node['name'] === name;
  return node.type === 'MemberExpression' && nameOf(node['object']) === 'globalThis' && propertyOf(node) === name;
}

function propertyOf(member: AnyNode): string | undefined {
  const property = member['property'] as AnyNode;
  return member['computed'] === true && property.type !== 'Literal' ? undefined : nameOf(property);
}

function nameOf(node: unknown): string | undefined {
  const { type, name, value } = node as AnyNode;
  const text = type === 'Literal' ? value : name;
  return typeof text === 'string' ? text : undefined;
}

/** One cycle, as the list of its files in import order, for each group of files that import one another. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const state = new Map<string, 'open' | 'done'>();
  const stack: string[] = [];
  const visit = (file: string): void => {
    state.set(file, 'open');
    stack.push(file);
    for (const target of graph.get(file) ?? []) {
      const seen = state.get(target);
      if (seen === 'open') cycles.push(stack.slice(stack.indexOf(target)));
      else if (seen === undefined) visit(target);
    }
    stack.pop();
    state.set(file, 'done');
  };
  for (const file of graph.keys()) if (!state.has(file)) visit(file);
  return cycles;
}
