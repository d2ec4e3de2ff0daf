import type { EndedSpan } from './ended-span.ts';
import type { SpanBatch } from './span-batch.ts';
import type { SpanScope } from './span-host.ts';
import type { WireFormat } from './wire-format.ts';
import type { WireParts } from './wire-parts.ts';

const EMPTY = new Uint8Array(0);
const NO_SCOPES: readonly Uint8Array[] = Object.freeze([]);

/** One tenant's spans, or other records, in one format: the format, and the tenant's resource and scopes in it. */
export class SpanWire<Item = EndedSpan> {
  readonly format: WireFormat<Item>;
  readonly #parts: WireParts;
  #scopes = NO_SCOPES as Uint8Array[];

  constructor(format: WireFormat<Item>, parts: WireParts) {
    this.format = format;
    this.#parts = parts;
  }

  /** To be called for each record that is queued: its scope goes into the request. */
  noteScope(scope: SpanScope): void {
    if (this.#scopes[scope.index] === undefined) this.#addScope(scope);
  }

  /** Encoded when it is first needed. @throws on attributes larger than 16 MiB */
  get resource(): Uint8Array {
    return this.#parts.resource(this.format);
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
    const encoded = this.#parts.scopes.of(this.format, scope);
    if (this.#scopes !== NO_SCOPES) this.#scopes[scope.index] = encoded;
    else if (scope.index === 0) this.#scopes = [encoded];
    else {
      this.#scopes = [];
      this.#scopes[scope.index] = encoded;
    }
  }
}
