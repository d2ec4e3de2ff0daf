import type { Declarations } from './declarations.ts';
import { renderDoc, renderSignature } from './doc-text.ts';
import { type ApiEntry, objectName } from './entries.ts';
import { type ApiMember, type ApiSymbol, describeEntry, describeMentioned, type SymbolKind } from './model.ts';

interface Place {
  readonly page: string;
  readonly anchor: string;
}

/** Where a name has its section, seen from a page. */
export type FindSection = (name: string) => string | undefined;

const GROUPS: Readonly<Record<SymbolKind, string>> = {
  class: 'Classes',
  function: 'Functions',
  constant: 'Constants',
  interface: 'Interfaces',
  type: 'Types',
};

/** The pages of `docs/api`, by file name. The same declarations give the same pages. */
export function renderPages(all: Declarations, entries: readonly ApiEntry[]): Map<string, string> {
  const homes = new Map<string, Place>();
  const described = entries.map((entry) => ({ entry, symbols: describeEntry(all, entry.file) }));
  for (const { entry, symbols } of described) {
    for (const symbol of symbols) {
      if (!homes.has(keyOf(symbol))) homes.set(keyOf(symbol), { page: entry.page, anchor: anchorOf(titleOf(symbol)) });
    }
  }
  const pages = new Map([['README.md', renderIndex(described)]]);
  for (const { entry, symbols } of described) {
    const isExported = (name: string): boolean => homes.has(name);
    const own = symbols.filter((symbol) => homes.get(keyOf(symbol))?.page === entry.page);
    const others = symbols.filter((symbol) => !own.includes(symbol));
    const mentioned = describeMentioned(all, entry.file, own, isExported);
    const find: FindSection = (name) => {
      const hidden = mentioned.find((symbol) => symbol.name === name);
      if (hidden !== undefined) return `#${anchorOf(titleOf(hidden))}`;
      // A name means what this entry exports under it; failing that, what the first that has it does.
      const exported = symbols.find((symbol) => symbol.name === name);
      const place = homes.get(exported === undefined ? name : keyOf(exported));
      return place && (place.page === entry.page ? `#${place.anchor}` : `${place.page}#${place.anchor}`);
    };
    pages.set(entry.page, renderPage(entry, own, others, mentioned, find));
  }
  return pages;
}

/** Functions of one name may differ from entry to entry; types of one name are the same. */
function keyOf({ name, kind, doc }: ApiSymbol): string {
  return kind === 'function' ? `${name} ${doc}` : name;
}

function titleOf({ name, kind }: ApiSymbol): string {
  return kind === 'function' ? `${name}()` : name;
}

/** As GitHub makes them of headings. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

function renderIndex(
  described: readonly { readonly entry: ApiEntry; readonly symbols: readonly ApiSymbol[] }[],
): string {
  const rows = described.map(({ entry: { specifier, page, summary, guide }, symbols }) => {
    const count = symbols.length === 1 ? '1 export' : `${symbols.length} exports`;
    return `| [\`${specifier}\`](${page}) | ${summary} | ${count} | [${guide.replace('.md', '')}](../${guide}) |`;
  });
  return `${[
    '# API reference',
    '',
    'One page for each entry of the package, made from the sources by `npm run docs:api`. What several entries export has',
    'its section on one page, which the others link to.',
    '',
    '| entry | | | guide |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n')}\n`;
}

function renderPage(
  { specifier, summary, guide }: ApiEntry,
  own: readonly ApiSymbol[],
  others: readonly ApiSymbol[],
  mentioned: readonly ApiSymbol[],
  find: FindSection,
): string {
  const blocks = [
    '<!-- Made by `npm run docs:api` from the sources: change the comments there. -->',
    `# ${specifier}`,
    `${summary} Guide: [docs/${guide}](../${guide}). [All entries](README.md).`,
  ];
  const groups = (Object.keys(GROUPS) as SymbolKind[]).map((kind) => ({
    title: GROUPS[kind],
    symbols: own.filter((symbol) => symbol.kind === kind),
  }));
  const shown = groups.filter(({ symbols }) => symbols.length > 0);
  const links = (symbols: readonly ApiSymbol[]): string =>
    symbols.map((symbol) => `[\`${titleOf(symbol)}\`](${find(symbol.name) ?? ''})`).join(' · ');
  for (const { title, symbols } of shown) blocks.push(`**${title}**: ${links(symbols)}`);
  if (others.length > 0) blocks.push(`**Also exported here**: ${links(others)}`);
  for (const { title, symbols } of shown) {
    blocks.push(`## ${title}`, ...symbols.flatMap((symbol) => renderSymbol(symbol, find, own)));
  }
  if (mentioned.length > 0) {
    blocks.push('## Without a name of their own', 'Not exported; shown because the above is made of them.');
    blocks.push(...mentioned.flatMap((symbol) => renderSymbol(symbol, find, own)));
  }
  return `${blocks.join('\n\n')}\n`;
}

function renderSymbol(symbol: ApiSymbol, find: FindSection, all: readonly ApiSymbol[]): string[] {
  const { name, kind, doc, signatures, bases, members, values, mentions } = symbol;
  const blocks = [`### ${titleOf(symbol)}`];
  if (signatures.length > 0) blocks.push(codeBlock(signatures));
  if (doc !== '') blocks.push(renderDoc(doc, find));
  const composed = kind === 'class' && members.length === 0 ? basesOf(symbol, all, find) : [];
  if (composed.length > 0) blocks.push(...composed);
  else if (bases.length > 0)
    blocks.push(`Also has what these have: ${bases.map((base) => linkTo(base, find)).join(', ')}.`);
  if (values.length > 0) {
    blocks.push(
      values.map(({ text, doc: said }) => `- \`${text}\`${said === '' ? '' : `: ${renderDoc(said, find)}`}`).join('\n'),
    );
  }
  const properties = members.filter((member) => member.kind === 'property');
  if (properties.length > 0) blocks.push(properties.map((member) => renderProperty(member, find, '')).join('\n'));
  const owner = objectName(name);
  for (const member of members) {
    if (member.kind === 'property') continue;
    blocks.push(`#### ${headingOf(member, name, owner)}`, codeBlock(member.signatures));
    if (member.doc !== '') blocks.push(renderDoc(member.doc, find));
  }
  const seen = mentions.filter((mention) => find(mention) !== undefined && !bases.includes(mention));
  if (seen.length > 0) blocks.push(`Types: ${seen.map((mention) => linkTo(mention, find)).join(', ')}`);
  return blocks;
}

/** What a class that is only put together has, by where it comes from. */
function basesOf({ bases }: ApiSymbol, all: readonly ApiSymbol[], find: FindSection): string[] {
  const lines = bases.flatMap((base) => {
    const members = (all.find(({ name }) => name === base)?.members ?? []).filter(
      ({ name, kind, signatures }) =>
        kind !== 'constructor' && !name.startsWith('[') && !signatures.some((text) => text.startsWith('protected ')),
    );
    if (members.length === 0) return [];
    const names = members.map((member) => {
      if (member.kind === 'property') return `\`${member.name}\``;
      const title = headingOf(member, base, objectName(base));
      return `[\`${member.name}()\`](#${anchorOf(title)})`;
    });
    return [`- ${linkTo(base, find)}: ${names.join(', ')}`];
  });
  return lines.length === 0 ? [] : [lines.join('\n')];
}

function headingOf({ name, kind, isStatic }: ApiMember, type: string, owner: string): string {
  if (kind === 'constructor') return `new ${type}()`;
  if (name === '(call)') return `${owner}()`;
  if (name.startsWith('[')) return `${owner}${name}()`;
  return `${isStatic ? type : owner}.${name}()`;
}

function renderProperty({ isStatic, signatures, doc, members }: ApiMember, find: FindSection, indent: string): string {
  const [signature = ''] = signatures;
  const bare = signature.replace(/^readonly /, '');
  // What is optional may be `undefined`.
  const shown = /^[\w$]+\?:/.test(bare) ? bare.replace(/ \| undefined$/, '') : bare;
  const lines = [`${indent}- \`${isStatic ? 'static ' : ''}${shown}\``];
  if (doc !== '') lines.push(renderDoc(doc, find).replaceAll(/^(?=.)/gm, `${indent}  `));
  return [lines.join('\\\n'), ...members.map((member) => renderProperty(member, find, `${indent}  `))].join('\n');
}

function codeBlock(signatures: readonly string[]): string {
  return ['```ts', ...signatures.map(renderSignature), '```'].join('\n');
}

function linkTo(text: string, find: FindSection): string {
  const href = find(text.replace(/<.*$/s, ''));
  return href === undefined ? `\`${text}\`` : `[\`${text}\`](${href})`;
}
