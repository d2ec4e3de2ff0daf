import {
  type AnyNode,
  commentBefore,
  type Declaration,
  type DeclarationModule,
  type Declarations,
  resolveExport,
  resolveLocal,
  textOf,
} from './declarations.ts';

export type SymbolKind = 'function' | 'class' | 'interface' | 'type' | 'constant';

/** One member of a class, an interface or an object type; overloads are one member. */
export interface ApiMember {
  readonly name: string;
  readonly kind: 'constructor' | 'method' | 'property';
  readonly isStatic: boolean;
  readonly signatures: readonly string[];
  readonly doc: string;
  /** Of a property whose type is written out in place, and says something about its parts. */
  readonly members: readonly ApiMember[];
}

export interface ApiSymbol {
  readonly name: string;
  readonly kind: SymbolKind;
  readonly doc: string;
  readonly signatures: readonly string[];
  /** Names of what a class or an interface takes members over from, as far as the reader can look them up. */
  readonly bases: readonly string[];
  readonly members: readonly ApiMember[];
  /** The values of a type that is one of several, with what is said about each. */
  readonly values: readonly { readonly text: string; readonly doc: string }[];
  /** Names of this package that appear in its signatures. */
  readonly mentions: readonly string[];
}

/** What an entry exports, by name. */
export function describeEntry(all: Declarations, file: string): ApiSymbol[] {
  const names = [...(all.get(file)?.exported.keys() ?? [])].sort((left, right) => (left < right ? -1 : 1));
  return names.flatMap((name) => {
    const declaration = resolveExport(all, file, name);
    return declaration === undefined ? [] : [describeSymbol(all, { ...declaration, name })];
  });
}

/** Types that signatures mention and no entry exports: shown beside what mentions them. */
export function describeMentioned(
  all: Declarations,
  file: string,
  symbols: readonly ApiSymbol[],
  isExported: (name: string) => boolean,
): ApiSymbol[] {
  const found = new Map<string, ApiSymbol>();
  const visit = (from: DeclarationModule, { mentions }: ApiSymbol): void => {
    for (const name of mentions) {
      if (isExported(name) || found.has(name)) continue;
      const declaration = resolveLocal(all, from, name);
      if (declaration === undefined || kindOf(declaration) === 'class') continue;
      const symbol = describeSymbol(all, declaration);
      found.set(name, symbol);
      visit(declaration.module, symbol);
    }
  };
  for (const symbol of symbols) {
    const declaration = resolveExport(all, file, symbol.name);
    if (declaration !== undefined) visit(declaration.module, symbol);
  }
  return [...found.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** Types of what users pass in: each of their members is an option. */
const OPTIONS =
  /(Options|Option|Properties|Params|Bounds|Filter|Filters|Rule|Query|Config|Paths|Rules|Steps|Question|Command|Facts)$/;

/**
 * Public names that nothing is said about: exports, methods, what classes show, and all that may be given. The fields of
 * what users only read may be left to their names, and so may `type`, which tells messages apart.
 */
export function findUndocumented(symbols: readonly ApiSymbol[]): string[] {
  const needsDoc = (owner: ApiSymbol, { name, kind, signatures }: ApiMember): boolean => {
    // A constructor is described by its class, `[Symbol.asyncDispose]` and the name of an error by the language.
    if (kind === 'constructor' || name.startsWith('[') || name === 'type') return false;
    if (owner.kind === 'class') return !(owner.name.endsWith('Error') && name === 'name');
    const isOptional = signatures.some((signature) => /^(readonly )?[\w$]+\?:/.test(signature));
    return kind === 'method' || isOptional || OPTIONS.test(owner.name);
  };
  const ofMembers = (owner: ApiSymbol, path: string, members: readonly ApiMember[]): string[] =>
    members.flatMap((member) => [
      ...(member.doc === '' && needsDoc(owner, member) ? [`${path}.${member.name}`] : []),
      ...ofMembers(owner, `${path}.${member.name}`, member.members),
    ]);
  return symbols.flatMap((symbol) => [
    ...(symbol.doc === '' ? [symbol.name] : []),
    ...ofMembers(symbol, symbol.name, symbol.members),
  ]);
}

function describeSymbol(all: Declarations, declaration: Declaration): ApiSymbol {
  const { name, module, nodes } = declaration;
  const kind = kindOf(declaration);
  const doc = nodes.map((node) => commentBefore(module, node.start)).find((text) => text !== '') ?? '';
  const bodies = nodes.map(bodyOf).filter((body) => body !== undefined);
  const heritage = nodes.flatMap((node) => heritageOf(all, module, node));
  const inherited = heritage.flatMap(({ implemented }) => (implemented === undefined ? [] : [implemented]));
  const declared = bodies.flatMap((body) => membersOf(module, body));
  const told = new Set(declared.map((member) => member.name));
  const folded = heritage.filter(({ isPublicBase }) => !isPublicBase).flatMap(({ implemented = [] }) => implemented);
  const own = [...folded.filter((member) => !told.has(member.name) && !isProtected(member)), ...declared];
  const bases = heritage.filter(({ isPublicBase }) => isPublicBase);
  const values = kind === 'type' ? valuesOf(all, module, nodes) : [];
  const signatures = nodes.map((node) => signatureOf(module, node, kind)).filter((text) => text !== '');
  const members = own.map((member) => (member.doc === '' ? { ...member, doc: docIn(inherited, member.name) } : member));
  const shown = values.length > 0 ? [] : signatures;
  const texts = [...shown, ...flatSignatures(members), ...bases.map(({ text }) => text)];
  return {
    name,
    kind,
    doc,
    signatures: shown,
    bases: bases.map(({ text }) => text),
    members,
    values,
    mentions: mentionsIn(all, module, name, texts),
  };
}

function kindOf({ nodes }: Declaration): SymbolKind {
  const types = new Set(nodes.map(({ type }) => type));
  if (types.has('ClassDeclaration')) return 'class';
  if (types.has('TSInterfaceDeclaration')) return 'interface';
  if (types.has('TSTypeAliasDeclaration')) return 'type';
  return types.has('VariableDeclaration') ? 'constant' : 'function';
}

/** The members of a declaration: of a class or interface, or of a type that is one object. */
function bodyOf(node: AnyNode): readonly AnyNode[] | undefined {
  const body = node['body'] as AnyNode | undefined;
  if (node.type === 'ClassDeclaration' || node.type === 'TSInterfaceDeclaration') {
    return body?.['body'] as readonly AnyNode[] | undefined;
  }
  return node.type === 'TSTypeAliasDeclaration' ? literalOf(node['typeAnnotation'] as AnyNode) : undefined;
}

function literalOf(type: AnyNode | undefined): readonly AnyNode[] | undefined {
  return type?.type === 'TSTypeLiteral' ? (type['members'] as readonly AnyNode[]) : undefined;
}

function membersOf(module: DeclarationModule, nodes: readonly AnyNode[]): ApiMember[] {
  const members = new Map<string, ApiMember>();
  for (const node of nodes) {
    const member = memberOf(module, node);
    if (member === undefined) continue;
    const key = `${member.isStatic} ${member.name}`;
    const before = members.get(key);
    const doc = [before?.doc, member.doc].find((text) => text !== undefined && text !== '') ?? '';
    members.set(key, { ...member, doc, signatures: [...(before?.signatures ?? []), ...member.signatures] });
  }
  return [...members.values()];
}

function memberOf(module: DeclarationModule, node: AnyNode): ApiMember | undefined {
  const key = node['key'] as AnyNode | undefined;
  const accessibility = node['accessibility'];
  if (accessibility === 'private' || key?.type === 'PrivateIdentifier') return undefined;
  const doc = commentBefore(module, node.start);
  const isStatic = node['static'] === true;
  const whole = textOf(module, node.start, node.end).replace(/^static /, '');
  const base = { isStatic, doc, signatures: [whole], members: [] };
  if (key === undefined) {
    if (node.type === 'TSIndexSignature') return { ...base, name: '[index]', kind: 'property' };
    const isCall = node.type === 'TSCallSignatureDeclaration';
    return { ...base, name: isCall ? '(call)' : 'constructor', kind: isCall ? 'method' : 'constructor' };
  }
  const text = textOf(module, key.start, key.end);
  const name = node['computed'] === true ? `[${text}]` : text;
  if (node['kind'] === 'constructor') return { ...base, name, kind: 'constructor' };
  if (node['kind'] === 'get' || node['kind'] === 'set') {
    return { ...base, name, kind: 'property', signatures: [whole.replace(/^get (.+?)\(\): /, 'readonly $1: ')] };
  }
  const isMethod = node.type === 'TSMethodSignature' || node.type === 'MethodDefinition';
  if (isMethod) return { ...base, name, kind: 'method' };
  const annotation = (node['typeAnnotation'] as AnyNode | undefined)?.['typeAnnotation'] as AnyNode | undefined;
  const literal = literalOf(annotation);
  const members = literal === undefined ? [] : membersOf(module, literal);
  if (annotation === undefined || members.every(({ doc: said, members: more }) => said === '' && more.length === 0)) {
    return { ...base, name, kind: 'property' };
  }
  return {
    ...base,
    name,
    kind: 'property',
    signatures: [`${textOf(module, node.start, annotation.start)} { … }`],
    members,
  };
}

interface Heritage {
  readonly text: string;
  /** Otherwise its members are told with those of the class. */
  readonly isPublicBase: boolean;
  /** What members without a comment take theirs from. */
  readonly implemented: readonly ApiMember[] | undefined;
}

function heritageOf(all: Declarations, module: DeclarationModule, node: AnyNode): Heritage[] {
  const superClass = node['superClass'] as AnyNode | null | undefined;
  const clauses = [...((node['extends'] ?? []) as AnyNode[]), ...((node['implements'] ?? []) as AnyNode[])];
  const texts = clauses.map(({ start, end }) => textOf(module, start, end));
  if (superClass) texts.push(...superClassesOf(module, textOf(module, superClass.start, superClass.end)));
  return texts.map((text) => {
    const declaration = resolveLocal(all, module, text.replace(/<.*$/s, ''));
    const implemented = declaration && describeSymbol(all, declaration).members;
    // Nobody can have one of it: it is a part of the class that was put into another file.
    const isPart = declaration?.nodes.some((base) => base['abstract'] === true) ?? false;
    return { text, isPublicBase: !isPart, implemented };
  });
}

function isProtected({ signatures }: ApiMember): boolean {
  return signatures.some((signature) => signature.startsWith('protected '));
}

/** A class of mixins extends a constant, whose type names what is mixed. */
function superClassesOf(module: DeclarationModule, name: string): string[] {
  const [constant] = module.declared.get(name) ?? [];
  if (constant?.type !== 'VariableDeclaration') return [name];
  const text = textOf(module, constant.start, constant.end);
  return [...text.matchAll(/typeof (\w+)|Mixed<(\w+)>/g)].map(([, base, mixed]) => base ?? mixed ?? '');
}

function docIn(bases: readonly (readonly ApiMember[])[], name: string): string {
  return bases.flat().find((member) => member.name === name && member.doc !== '')?.doc ?? '';
}

function signatureOf(module: DeclarationModule, node: AnyNode, kind: SymbolKind): string {
  const text = (start: number, end: number): string => textOf(module, start, end).replace(/^(export |declare )+/, '');
  if (kind === 'class' || kind === 'interface') {
    if (node.type === 'TSTypeAliasDeclaration' || node.type === 'VariableDeclaration')
      return text(node.start, node.end);
    const parameters = node['typeParameters'] as AnyNode | null | undefined;
    const id = node['id'] as AnyNode;
    return parameters ? `${kind} ${text(id.start, parameters.end)}` : '';
  }
  if (kind === 'type' && bodyOf(node) !== undefined) {
    const parameters = node['typeParameters'] as AnyNode | null | undefined;
    return parameters ? `type ${text((node['id'] as AnyNode).start, parameters.end)}` : '';
  }
  return text(node.start, node.end);
}

/** `(typeof LIST)[number]` and `keyof typeof OBJECT`: the elements or the keys, each with its comment. */
function valuesOf(all: Declarations, module: DeclarationModule, nodes: readonly AnyNode[]): ApiSymbol['values'] {
  const [node] = nodes;
  const type = node?.['typeAnnotation'] as AnyNode | undefined;
  if (type === undefined) return [];
  const [, name] = /^\(typeof (\w+)\)\[number\]$/.exec(textOf(module, type.start, type.end)) ?? [];
  const list = name === undefined ? undefined : resolveLocal(all, module, name);
  if (list !== undefined) return elementsOf(list);
  const [, object] = /^keyof typeof (\w+)$/.exec(textOf(module, type.start, type.end)) ?? [];
  const keyed = object === undefined ? undefined : resolveLocal(all, module, object);
  if (keyed !== undefined) return keysOf(keyed);
  if (type.type !== 'TSUnionType') return [];
  const parts = type['types'] as readonly AnyNode[];
  const values = parts.map(({ start, end }) => {
    const bar = module.source.lastIndexOf('|', start);
    // The bar before the first member, where it has one, is not that of a union further up.
    const doc = commentBefore(module, start) || (bar < type.start ? '' : commentBefore(module, bar));
    return { text: textOf(module, start, end), doc };
  });
  return values.some(({ doc }) => doc !== '') ? values : [];
}

/** The type that a constant is declared with. */
function typeOfConstant({ nodes }: Declaration): AnyNode | undefined {
  const [declarator] = (nodes[0]?.['declarations'] ?? []) as readonly AnyNode[];
  const annotation = (declarator?.['id'] as AnyNode | undefined)?.['typeAnnotation'] as AnyNode | undefined;
  return annotation?.['typeAnnotation'] as AnyNode | undefined;
}

function keysOf(declaration: Declaration): ApiSymbol['values'] {
  const members = membersOf(declaration.module, literalOf(typeOfConstant(declaration)) ?? []);
  return members.map(({ name, doc }) => ({ text: `'${name}'`, doc }));
}

function elementsOf(declaration: Declaration): ApiSymbol['values'] {
  const { module } = declaration;
  let type = typeOfConstant(declaration);
  if (type?.type === 'TSTypeOperator') type = type['typeAnnotation'] as AnyNode;
  const elements = (type?.['elementTypes'] ?? []) as readonly AnyNode[];
  return elements.map(({ start, end }) => ({ text: textOf(module, start, end), doc: commentBefore(module, start) }));
}

function flatSignatures(members: readonly ApiMember[]): string[] {
  return members.flatMap((member) => [...member.signatures, ...flatSignatures(member.members)]);
}

function mentionsIn(
  all: Declarations,
  module: DeclarationModule,
  self: string,
  signatures: readonly string[],
): readonly string[] {
  const words = new Set(signatures.flatMap((text) => text.replaceAll(/'[^']*'/g, '').match(/\b[A-Z]\w+\b/g) ?? []));
  return [...words].filter((word) => word !== self && resolveLocal(all, module, word) !== undefined).sort();
}
