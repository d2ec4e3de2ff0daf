import type { ReceivedRequest } from '../support/otlp-receiver.ts';

/** Something of one tenant that was found where another tenant's telemetry arrives. */
export interface Leak {
  readonly owner: string;
  readonly kind: 'text' | 'id' | 'id as text';
  readonly found: string;
}

const HEX_RUN = /[0-9a-f]{16,}/g;
const PREFIX_BYTES = 3;

/**
 * Looks for what belongs to tenants in raw bytes: texts as they are, trace and span ids as OTLP writes them (16 and 8
 * bytes) and in hex. Each is looked for at every offset, whatever the message around it.
 */
export class WireSearch {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #ids: ReadonlyMap<string, string>;
  /** Whether an id begins with these bytes; most offsets are ruled out by it. */
  readonly #prefixes = new Uint8Array(2 ** (8 * PREFIX_BYTES));

  /** Both map what is looked for to the tenant that it belongs to; ids are in hex. */
  constructor(texts: ReadonlyMap<string, string>, ids: ReadonlyMap<string, string>) {
    this.#texts = texts;
    this.#ids = ids;
    for (const id of ids.keys()) this.#prefixes[Number.parseInt(id.slice(0, 2 * PREFIX_BYTES), 16)] = 1;
  }

  /** What is in the requests that a tenant's receiver got and belongs to somebody else. */
  leaksTo(tenantId: string | undefined, requests: readonly ReceivedRequest[]): Leak[] {
    return requests
      .flatMap(({ method, path, headers, raw, body }) => [
        Buffer.from(`${method} ${path}\n${JSON.stringify(headers)}`),
        Buffer.from(raw),
        ...(body === raw ? [] : [Buffer.from(body)]),
      ])
      .flatMap((bytes) => this.find(bytes))
      .filter(({ owner }) => owner !== tenantId);
  }

  find(bytes: Buffer): Leak[] {
    return [...this.#findTexts(bytes), ...this.#findIds(bytes), ...this.#findIdTexts(bytes)];
  }

  *#findTexts(bytes: Buffer): Generator<Leak> {
    for (const [found, owner] of this.#texts) if (bytes.includes(found)) yield { owner, kind: 'text', found };
  }

  *#findIds(bytes: Buffer): Generator<Leak> {
    const prefixes = this.#prefixes;
    for (let offset = 0; offset + 8 <= bytes.length; offset += 1) {
      const prefix = ((bytes[offset] ?? 0) << 16) | ((bytes[offset + 1] ?? 0) << 8) | (bytes[offset + 2] ?? 0);
      if (prefixes[prefix] === 0) continue;
      for (const length of [8, 16]) {
        const found = bytes.toString('hex', offset, offset + length);
        const owner = this.#ids.get(found);
        if (owner !== undefined) yield { owner, kind: 'id', found };
      }
    }
  }

  *#findIdTexts(bytes: Buffer): Generator<Leak> {
    for (const [run] of bytes.toString('latin1').matchAll(HEX_RUN)) {
      for (const length of [16, 32]) {
        for (let start = 0; start + length <= run.length; start += 1) {
          const found = run.slice(start, start + length);
          const owner = this.#ids.get(found);
          if (owner !== undefined) yield { owner, kind: 'id as text', found };
        }
      }
    }
  }
}
