/** Gathers the schemas that have a name, for `components` of the description. */
export type SchemaComponents = Map<string, object>;

/**
 * What an answer holds, as JSON Schema 2020-12. Its type parameter is the type of the value before it is written, so that
 * the compiler holds a schema and the function that gives the answer together.
 */
export interface Schema<T> {
  describe(components: SchemaComponents): object;
  /** Only for the compiler. */
  readonly of?: T;
}

/** A field that may be absent. */
export interface OptionalSchema<T> {
  readonly optional: Schema<T>;
}

/** A schema for each field, and none that the type does not have. */
export type FieldSchemas<T> = {
  readonly [K in keyof Required<T>]: undefined extends T[K] ? OptionalSchema<NonNullable<T[K]>> : Schema<T[K]>;
};

function plain<T>(schema: object): Schema<T> {
  return { describe: () => schema };
}

export const text = plain<string>({ type: 'string' });
export const bool = plain<boolean>({ type: 'boolean' });
export const count = plain<number>({ type: 'integer', minimum: 0 });
export const integer = plain<number>({ type: 'integer' });
/** Numbers that JSON does not have are written as text. */
export const real = plain<number>({ anyOf: [{ type: 'number' }, { enum: ['NaN', 'Infinity', '-Infinity'] }] });
/** A 64-bit integer, as text. */
export const int64 = plain<bigint>({ type: 'string', pattern: '^-?\\d+$' });
/** An object that is described elsewhere. */
export const anyObject = plain<object>({ type: 'object' });
/** Any value of JSON. */
export const anything = plain<unknown>({});

export function oneOf<const T extends string>(values: readonly T[]): Schema<T> {
  return plain({ type: 'string', enum: values });
}

export function list<T>(items: Schema<T>): Schema<readonly T[]> {
  return { describe: (components) => ({ type: 'array', items: items.describe(components) }) };
}

/** An object whose keys are data. */
export function record<T extends object>(values: Schema<T[keyof T]>): Schema<T> {
  return { describe: (components) => ({ type: 'object', additionalProperties: values.describe(components) }) };
}

export function pair<A, B>(first: Schema<A>, second: Schema<B>): Schema<readonly [A, B]> {
  return {
    describe: (components) => ({
      ...{ type: 'array', minItems: 2, maxItems: 2 },
      prefixItems: [first.describe(components), second.describe(components)],
    }),
  };
}

export function either<A, B>(first: Schema<A>, second: Schema<B>): Schema<A | B> {
  return { describe: (components) => ({ anyOf: [first.describe(components), second.describe(components)] }) };
}

export function optional<T>(schema: Schema<T>): OptionalSchema<T> {
  return { optional: schema };
}

/** An object with these fields and no others; with a name it is described once. */
export function object<T extends object>(name: string, fields: FieldSchemas<T>): Schema<T> {
  return {
    describe(components) {
      if (!components.has(name)) {
        // First, so that one that holds itself ends here.
        const schema: Record<string, unknown> = {};
        components.set(name, schema);
        Object.assign(schema, describeFields(fields as Readonly<Record<string, AnyField>>, components));
      }
      return { $ref: `#/components/schemas/${name}` };
    },
  };
}

type AnyField = Schema<unknown> | OptionalSchema<unknown>;

function describeFields(fields: Readonly<Record<string, AnyField>>, components: SchemaComponents): object {
  const entries = Object.entries(fields);
  const schemaOf = (field: AnyField): Schema<unknown> => ('optional' in field ? field.optional : field);
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, field]) => [name, schemaOf(field).describe(components)])),
    required: entries.filter(([, field]) => !('optional' in field)).map(([name]) => name),
    additionalProperties: false,
  };
}
