import type { TraceFunction, TraceOptions } from './trace-function.ts';

/** Which methods of a class are wrapped, and how. */
export interface TraceClassOptions extends Omit<TraceOptions, 'name' | 'callback'> {
  /** Names of the methods to wrap, or a pattern for them. Default: all but those that languages and libraries call. */
  readonly include?: readonly string[] | RegExp | undefined;
  /** Names of methods to leave alone, or a pattern for them. Default: none. */
  readonly exclude?: readonly string[] | RegExp | undefined;
  /** What stands before the methods' names in the names of spans. Default: the name of the class. */
  readonly className?: string | undefined;
}

/** Called by the language and by libraries on objects of any class; wrapped only when `include` names them. */
const PROTOCOL: ReadonlySet<string> = new Set([
  'constructor',
  'then',
  'toJSON',
  'toString',
  'valueOf',
  'toLocaleString',
]);

/**
 * Wraps a class's own methods and static methods in place, each named `Class.method`, and answers the class. Inherited
 * methods, accessors, fields, `#private` and symbol-named ones stay as they are, and so does what cannot be changed.
 */
export function wrapClass<C>(target: C, trace: TraceFunction, options: TraceClassOptions): C {
  if (typeof target !== 'function') return target;
  const { include, exclude, className = target.name, ...spanOptions } = options;
  const wanted = (name: string): boolean =>
    (include === undefined ? !PROTOCOL.has(name) : matches(include, name)) &&
    name !== 'constructor' &&
    (exclude === undefined || !matches(exclude, name));
  const prototype: unknown = target.prototype;
  for (const owner of [prototype, target]) {
    if (owner === null || (typeof owner !== 'object' && typeof owner !== 'function')) continue;
    for (const name of Object.getOwnPropertyNames(owner)) {
      const descriptor = Reflect.getOwnPropertyDescriptor(owner, name);
      const method: unknown = descriptor?.value;
      if (descriptor === undefined || !isMethod(method) || !wanted(name)) continue;
      const wrapped = trace({ ...spanOptions, name: className === '' ? name : `${className}.${name}` }, method);
      Reflect.defineProperty(owner, name, { ...descriptor, value: wrapped });
    }
  }
  return target;
}

/** A method has no prototype that can be replaced; a class that is kept in a static field has one that cannot. */
function isMethod(value: unknown): value is (...args: never[]) => unknown {
  if (typeof value !== 'function') return false;
  return Object.getOwnPropertyDescriptor(value, 'prototype')?.writable !== false;
}

function matches(rule: readonly string[] | RegExp, name: string): boolean {
  if (Array.isArray(rule)) return rule.includes(name);
  const pattern = rule as RegExp;
  // Of a pattern with the flag "g" or "y" each test would begin where the last one ended.
  return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).test(name);
}
