import type { Attributes } from '@opentelemetry/api';
import type { Guard } from '../utils/guard.ts';
import { AttributeMap } from './attribute-map.ts';
import type { SpanScope } from './span-host.ts';
import type { RequestFormat } from './wire-format.ts';

/** Scopes as they stand in requests, for all tenants together: most record with the same few. */
export class ScopeBytes {
  readonly #formats = new Map<RequestFormat['encodeScope'], WeakMap<SpanScope, Uint8Array>>();

  of({ encodeScope }: RequestFormat, scope: SpanScope): Uint8Array {
    let known = this.#formats.get(encodeScope);
    if (known === undefined) {
      known = new WeakMap();
      this.#formats.set(encodeScope, known);
    }
    let bytes = known.get(scope);
    if (bytes === undefined) {
      bytes = encodeScope(scope);
      known.set(scope, bytes);
    }
    return bytes;
  }
}

interface EncodedResource {
  readonly encode: RequestFormat['encodeResource'];
  readonly bytes: Uint8Array;
}

/** What all requests of one tenant have in common, under one configuration of it, whatever their signal. */
export class WireParts {
  readonly scopes: ScopeBytes;
  readonly #guard: Guard;
  readonly #readResource: () => Readonly<Attributes>;
  #resources: readonly EncodedResource[] = [];

  constructor(readResource: () => Readonly<Attributes>, guard: Guard, scopes = new ScopeBytes()) {
    this.scopes = scopes;
    this.#guard = guard;
    this.#readResource = readResource;
  }

  /** The tenant's resource, encoded when it is first needed. @throws on attributes larger than 16 MiB */
  resource({ encodeResource }: RequestFormat): Uint8Array {
    const known = this.#resources.find(({ encode }) => encode === encodeResource);
    if (known !== undefined) return known.bytes;
    const attributes = new AttributeMap();
    attributes.setAll(this.#readResource(), Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, (error) => {
      this.#guard.report('encoder', 'resource', error);
    });
    const bytes = encodeResource(attributes);
    this.#resources = this.#resources.concat({ encode: encodeResource, bytes });
    return bytes;
  }
}
