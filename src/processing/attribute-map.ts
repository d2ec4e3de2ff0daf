import type { Attributes } from '@opentelemetry/api';
import { copyAttributeValue, MAX_KEY_LENGTH } from '../utils/attribute-value.ts';
import { recordKeys } from '../utils/record-keys.ts';
import { isCriticalAttribute } from './critical-attributes.ts';
import type { AttributeList, AttributeValue } from './ended-span.ts';

/** Above this many attributes keys are found through a map instead of by search. */
const SEARCH_LIMIT = 24;

/** Attributes while they are collected: kept once, in the order in which the keys were first set. */
export class AttributeMap implements AttributeList {
  keys: string[] = [];
  values: AttributeValue[] = [];
  droppedCount = 0;
  #positions: Map<string, number> | undefined;

  /**
   * Sets one attribute from a host's value. Empty and non-string keys and values that cannot be attributes are
   * ignored; a new key above `maxCount`, and one that is too long, is counted as dropped. A critical one takes the
   * place of the latest that is not, which is dropped and answered. Throws what the value itself throws when read.
   */
  set(key: unknown, value: unknown, maxCount: number, maxLength: number): string | undefined {
    if (typeof key !== 'string' || key === '' || value === undefined || value === null) return undefined;
    const position = this.#find(key);
    if (position < 0 && (this.keys.length >= maxCount || key.length > MAX_KEY_LENGTH)) {
      if (isCriticalAttribute(key)) return this.#setCritical(key, value, maxLength);
      if (typeof value !== 'function' && typeof value !== 'symbol') this.droppedCount += 1;
      return undefined;
    }
    const copy = copyAttributeValue(value, maxLength);
    if (copy === undefined) return undefined;
    if (position >= 0) {
      this.values[position] = copy;
      return undefined;
    }
    this.#positions?.set(key, this.keys.length);
    this.keys.push(key);
    this.values.push(copy);
    return undefined;
  }

  /** Sets each own enumerable property; one that throws when read is skipped and told to `failed`. */
  setAll(attributes: unknown, maxCount: number, maxLength: number, failed: (error: unknown) => void): void {
    let keys: string[];
    try {
      keys = recordKeys(attributes);
    } catch (error) {
      failed(error);
      return;
    }
    if (keys.length === 0) return;
    const values = readValues(attributes as object, keys.length);
    if (
      values !== undefined &&
      this.keys.length === 0 &&
      keys.length <= maxCount &&
      areSimple(keys, values, maxLength)
    ) {
      this.keys = keys;
      this.values = values as AttributeValue[];
      return;
    }
    for (let index = 0; index < keys.length; index += 1) {
      const key = keys[index] as string;
      try {
        this.set(key, values ? values[index] : (attributes as Record<string, unknown>)[key], maxCount, maxLength);
      } catch (error) {
        failed(error);
      }
    }
  }

  get(key: string): AttributeValue {
    const position = this.#find(key);
    return position < 0 ? undefined : this.values[position];
  }

  /** Sets the attributes, or those of some keys, on a plain object, and answers it. */
  copyTo(object: Attributes, keys: readonly string[] = this.keys): Attributes {
    for (const key of keys) {
      const position = this.#find(key);
      if (position < 0) continue;
      // Assigning `__proto__` would not set it.
      const value = this.values[position];
      Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
    }
    return object;
  }

  #setCritical(key: string, value: unknown, maxLength: number): string | undefined {
    const copy = copyAttributeValue(value, maxLength);
    if (copy === undefined) return undefined;
    this.droppedCount += 1;
    const position = this.keys.findLastIndex((present) => !isCriticalAttribute(present));
    const evicted = this.keys[position];
    if (evicted === undefined) return undefined;
    this.keys.splice(position, 1);
    this.values.splice(position, 1);
    this.#positions = undefined;
    this.keys.push(key);
    this.values.push(copy);
    return evicted;
  }

  #find(key: string): number {
    if (this.keys.length <= SEARCH_LIMIT) return this.keys.indexOf(key);
    this.#positions ??= new Map(this.keys.map((present, index) => [present, index]));
    return this.#positions.get(key) ?? -1;
  }
}

/** All values of an object at once, which is faster than one by one; `undefined` when one of them cannot be read. */
function readValues(attributes: object, count: number): unknown[] | undefined {
  try {
    const values: unknown[] = Object.values(attributes);
    // A getter may have removed properties.
    return values.length === count ? values : undefined;
  } catch {
    return undefined;
  }
}

/** Whether there is nothing to leave out, to cut or to copy. */
function areSimple(keys: readonly string[], values: readonly unknown[], maxLength: number): boolean {
  for (let index = 0; index < keys.length; index += 1) {
    const { length } = keys[index] as string;
    if (length === 0 || length > MAX_KEY_LENGTH) return false;
    const value = values[index];
    if (
      typeof value === 'string' ? value.length > maxLength : typeof value !== 'number' && typeof value !== 'boolean'
    ) {
      return false;
    }
  }
  return true;
}

/** Shared by the many spans without any; to be read only. */
export const NO_ATTRIBUTES = new AttributeMap();
Object.freeze(NO_ATTRIBUTES.keys);
Object.freeze(NO_ATTRIBUTES.values);
