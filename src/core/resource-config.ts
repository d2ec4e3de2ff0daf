import type { Attributes, AttributeValue } from '@opentelemetry/api';
import { text } from '../utils/option-checks.ts';
import {
  defineGroup,
  elementsOf,
  type IssueLog,
  isOptionsObject,
  type OptionReader,
  readGroup,
} from '../utils/option-reader.ts';
import { describeKind, maskKey } from '../utils/secret.ts';
import type { ServiceSettings, TracerDefaults } from './settings.ts';

const NAME = text(255);
const SERVICE = defineGroup<ServiceSettings>({ name: NAME, version: NAME, namespace: NAME, instanceId: NAME });

/** Attributes that are options of their own: an attribute given next to the option gives way to it. */
const SERVICE_ATTRIBUTES: Readonly<Record<string, keyof ServiceSettings>> = {
  'service.name': 'name',
  'service.version': 'version',
  'service.namespace': 'namespace',
  'service.instance.id': 'instanceId',
};
const NAMED_ATTRIBUTES = [...Object.keys(SERVICE_ATTRIBUTES), 'deployment.environment.name'];

const MAX_ATTRIBUTES = 256;
const MAX_KEY_LENGTH = 256;
const MAX_TEXT_LENGTH = 8_192;
const MAX_ELEMENTS = 1_024;
const ACCEPTED = `a string of up to ${MAX_TEXT_LENGTH} characters, a number, a boolean or an array of one of them`;

type ResourceDefaults = Pick<TracerDefaults, 'service' | 'environment' | 'attributes'>;

/** The options that make the resource, over `base`. */
export function readResource(reader: OptionReader, base: ResourceDefaults): ResourceDefaults {
  const own = readAttributes(reader.get('attributes'), reader);
  const named = own === undefined ? base : liftNamed(own, base, reader);
  return {
    service: readGroup(reader, 'service', SERVICE, named.service),
    environment: reader.read('environment', NAME) ?? named.environment,
    attributes:
      own === undefined ? base.attributes : Object.freeze(Object.assign(Object.create(null), base.attributes, own)),
  };
}

/** Moves the attributes that are options of their own out of `own`, so that precedence is the same for both spellings. */
function liftNamed(own: Attributes, base: ResourceDefaults, reader: OptionReader): ResourceDefaults {
  let { service, environment } = base;
  for (const attribute of NAMED_ATTRIBUTES) {
    const value = own[attribute];
    if (value === undefined) continue;
    delete own[attribute];
    const name = NAME.parse(value);
    const option = SERVICE_ATTRIBUTES[attribute];
    if (name === undefined) reader.issues.add(pathOf(reader, attribute), NAME.accepted, describeKind(value));
    else if (option === undefined) environment = name;
    else service = Object.freeze({ ...service, [option]: name });
  }
  return { service, environment, attributes: base.attributes };
}

function readAttributes(raw: unknown, reader: OptionReader): Attributes | undefined {
  if (raw === undefined) return undefined;
  const { issues } = reader;
  const path = reader.pathOf('attributes');
  const keys = keysOf(raw);
  if (keys === undefined) {
    issues.add(path, 'an object', describeKind(raw));
    return undefined;
  }
  if (keys.length > MAX_ATTRIBUTES) issues.add(path, `up to ${MAX_ATTRIBUTES} attributes`, `${keys.length} attributes`);
  const attributes: Attributes = Object.create(null);
  for (const key of keys.slice(0, MAX_ATTRIBUTES))
    readAttribute(raw as Record<string, unknown>, key, attributes, reader, issues);
  return attributes;
}

function readAttribute(
  raw: Readonly<Record<string, unknown>>,
  key: string,
  attributes: Attributes,
  reader: OptionReader,
  issues: IssueLog,
): void {
  let value: unknown;
  try {
    value = raw[key];
  } catch {
    issues.add(pathOf(reader, key), ACCEPTED, 'a value that throws when it is read');
    return;
  }
  if (value === undefined) return;
  const copy = copyAttribute(value);
  if (key === '' || key.length > MAX_KEY_LENGTH) {
    issues.add(pathOf(reader, key), `names of 1 to ${MAX_KEY_LENGTH} characters`, `a name of ${key.length} characters`);
  } else if (copy === undefined) issues.add(pathOf(reader, key), ACCEPTED, describeKind(value));
  else attributes[key] = copy;
}

function copyAttribute(value: unknown): AttributeValue | undefined {
  if (isScalar(value)) return value;
  const elements = elementsOf(value, MAX_ELEMENTS);
  if (elements === undefined) return undefined;
  const type = typeof elements.find((element) => element !== null && element !== undefined);
  const isUniform = elements.every(
    (element) => element === null || element === undefined || (isScalar(element) && typeof element === type),
  );
  return isUniform ? (Object.freeze(elements) as AttributeValue) : undefined;
}

function isScalar(value: unknown): value is string | number | boolean {
  if (typeof value === 'string') return value.length <= MAX_TEXT_LENGTH;
  return typeof value === 'number' || typeof value === 'boolean';
}

function keysOf(raw: unknown): string[] | undefined {
  try {
    return isOptionsObject(raw) ? Object.keys(raw) : undefined;
  } catch {
    return undefined;
  }
}

function pathOf(reader: OptionReader, key: string): string {
  return reader.pathOf(`attributes.${maskKey(key)}`);
}
