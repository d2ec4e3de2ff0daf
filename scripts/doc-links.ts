import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

export interface DocLink {
  /** The page that has it, from the root of the project. */
  readonly page: string;
  readonly href: string;
}

/** The pages that readers see on GitHub, from the root of the project. */
export function listPages(root: string): string[] {
  const below = readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file.replaceAll('\\', '/')}`);
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', ...below.sort()];
}

/** Links and pictures of a page, in order; those in code are none. */
export function linksOf(markdown: string): string[] {
  const text = withoutCode(markdown);
  const inline = [...text.matchAll(/\]\(<?([^()\s>]+(?:\([^()\s]*\))?)>?(?:\s+"[^"]*")?\)/g)];
  const tags = [...text.matchAll(/\b(?:src|srcset|href)="([^"]+)"/g)];
  const references = [...text.matchAll(/^\[[^\]]+\]:\s+(\S+)/gm)];
  return [...inline, ...tags, ...references].map(([, href = '']) => href);
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  const seen = new Map<string, number>();
  for (const [, title = ''] of withoutFences(markdown).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const anchor = title
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    anchors.add(count === 0 ? anchor : `${anchor}-${count}`);
  }
  for (const [, id = ''] of markdown.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

/** Links inside the project that lead nowhere: no such file, or no such heading in it. */
export function findBrokenLinks(root: string, pages: readonly string[]): DocLink[] {
  const read = (page: string): string => readFileSync(path.join(root, page), 'utf8');
  const known = new Map<string, ReadonlySet<string>>();
  const anchors = (page: string): ReadonlySet<string> => {
    const found = known.get(page) ?? anchorsOf(read(page));
    known.set(page, found);
    return found;
  };
  return pages.flatMap((page) =>
    linksOf(read(page))
      .filter((href) => !/^[a-z]+:/i.test(href) && !leadsSomewhere(root, page, href, anchors))
      .map((href) => ({ page, href })),
  );
}

function leadsSomewhere(
  root: string,
  page: string,
  href: string,
  anchors: (page: string) => ReadonlySet<string>,
): boolean {
  const [file = '', anchor] = href.split('#');
  const target = file === '' ? page : path.posix.join(path.posix.dirname(page), decodeURI(file));
  if (target.startsWith('..')) return false;
  const found = statSync(path.join(root, target), { throwIfNoEntry: false });
  if (found === undefined) return false;
  return anchor === undefined || (target.endsWith('.md') && anchors(target).has(anchor));
}

/** Pages of `docs` that no chain of links from the first page leads to. */
export function findUnreachable(root: string, pages: readonly string[], first: string): string[] {
  const reached = new Set([first]);
  for (const page of reached) {
    for (const href of linksOf(readFileSync(path.join(root, page), 'utf8'))) {
      const [file = ''] = href.split('#');
      if (/^[a-z]+:/i.test(href) || file === '') continue;
      const target = path.posix.join(path.posix.dirname(page), decodeURI(file));
      if (pages.includes(target)) reached.add(target);
    }
  }
  return pages.filter((page) => !reached.has(page));
}

function withoutFences(markdown: string): string {
  return markdown.replaceAll(/^(```+|~~~+)[^\n]*\n.*?^\1[ \t]*$/gms, '');
}

function withoutCode(markdown: string): string {
  // Code in the text of a link is text; the link stays.
  return withoutFences(markdown).replaceAll(/(`+)(?!`).+?(?<!`)\1(?!`)/gs, 'code');
}
