import type { ScopeRecord, TelemetryAttributes, TelemetryOrigin, TelemetryValue } from './telemetry-model.ts';

/** Records of one instrumentation scope. */
interface ScopeGroup<T> {
  readonly scope: object;
  readonly records: readonly T[];
}

/** Records by their resource and scope, those as OTLP has them in JSON. */
export function groupByOrigin<T extends TelemetryOrigin>(
  records: readonly T[],
): { readonly resource: object; readonly scopes: readonly ScopeGroup<T>[] }[] {
  return [...groupBy(records, ({ resource }) => resource)].map(([resource, ofResource]) => ({
    resource: { attributes: toKeyValues(resource) },
    scopes: [...groupBy(ofResource, ({ scope }) => scope)].map(([scope, ofScope]) => ({
      scope: toScope(scope),
      records: ofScope,
    })),
  }));
}

/** Keys that say the same are one key. */
export function groupBy<T, K>(records: readonly T[], keyOf: (record: T) => K): Map<K, T[]> {
  const groups = new Map<string, { readonly key: K; readonly records: T[] }>();
  // Most records share the very object with the one before.
  let last: { readonly key: K; readonly records: T[] } | undefined;
  for (const record of records) {
    const key = keyOf(record);
    if (last?.key !== key) {
      const text = JSON.stringify(key, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
      last = groups.get(text) ?? { key, records: [] };
      groups.set(text, last);
    }
    last.records.push(record);
  }
  return new Map([...groups.values()].map((group) => [group.key, group.records]));
}

export function toKeyValues(attributes: TelemetryAttributes): { key: string; value: unknown }[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: toAnyValue(value) }));
}

/** As deep as values are when they come in: `MAX_NESTED_MESSAGES` bounds the recursion. */
export function toAnyValue(value: TelemetryValue): Record<string, unknown> {
  switch (typeof value) {
    case 'string':
      return { stringValue: value };
    case 'boolean':
      return { boolValue: value };
    case 'bigint':
      return { intValue: String(value) };
    case 'number':
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) return { intValue: String(value) };
      return { doubleValue: toDouble(value) };
    default:
      if (value === null) return {};
      if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString('base64') };
      if (Array.isArray(value)) return { arrayValue: { values: value.map(toAnyValue) } };
      return { kvlistValue: { values: toKeyValues(value as TelemetryAttributes) } };
  }
}

/** Numbers that JSON does not have are texts in OTLP/JSON. */
export function toDouble(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function toScope({ name, version, attributes }: ScopeRecord): object {
  return { name, version, attributes: toKeyValues(attributes) };
}
