import type { Attributes } from '@opentelemetry/api';
import type { Guard } from '../utils/guard.ts';
import { AttributeMap } from './attribute-map.ts';
import type { EndedSpan } from './ended-span.ts';
import type { SpanBatch } from './span-batch.ts';
import type { SpanScope } from './span-host.ts';
import type { WireFormat } from './wire-format.ts';

const EMPTY = new Uint8Array(0);

/** One tenant's spans, or other records, in one format: the format, and the tenant's resource and scopes in it, encoded once. */
export class SpanWire<Item = EndedSpan> {
  readonly format: WireFormat<Item>;
  readonly #guard: Guard;
  readonly #readResource: () => Readonly<Attributes>;
  #scopes: Uint8Array[] = [];
  #resource: Uint8Array | undefined;

  constructor(format: WireFormat<Item>, readResource: () => Readonly<Attributes>, guard: Guard) {
    this.format = format;
    this.#readResource = readResource;
    this.#guard = guard;
  }

  /** To be called for each record that is queued: its scope goes into the request. */
  noteScope(scope: SpanScope): void {
    if (this.#scopes[scope.index] === undefined) this.#addScope(scope);
  }

  /** Encoded when it is first needed. @throws on attributes larger than 16 MiB */
  get resource(): Uint8Array {
    this.#resource ??= this.#encodeResource();
    return this.#resource;
  }

  /** By the index that spans are queued with. */
  get scopes(): readonly Uint8Array[] {
    return this.#scopes;
  }

  scope(index: number): Uint8Array {
    return this.#scopes[index] ?? EMPTY;
  }

  frame(batch: SpanBatch): Uint8Array {
    return this.format.frame(this.resource, this.#scopes, batch);
  }

  /** Most tenants have one scope, and an array that grows has room for many. */
  #addScope(scope: SpanScope): void {
    const encoded = this.format.encodeScope(scope);
    if (scope.index === 0 && this.#scopes.length === 0) this.#scopes = [encoded];
    else this.#scopes[scope.index] = encoded;
  }

  #encodeResource(): Uint8Array {
    const attributes = new AttributeMap();
    attributes.setAll(this.#readResource(), Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, (error) => {
      this.#guard.report('encoder', 'resource', error);
    });
    return this.format.encodeResource(attributes);
  }
}
