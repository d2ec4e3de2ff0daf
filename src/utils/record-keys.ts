import { types } from 'node:util';

/**
 * The own enumerable keys of a host's object. None for what only has elements: those of a long string or a large array
 * would each become a key of their own. Throws what the value throws when it is looked at.
 */
export function recordKeys(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const hasElements = Array.isArray(value) || ArrayBuffer.isView(value) || types.isStringObject(value);
  return hasElements ? [] : Object.keys(value);
}

/** The own enumerable properties of a host's object, up to `maxCount`. Throws what the value throws when it is read. */
export function copyRecord(value: unknown, maxCount: number): Record<string, unknown> {
  const copy: Record<string, unknown> = Object.create(null);
  for (const key of recordKeys(value).slice(0, maxCount)) copy[key] = (value as Record<string, unknown>)[key];
  return copy;
}
