/** What is left of a type in JSON: 64-bit integers are texts, bytes base64. */
export type Plain<T> = T extends bigint | Uint8Array
  ? string
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends readonly (infer Item)[]
      ? number extends T['length']
        ? readonly Plain<Item>[]
        : { readonly [K in keyof T]: Plain<T[K]> }
      : { readonly [K in keyof T]: Plain<T[K]> };

/**
 * A value as the dashboard's API would send it: 64-bit integers and numbers that JSON does not have as texts, bytes as
 * base64, nothing that is undefined. Objects have no prototype: any key is just a key.
 */
export function toPlain<T>(value: T): Plain<T> {
  return copy(value) as Plain<T>;
}

function copy(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(copy);
  const plain: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [key, inner] of Object.entries(value)) if (inner !== undefined) plain[key] = copy(inner);
  return plain;
}
