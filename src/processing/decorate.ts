/** Any function, whatever its `this` and parameters. */
export type AnyFunction = (this: never, ...args: never[]) => unknown;

const kinds: ReadonlySet<unknown> = new Set(['class', 'method', 'getter', 'setter', 'field', 'accessor']);

/**
 * Whether these are the arguments of a decorator call: of a standard (TC39) decorator, `(value, context)`, or of
 * a legacy TypeScript one on a member or parameter, `(target, key, descriptor | index | undefined)`. A legacy
 * class decorator's one argument cannot be told from a function to wrap.
 */
export function isDecoratorCall(args: readonly unknown[]): boolean {
  if (args.length === 2) return isDecoratorContext(args[1]);
  return args.length === 3 && isLegacyCall(args[0], args[1], args[2]);
}

/**
 * What a decorator must return for a call that {@link isDecoratorCall} recognises: the wrapped method, or a copy
 * of the legacy descriptor with it. `undefined`, which leaves the member as it is, for anything but a method.
 *
 * @param wrap gets the method and its name (`#private` and `[symbol]` names as the language prints them)
 */
export function applyTraceDecorator(
  target: unknown,
  contextOrKey: unknown,
  descriptor: unknown,
  wrap: (method: AnyFunction, name: string) => AnyFunction,
): AnyFunction | PropertyDescriptor | undefined {
  if (isDecoratorContext(contextOrKey)) {
    if (contextOrKey.kind !== 'method' || !isFunction(target)) return undefined;
    return wrap(target, memberName(contextOrKey.name));
  }
  if (!isLegacyCall(target, contextOrKey, descriptor) || !isObject(descriptor)) return undefined;
  const { value } = descriptor as PropertyDescriptor;
  if (!isFunction(value)) return undefined;
  return { ...descriptor, value: wrap(value, memberName(contextOrKey)) };
}

interface MemberContext {
  readonly kind: string;
  readonly name: unknown;
}

function isDecoratorContext(value: unknown): value is MemberContext {
  if (!isObject(value)) return false;
  const { kind, name, addInitializer } = value as Record<string, unknown>;
  return kinds.has(kind) && isName(name, kind) && isFunction(addInitializer);
}

/** Only an anonymous class has no name. */
function isName(name: unknown, kind: unknown): boolean {
  return typeof name === 'string' || typeof name === 'symbol' || (kind === 'class' && name === undefined);
}

function isLegacyCall(target: unknown, key: unknown, descriptor: unknown): boolean {
  if (!isObject(target) && !isFunction(target)) return false;
  // The index is a parameter's, whose key is undefined in a constructor.
  if (typeof descriptor === 'number') return key === undefined || typeof key === 'string' || typeof key === 'symbol';
  return (typeof key === 'string' || typeof key === 'symbol') && (descriptor === undefined || isDescriptor(descriptor));
}

function isDescriptor(value: unknown): boolean {
  // Babel's legacy fields come with an `initializer`.
  return isObject(value) && ('value' in value || 'get' in value || 'set' in value || 'initializer' in value);
}

function memberName(name: unknown): string {
  return typeof name === 'symbol' ? `[${name.description ?? ''}]` : String(name);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isFunction(value: unknown): value is AnyFunction {
  return typeof value === 'function';
}
