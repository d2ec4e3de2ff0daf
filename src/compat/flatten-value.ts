import type { AttributeValue } from '@opentelemetry/api';
import { serializeValue } from '../processing/serialize-value.ts';

const MAX_DEPTH = 8;
const MAX_ATTRIBUTES = 256;
const MAX_ELEMENTS = 1_024;
const DEEP_BYTES = 8_192;

/**
 * The attributes that HoneyHive makes of a value (typescript-sdk, `setSpanAttributes`): one for each leaf of objects and
 * arrays, under dotted keys. Other than theirs it ends: cycles and what is deeper than 8 levels become JSON, and there are
 * 256 attributes at most. What throws when it is read is left out. Never throws.
 */
export function flattenValue(prefix: string, value: unknown): Record<string, AttributeValue> {
  const found: Record<string, AttributeValue> = Object.create(null);
  let left = MAX_ATTRIBUTES;
  const put = (key: string, leaf: AttributeValue): void => {
    if (left > 0) found[key] = leaf;
    left -= 1;
  };
  const add = (key: string, current: unknown, ancestors: readonly object[]): void => {
    if (left <= 0) return;
    if (typeof current !== 'object' || current === null) {
      put(key, leafOf(current));
      return;
    }
    if (current instanceof Date || current instanceof Error || ArrayBuffer.isView(current)) {
      put(key, textOf(current));
    } else if (ancestors.length >= MAX_DEPTH || ancestors.includes(current)) {
      put(key, serializeValue(current, { maxBytes: DEEP_BYTES }));
    } else {
      const inside = [...ancestors, current];
      for (const part of Object.keys(current).slice(0, MAX_ELEMENTS)) {
        attempt(() => add(`${key}.${part}`, (current as Record<string, unknown>)[part], inside));
      }
    }
  };
  attempt(() => add(prefix, value, []));
  return found;
}

function leafOf(value: unknown): AttributeValue {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'function') return value.name || 'anonymous';
  return String(value);
}

function textOf(value: Date | Error | ArrayBufferView): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  return value instanceof Error ? String(value) : `${value.byteLength} bytes`;
}

function attempt(add: () => void): void {
  try {
    add();
  } catch {
    // A value that cannot be looked at.
  }
}
