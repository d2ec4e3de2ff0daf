import { types } from 'node:util';

/**
 * Puts an own property in front of what `target` has or inherits, as invisible as it can be.
 * Returns what takes it away again (never throws, and leaves alone what the host has put there since), or
 * `undefined` if the object does not allow it and is as it was.
 */
export function interceptProperty(target: object, key: PropertyKey, value: unknown): (() => void) | undefined {
  const before = Reflect.getOwnPropertyDescriptor(target, key);
  const descriptor =
    before === undefined || before.configurable === true
      ? { value, writable: true, enumerable: before?.enumerable ?? false, configurable: true }
      : { value };
  if (!Reflect.defineProperty(target, key, descriptor)) return undefined;
  const restore = (): void => {
    try {
      if (Reflect.getOwnPropertyDescriptor(target, key)?.value !== value) return;
      if (before === undefined) Reflect.deleteProperty(target, key);
      else Reflect.defineProperty(target, key, before);
    } catch {
      // A proxy that let the property in may refuse to let it go.
    }
  };
  // A proxy may accept the definition and go on answering reads itself.
  if (types.isProxy(target) && Reflect.get(target, key) !== value) {
    restore();
    return undefined;
  }
  return restore;
}
