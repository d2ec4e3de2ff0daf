import { pathToFileURL } from 'node:url';

/** What a module of the user's exports. The only place that imports what it does not know. */
export async function loadModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  return (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
}
