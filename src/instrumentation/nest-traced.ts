import type { TraceDecorator, TraceOptions } from '../processing/trace-function.ts';
import { traced } from './traced.ts';

/** The part of `reflect-metadata`, which Nest brings, that decorators keep their notes with. */
interface Metadata {
  getOwnMetadataKeys?(target: object): unknown[];
  getOwnMetadata?(key: unknown, target: object): unknown;
  defineMetadata?(key: unknown, value: unknown, target: object): void;
}

/**
 * Decorates methods of controllers and providers: each call is a span of the tenant that it runs for, named
 * `Class.method` unless a name is given. What other decorators noted about the method stays noted, in whichever order
 * they stand.
 */
export function Traced(nameOrOptions?: string | TraceOptions): TraceDecorator {
  const decorate = (target: unknown, contextOrKey: unknown, descriptor?: PropertyDescriptor): unknown => {
    const options = typeof nameOrOptions === 'string' ? { name: nameOrOptions } : nameOrOptions;
    const name = options?.name ?? memberName(target, contextOrKey);
    const decorator = traced({ ...options, ...(name !== undefined && { name }) }) as (...args: unknown[]) => unknown;
    const decorated =
      descriptor === undefined ? decorator(target, contextOrKey) : decorator(target, contextOrKey, descriptor);
    copyMetadata(descriptor?.value, (decorated as PropertyDescriptor | undefined)?.value);
    return decorated;
  };
  return decorate as TraceDecorator;
}

/** A standard decorator does not know the class. */
function memberName(target: unknown, key: unknown): string | undefined {
  if (typeof key !== 'string' || target === null || target === undefined) return undefined;
  const owner = typeof target === 'function' ? target : (target as object).constructor;
  return `${owner.name}.${key}`;
}

function copyMetadata(from: unknown, to: unknown): void {
  const { getOwnMetadataKeys, getOwnMetadata, defineMetadata } = Reflect as Metadata;
  if (typeof from !== 'function' || typeof to !== 'function') return;
  for (const key of getOwnMetadataKeys?.(from) ?? []) defineMetadata?.(key, getOwnMetadata?.(key, from), to);
}
