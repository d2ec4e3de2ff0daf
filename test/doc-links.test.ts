import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { anchorsOf, findBrokenLinks, findUnreachable, linksOf, listPages } from '../scripts/doc-links.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const pages = listPages(root);

describe('the links of the documentation', () => {
  it('lead to files and headings that exist', () => {
    expect(findBrokenLinks(root, pages)).toEqual([]);
  });

  it('lead from the README to every page', () => {
    expect(findUnreachable(root, pages, 'README.md')).toEqual([]);
  });

  it('lead from the index of docs to every page of it', () => {
    const inDocs = pages.filter((page) => page.startsWith('docs/'));
    expect(findUnreachable(root, inDocs, 'docs/README.md')).toEqual([]);
  });

  it('are found in text, tags and tables, and not in code', () => {
    const page = '[a](b.md#c) `[no](no.md)` [`d`](e.md) ![p](q.png "title")\n```ts\nx[0](y)\n```\n<img src="r.svg">';
    expect(linksOf(page)).toEqual(['b.md#c', 'e.md', 'q.png', 'r.svg']);
  });

  it('name headings as GitHub does', () => {
    const page = '# The `way` of a span\n## `tracer.run()`\n```sh\n# no heading\n```\n## A & B\n## A & B\n';
    expect([...anchorsOf(page)]).toEqual(['the-way-of-a-span', 'tracerrun', 'a--b', 'a--b-1']);
  });
});
