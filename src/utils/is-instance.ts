/** `instanceof`, for which a Proxy may throw. */
export function isInstance<T>(value: unknown, type: { readonly prototype: T }): value is T {
  try {
    return value instanceof (type as unknown as abstract new () => T);
  } catch {
    return false;
  }
}
