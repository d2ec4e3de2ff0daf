import { printBigInt } from '../utils/cut-string.ts';

const MAX_TYPE_LENGTH = 128;

/**
 * The attributes of an `exception` event (OpenTelemetry semantic conventions, exceptions on spans) for any thrown
 * value, or `undefined` when there is nothing to tell. Reading the value never throws: a property that cannot be
 * read is left out.
 */
export function exceptionAttributes(exception: unknown): Record<string, string> | undefined {
  if (exception === undefined || exception === null) return undefined;
  const attributes: Record<string, string> = {};
  if (typeof exception === 'object' || typeof exception === 'function') {
    put(attributes, 'exception.type', read(exception, 'code') || read(exception, 'name'));
    put(attributes, 'exception.message', read(exception, 'message'));
    put(attributes, 'exception.stacktrace', read(exception, 'stack'));
  } else {
    put(attributes, 'exception.message', print(exception));
  }
  return 'exception.type' in attributes || 'exception.message' in attributes ? attributes : undefined;
}

/** The message of an error for a span's status; empty when it has none. Never throws. */
export function errorMessage(error: unknown): string {
  if (error === undefined || error === null) return '';
  return typeof error === 'object' || typeof error === 'function' ? (read(error, 'message') ?? '') : print(error);
}

/**
 * `error.type`: the name of an error's class, which tells errors apart without saying anything of one call; none for
 * `undefined`. Never throws.
 */
export function errorType(error: unknown): string | undefined {
  try {
    if (typeof error !== 'object' || error === null) return error === undefined ? undefined : typeof error;
    const name: unknown = (error as { name?: unknown }).name ?? error.constructor?.name;
    return typeof name === 'string' && name !== '' ? name.slice(0, MAX_TYPE_LENGTH) : '_OTHER';
  } catch {
    return '_OTHER';
  }
}

function print(primitive: unknown): string {
  return typeof primitive === 'bigint' ? printBigInt(primitive) : String(primitive);
}

function put(attributes: Record<string, string>, key: string, value: string | undefined): void {
  if (value !== undefined && value !== '') attributes[key] = value;
}

function read(source: object, key: string): string | undefined {
  try {
    const value: unknown = Reflect.get(source, key);
    if (typeof value === 'string') return value;
    // No error has the code 0.
    return typeof value === 'number' && value !== 0 ? value.toString() : undefined;
  } catch {
    return undefined;
  }
}
