import { copyAttributeValue, MAX_KEY_LENGTH } from '../utils/attribute-value.ts';
import { cutString } from '../utils/cut-string.ts';
import { recordKeys } from '../utils/record-keys.ts';
import type { AttributeList, AttributeValue } from './ended-span.ts';

/** Longer values are cut: an attribute of a metric is a label, of which each value is a series. */
const MAX_VALUE_LENGTH = 1_024;
/** Longest list or object, as JSON; others are left out. */
const MAX_NESTED_LENGTH = 4_096;
/** Attributes of one point; the others are left out. */
const MAX_ATTRIBUTES = 64;

export const NO_ATTRIBUTES: AttributeList = Object.freeze({ keys: [], values: [] });
/** What all attribute sets beyond the limit share (OpenTelemetry specification, "Overflow attribute"). */
export const OVERFLOW_ATTRIBUTES: AttributeList = Object.freeze({ keys: ['otel.metric.overflow'], values: [true] });

/**
 * A text that is the same for the same attributes in any order, and different for others: each part says how long it
 * is. May throw what the host's getters throw.
 *
 * @param allowed the keys that count; all when absent
 */
export function attributesKey(attributes: object, allowed: ReadonlySet<string> | undefined): string {
  const keys = sortedKeys(attributes, allowed);
  let text = '';
  for (const key of keys) {
    const value = (attributes as Record<string, unknown>)[key];
    if (typeof value === 'string') {
      const shown = value.length > MAX_VALUE_LENGTH ? cutString(value, MAX_VALUE_LENGTH) : value;
      text += `${key.length}:${key}s${shown.length}:${shown}`;
    } else if (typeof value === 'number') text += `${key.length}:${key}n${value};`;
    else if (typeof value === 'boolean') text += value ? `${key.length}:${key}t` : `${key.length}:${key}f`;
    else text += otherPart(key, value);
  }
  return text;
}

/** A copy that nothing the host does later changes, sorted by key. May throw what the host's getters throw. */
export function copyAttributes(attributes: object, allowed: ReadonlySet<string> | undefined): AttributeList {
  const keys: string[] = [];
  const values: AttributeValue[] = [];
  for (const key of sortedKeys(attributes, allowed)) {
    const value = copyValue((attributes as Record<string, unknown>)[key]);
    if (value === undefined) continue;
    keys.push(key);
    values.push(value);
  }
  // What `push` has filled has room for more.
  return { keys: keys.slice(), values: values.slice() };
}

function otherPart(key: string, value: unknown): string {
  const copy = copyValue(value);
  if (copy === undefined) return '';
  const shown = JSON.stringify(copy);
  return `${key.length}:${key}j${shown.length}:${shown}`;
}

/** Metrics have no null values: a label that is not there. Nor has a label the size of a document. */
function copyValue(value: unknown): AttributeValue {
  const copy = copyAttributeValue(value, MAX_VALUE_LENGTH);
  if (typeof copy !== 'object') return copy;
  return copy === null || JSON.stringify(copy).length > MAX_NESTED_LENGTH ? undefined : copy;
}

function sortedKeys(attributes: object, allowed: ReadonlySet<string> | undefined): string[] {
  let keys = recordKeys(attributes);
  if (allowed !== undefined) keys = keys.filter((key) => allowed.has(key));
  // A few keys, mostly in order: faster than the native sort.
  for (let index = 1; index < keys.length && index < MAX_ATTRIBUTES; index++) {
    const key = keys[index] as string;
    let position = index;
    while (position > 0 && (keys[position - 1] as string) > key) {
      keys[position] = keys[position - 1] as string;
      position -= 1;
    }
    keys[position] = key;
  }
  if (keys.length > MAX_ATTRIBUTES) keys.length = MAX_ATTRIBUTES;
  return isClean(keys) ? keys : keys.filter((key) => key !== '' && key.length <= MAX_KEY_LENGTH);
}

function isClean(keys: readonly string[]): boolean {
  for (const key of keys) if (key === '' || key.length > MAX_KEY_LENGTH) return false;
  return true;
}
