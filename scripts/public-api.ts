import { parseSync } from 'oxc-parser';

/**
 * Lists what an entry of the package exports, one line a name: the kind of each value with the public methods of
 * each class, as they are at run time, and the names of the types, as the entry's source exports them.
 */
export function listPublicApi(entry: string, source: string, module: Readonly<Record<string, unknown>>): string {
  const values = Object.keys(module).map((name) => `${name}: ${describeValue(module[name])}`);
  const types = typeExports(source).map((name) => `type ${name}`);
  return [`# ${entry}`, ...values.sort(), ...types.sort(), ''].join('\n');
}

function typeExports(source: string): string[] {
  const exported = parseSync('entry.ts', source).module.staticExports.flatMap(({ entries }) => entries);
  return exported.flatMap(({ isType, exportName }) => (isType && exportName.name !== null ? [exportName.name] : []));
}

function describeValue(value: unknown): string {
  if (typeof value !== 'function') return typeof value;
  // The prototype of a class is the one that cannot be replaced.
  if (Object.getOwnPropertyDescriptor(value, 'prototype')?.writable !== false) return `function/${value.length}`;
  return `class { ${[...methodsOf(value.prototype)].sort().join(', ')} }`;
}

function methodsOf(prototype: object): Set<string> {
  const names = new Set<string>();
  let current: object | null = prototype;
  while (current !== null && current !== Object.prototype && current !== Error.prototype) {
    for (const key of Reflect.ownKeys(current)) {
      if (key !== 'constructor') names.add(typeof key === 'symbol' ? nameOfSymbol(key) : key);
    }
    current = Object.getPrototypeOf(current) as object | null;
  }
  return names;
}

/** Node 20 calls its own disposal symbols `nodejs.dispose`; later ones have `Symbol.dispose`. */
function nameOfSymbol(symbol: symbol): string {
  return `[${symbol.description?.replace(/^nodejs\./, 'Symbol.')}]`;
}
