import type { Redaction } from '../processing/redaction.ts';
import { serializeValue } from '../processing/serialize-value.ts';
import type { AttributeValue } from '../utils/attribute-value.ts';
import type { Clock } from '../utils/clock.ts';

type Fields = Readonly<Record<string, unknown>>;

const LIMITS = { maxBytes: 1_048_576, maxCount: 20_000, maxMillis: 200 };

/**
 * What may be shown of what is said about a session, with the keys under which a span would have it: `metadata` with
 * `plan` is judged as `honeyhive_metadata.plan`. Without a redaction it is what was given.
 */
export function redactFields(fields: Fields, redaction: Redaction | undefined, clock: Clock): Fields {
  if (redaction === undefined) return fields;
  const shown: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(fields)) {
    const plain = JSON.parse(serializeValue(value, LIMITS, clock)) as AttributeValue;
    const isRecord = typeof plain === 'object' && plain !== null && !Array.isArray(plain);
    const prefix = isRecord ? `honeyhive_${field}.` : '';
    const entries = isRecord ? Object.entries(plain) : [[`honeyhive.${field}`, plain] as const];
    const { keys, values } = redaction.attributes({
      keys: entries.map(([key]) => `${prefix}${key}`),
      values: entries.map(([, item]) => item as AttributeValue),
    });
    if (!isRecord) {
      if (keys.length > 0) shown[field] = values[0];
      continue;
    }
    shown[field] = Object.fromEntries(keys.map((key, index) => [key.slice(prefix.length), values[index]]));
  }
  return shown;
}
