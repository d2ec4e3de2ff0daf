import { PROMISES } from '../test/faults/promises.ts';
import type { Product } from './orders.ts';
import { type Outcome, PATIENCE_MILLIS } from './run.ts';
import { SCENARIOS } from './scenarios.ts';

export type Outcomes = ReadonlyMap<string, Readonly<Partial<Record<Product, Outcome>>>>;

/** The document with a new text between the markers of a block. */
export function replaceBlock(document: string, block: string, text: string): string {
  const [begin, end] = [`<!-- ${block}:begin -->`, `<!-- ${block}:end -->`];
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the document has no block ${block}`);
  return `${document.slice(0, from + begin.length)}\n${text}\n${document.slice(to)}`;
}

/** What is promised for each fault, and the gaps. */
export function promisesTable(): string {
  const rows = PROMISES.map(({ fault, promise, tests, gap }) => {
    const count = Object.values(tests).reduce((sum, titles) => sum + titles.length, 0);
    return `| ${fault} | ${promise} | ${[count > 0 ? `${count}` : '', gap ? `not yet: ${gap}` : ''].filter(Boolean).join('; ')} |`;
  });
  return ['| fault | promise | tests |', '|---|---|---|', ...rows].join('\n');
}

/** What became of the scenarios, stock SDK beside isotrace. */
export function faultTable(outcomes: Outcomes): string {
  const rows = SCENARIOS.map(({ id, title }) => {
    const { stock, isotrace } = outcomes.get(id) ?? {};
    return `| ${id} | ${title} | ${cells(stock)} | ${cells(isotrace)} |`;
  });
  const columns = 'delivered | again | requests | end | errors';
  const head = `| | fault | stock: ${columns} | isotrace: ${columns} |`;
  return [head, `|---|---|${'---:|'.repeat(10)}`, ...rows].join('\n');
}

function cells(outcome: Outcome | undefined): string {
  if (outcome === undefined) return '– | – | – | – | –';
  const { spans, delivered, duplicates, requests, connections, endMillis, errors, counted } = outcome;
  const count = (value: number): string => value.toLocaleString('en');
  const lost = spans - delivered;
  const note = lost > 0 && counted !== undefined ? ` (${count(counted)} counted)` : '';
  const sockets = connections > 8 ? ` on ${connections} connections` : '';
  const end = endMillis === undefined ? `> ${PATIENCE_MILLIS / 1_000} s` : `${(endMillis / 1_000).toFixed(1)} s`;
  return `${count(delivered)} of ${count(spans)}${note} | ${count(duplicates)} | ${count(requests)}${sockets} | ${end} | ${errors}`;
}
