import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { expect, it } from 'vitest';

/** What a module loads at run time, with all that this loads; types leave nothing behind. */
function loadedBy(file: URL, loaded = new Set<string>()): ReadonlySet<string> {
  if (loaded.has(file.href)) return loaded;
  loaded.add(file.href);
  const source = readFileSync(file, 'utf8');
  const statements = source.matchAll(/^(?:import|export)(?! type\b)[^;]*?from '([^']+)';|\bimport\('([^']+)'\)/gms);
  for (const [, from = '', dynamic = ''] of statements) {
    const specifier = from || dynamic;
    if (specifier.startsWith('.')) loadedBy(new URL(specifier, file), loaded);
    else loaded.add(specifier);
  }
  return loaded;
}

it("the commands' client loads no package, so that a worker or plugin needs no OpenTelemetry", () => {
  const entry = (name: string): URL => new URL(`../../../src/${name}.ts`, import.meta.url);
  const packages = (name: string): string[] =>
    [...loadedBy(entry(name))].filter((specifier) => !specifier.startsWith('file:') && !isBuiltin(specifier));
  expect(packages('commands-client')).toEqual([]);
  expect(packages('commands')).toContain('@opentelemetry/api');
});
